package middleware

import (
	"context"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Observe calls f at the end of each request, with what the request has ended with and how long
// it took. It is made for metrics and logs of your own: [Logging], otelrpc and promrpc are made
// with it.
//
// If middleware further inward panics or ends its goroutine, err is internal, the code that the
// caller gets. f runs on the goroutine of the request, and gets the ctx that Observe got. f may
// be called concurrently, and must not panic. Observe panics if f is nil.
func Observe(f func(ctx context.Context, req *amqprpc.Request, resp *amqprpc.Response, err error, took time.Duration)) amqprpc.Middleware {
	if f == nil {
		panic("middleware: Observe: f is nil")
	}
	born := time.Now() // time.Since is a cheaper clock than time.Now
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (resp *amqprpc.Response, err error) {
			start := time.Since(born)
			returned := false
			defer func() {
				if !returned { // the panic goes on, and the server or the client answers the request
					err = amqprpc.Errorf(amqprpc.CodeInternal, "panic")
				}
				f(ctx, req, resp, err, time.Since(born)-start)
			}()
			resp, err = next(ctx, req)
			returned = true
			return resp, err
		}
	}
}
