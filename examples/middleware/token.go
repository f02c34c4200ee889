package main

import (
	"context"
	"crypto/subtle"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// requireToken is server middleware. It refuses requests without the token. The message is
// decoded only on demand, so an unauthorized caller cannot make the server parse anything.
func requireToken(token string) amqprpc.Middleware {
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			got := req.Header()["authorization"]
			if subtle.ConstantTimeCompare([]byte(got), []byte(token)) != 1 {
				return nil, amqprpc.Errorf(amqprpc.CodeUnauthenticated, "say the word")
			}
			return next(ctx, req)
		}
	}
}
