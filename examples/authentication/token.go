package main

import (
	"context"
	"crypto/ed25519"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Person is who a token is about.
type Person struct {
	Name   string
	Scopes []string
}

// May reports whether the person has been granted a scope.
func (p Person) May(scope string) bool { return slices.Contains(p.Scopes, scope) }

// claims are what a token says.
type claims struct {
	Scopes []string `json:"scopes"`
	jwt.RegisteredClaims
}

// audience keeps tokens that were made for other services away from this one.
const audience = "payments"

// sign makes a token, as a login service does.
func sign(key ed25519.PrivateKey, name string, expires time.Time, scopes ...string) string {
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims{Scopes: scopes, RegisteredClaims: jwt.RegisteredClaims{
		Subject: name, Audience: jwt.ClaimStrings{audience}, ExpiresAt: jwt.NewNumericDate(expires),
	}})
	signed, err := token.SignedString(key)
	if err != nil {
		panic(err) // the key is of the wrong type
	}
	return signed
}

// verifier makes the function for middleware.AuthBearer. It names the algorithm, because a
// token must not choose how it is verified.
func verifier(key ed25519.PublicKey) func(context.Context, string) (Person, error) {
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
		jwt.WithAudience(audience),
		jwt.WithExpirationRequired(),
	)
	return func(_ context.Context, token string) (Person, error) {
		var c claims
		_, err := parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return key, nil })
		return Person{Name: c.Subject, Scopes: c.Scopes}, err
	}
}
