package middleware_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware"
)

// The cost of the authentication for each call, without the work of the user's functions.
func BenchmarkAuth(b *testing.B) {
	token := func(context.Context) (string, error) { return "good-ada", nil }
	for name, c := range map[string]struct {
		mw     amqprpc.Middleware
		client bool
	}{
		"AuthUser":   {mw: middleware.AuthUser(middleware.Users("ada", "guest"))},
		"AuthBearer": {mw: middleware.AuthBearer(verify)},
		"SendBearer": {mw: middleware.SendBearer(token), client: true},
	} {
		b.Run(name, func(b *testing.B) {
			url := amqptest.Start(b).URL()
			done := amqprpc.NewResponse(0)
			// loop runs the middleware alone, on a real request.
			loop := func(next amqprpc.Invoker) amqprpc.Invoker {
				only := c.mw(func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) { return done, nil })
				return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
					if req.IsClient() != c.client {
						return next(ctx, req)
					}
					b.ReportAllocs()
					for b.Loop() {
						if _, err := only(ctx, req); err != nil {
							return nil, err
						}
					}
					return done, nil
				}
			}
			srv := amqprpc.NewServer(url, amqprpc.WithLogger(nil), amqprpc.WithMiddleware(loop))
			amqprpc.Register(srv, "q", echo[int])
			defer serve(srv)()
			cli, err := amqprpc.Dial(b.Context(), url, amqprpc.WithLogger(nil), amqprpc.WithUserID(), amqprpc.WithMiddleware(loop))
			require.NoError(b, err)
			defer cli.Close()
			_, err = amqprpc.Call[int, int](b.Context(), cli, "q", 1, amqprpc.WithHeader("tenant", "blue"), bearerUnless(c.client))
			require.NoError(b, err)
		})
	}
}

// bearerUnless is the token that SendBearer would send.
func bearerUnless(sent bool) amqprpc.CallOption {
	if sent {
		return amqprpc.WithHeader("other", "")
	}
	return amqprpc.WithHeader("authorization", "Bearer good-ada")
}
