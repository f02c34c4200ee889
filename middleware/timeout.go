package middleware

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Timeout bounds by d what comes after it in the chain, by ending its ctx; a
// deadline that is earlier already stays. It runs nothing on another goroutine,
// so it ends only what heeds its ctx: on a client the wire does, on a server the
// handler must.
//
// On a client the shorter deadline is the one that travels with the request, and
// the call ends with deadline_exceeded when it passes. On a server a context
// error that the handler returns for it is given a text that names this limit;
// any other result is left alone, even a late one.
//
// For a limit for each attempt at a call put it inside a middleware that retries.
// Where one limit for all is enough, [amqprpc.WithTimeout] does it without
// middleware, and on servers answers for handlers that do not heed their ctx.
//
// A d of zero or below is no limit.
func Timeout(d time.Duration) amqprpc.Middleware {
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		if d <= 0 {
			return next
		}
		passed := fmt.Errorf("middleware.Timeout of %v", d)
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			ctx, cancel := context.WithTimeoutCause(ctx, d, passed)
			defer cancel()
			resp, err := next(ctx, req)
			if err != nil && context.Cause(ctx) == passed && isBareDeadline(err) {
				err = fmt.Errorf("%w (%w)", err, passed)
			}
			return resp, err
		}
	}
}

// isBareDeadline reports whether err is a context's deadline that nobody has
// given a code and a text of their own.
func isBareDeadline(err error) bool {
	if _, ok := errors.AsType[*amqprpc.Error](err); ok {
		return false
	}
	return errors.Is(err, context.DeadlineExceeded)
}
