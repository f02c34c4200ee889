package middleware

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Timeout ends the context of the inner chain after d. An earlier deadline stays. Timeout
// starts no goroutine, so it ends only code that honours its context. A client's call honours
// its context, and a server's handler must.
//
// On a client, the shorter deadline travels with the request, and the call ends with
// deadline_exceeded. On a server, a bare context error of the handler gets a text that names
// this limit. Any other result is returned unchanged, even if it is late.
//
// To limit each attempt of a call, put Timeout inside a middleware that retries. If one limit
// for the whole call is enough, use [amqprpc.WithTimeout]. On servers, use
// [amqprpc.WithHandlerTimeout], which also answers for handlers that ignore their context.
//
// If d is zero or negative, there is no limit.
func Timeout(d time.Duration) amqprpc.Middleware {
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		if d <= 0 {
			return next
		}
		passed := fmt.Errorf("time limit of %v", d)
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

// isBareDeadline reports whether err is a context's deadline error without a code or a text
// of its own.
func isBareDeadline(err error) bool {
	if _, ok := errors.AsType[*amqprpc.Error](err); ok {
		return false
	}
	return errors.Is(err, context.DeadlineExceeded)
}
