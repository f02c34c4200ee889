package main

import (
	"context"
	"crypto/ed25519"
	"slices"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// audience keeps tokens that were made for other systems out of the shop.
const audience = "shop"

// Caller is whom a token is about: a customer or a service.
type Caller struct {
	Name   string
	Queues []string // that it may call
}

// May reports whether the caller may call a queue.
func (c Caller) May(queue string) bool { return slices.Contains(c.Queues, queue) }

// claims are what a token says.
type claims struct {
	Queues []string `json:"queues"`
	jwt.RegisteredClaims
}

// Login signs tokens. It stands for the login service: only that one has the private key, and
// the services have the public one.
type Login struct {
	private ed25519.PrivateKey
	public  ed25519.PublicKey
	parser  *jwt.Parser
}

// NewLogin makes a Login with a new key.
func NewLogin() (*Login, error) {
	public, private, err := ed25519.GenerateKey(nil)
	return &Login{private: private, public: public, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), // a token must not choose
		jwt.WithAudience(audience),
		jwt.WithExpirationRequired(),
	)}, err
}

// Sign makes a token with which a caller may call some queues.
func (l *Login) Sign(name string, lifetime time.Duration, queues ...string) (string, error) {
	return jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims{Queues: queues, RegisteredClaims: jwt.RegisteredClaims{
		Subject: name, Audience: jwt.ClaimStrings{audience}, ExpiresAt: jwt.NewNumericDate(time.Now().Add(lifetime)),
	}}).SignedString(l.private)
}

// verify is the function for middleware.AuthBearer.
func (l *Login) verify(_ context.Context, token string) (Caller, error) {
	var c claims
	_, err := l.parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return l.public, nil })
	return Caller{Name: c.Subject, Queues: c.Queues}, err
}

// tokenLifetime is short, because nobody can take a token back.
const tokenLifetime = 10 * time.Minute

// source returns a function for middleware.SendBearer with the token of a service. It keeps a
// token for half of its lifetime.
func (l *Login) source(name string, queues ...string) func(context.Context) (string, error) {
	var mu sync.Mutex
	var token string
	var signed time.Time
	return func(context.Context) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(signed) < tokenLifetime/2 {
			return token, nil
		}
		fresh, err := l.Sign(name, tokenLifetime, queues...)
		if err == nil {
			token, signed = fresh, time.Now()
		}
		return fresh, err
	}
}

type tokenKey struct{}

// withToken returns a context for calls in the name of a customer.
func withToken(ctx context.Context, token string) context.Context {
	return context.WithValue(ctx, tokenKey{}, token)
}

// customerToken is a function for middleware.SendBearer with the token of the call's customer.
func customerToken(ctx context.Context) (string, error) {
	token, _ := ctx.Value(tokenKey{}).(string)
	return token, nil
}
