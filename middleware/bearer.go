package middleware

import (
	"context"
	"errors"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// authorization is the metadata that has the token, as in HTTP: "Bearer <token>". Names of
// AMQP headers have a case.
const authorization = "authorization"

// SendBearer adds a token to the metadata of each request of a client. The name is
// authorization and the value is "Bearer " with the token, as in HTTP (RFC 6750).
//
// source returns the token of an attempt. It gets the context of the call and may be called
// concurrently. A source that fetches tokens should keep each one until it expires. If source returns an
// error, the call ends with it and nothing is sent. The error's code is unauthenticated, or
// the error's own. A call that has this metadata already keeps it. On a server, SendBearer
// passes all requests on. SendBearer panics if source is nil.
//
// Metadata is not encrypted and not signed. Use TLS, and tokens that expire soon.
func SendBearer(source func(ctx context.Context) (token string, err error)) amqprpc.Middleware {
	if source == nil {
		panic("middleware: SendBearer: source is nil")
	}
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			if _, has := req.Header()[authorization]; has || !req.IsClient() {
				return next(ctx, req)
			}
			token, err := source(ctx)
			if err != nil {
				return nil, unauthenticated(err)
			}
			req.Header()[authorization] = "Bearer " + token
			defer delete(req.Header(), authorization) // another attempt gets a fresh token
			return next(ctx, req)
		}
	}
}

// AuthBearer lets a server take only requests with a token that verify accepts. It reads
// what [SendBearer] sends. verify returns who calls, as a type of yours: the claims of the
// token, or a user. Middleware further inward and the handler get it with [Principal].
//
// A request without a token, or with one that verify returns an error for, is
// unauthenticated. If the error wraps an [*amqprpc.Error] or an [amqprpc.Code], the caller
// gets that. The message is not decoded, and no handler runs. The text of the error goes to
// the caller. verify may be called concurrently. On a client, AuthBearer passes all requests
// on. AuthBearer panics if verify is nil.
func AuthBearer[P any](verify func(ctx context.Context, token string) (P, error)) amqprpc.Middleware {
	if verify == nil {
		panic("middleware: AuthBearer: verify is nil")
	}
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			if req.IsClient() {
				return next(ctx, req)
			}
			token, ok := bearer(req.Header()[authorization])
			if !ok {
				return nil, amqprpc.Errorf(amqprpc.CodeUnauthenticated, "the metadata has no bearer token (%s)", authorization)
			}
			principal, err := verify(ctx, token)
			if err != nil {
				return nil, unauthenticated(err)
			}
			return next(context.WithValue(ctx, principalKey[P]{}, principal), req)
		}
	}
}

// principalKey is the key of a P in a context.
type principalKey[P any] struct{}

// Principal returns what the verify function of [AuthBearer] returned for this request. It
// returns false if ctx does not come from AuthBearer with the same type P.
func Principal[P any](ctx context.Context) (P, bool) {
	p, ok := ctx.Value(principalKey[P]{}).(P)
	return p, ok
}

// bearer returns the token of a header's value. The scheme has no case (RFC 9110).
func bearer(value string) (string, bool) {
	scheme, token, _ := strings.Cut(value, " ")
	token = strings.Trim(token, " ")
	return token, strings.EqualFold(scheme, "bearer") && token != ""
}

// unauthenticated returns err with the code unauthenticated, or err itself if it has a code.
func unauthenticated(err error) error { return coded(err, amqprpc.CodeUnauthenticated) }

// coded returns err with the code, or err itself if it has one.
func coded(err error, code amqprpc.Code) error {
	if _, ok := errors.AsType[*amqprpc.Error](err); ok {
		return err
	}
	if _, ok := errors.AsType[amqprpc.Code](err); ok {
		return err
	}
	return amqprpc.NewError(code, err)
}
