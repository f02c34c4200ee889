package middleware

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// TimeoutOption changes what [Timeout] limits.
type TimeoutOption func(*timeout)

type timeout struct{ streams bool }

// WithStreams limits the whole time of streams, too. On a server, only the handler's context
// ends: a handler that waits in Send or Recv does not see that. There,
// [amqprpc.WithHandlerTimeout] is the better limit.
func WithStreams() TimeoutOption {
	return func(t *timeout) { t.streams = true }
}

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
// Streams have no limit, because a stream may be open for days. [WithStreams] limits them as
// well. If d is zero or negative, there is no limit at all.
func Timeout(d time.Duration, opts ...TimeoutOption) amqprpc.Middleware {
	var t timeout
	for _, o := range opts {
		o(&t)
	}
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		if d <= 0 {
			return next
		}
		passed := fmt.Errorf("time limit of %v", d)
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			if req.Kind().IsStream() && !t.streams {
				return next(ctx, req)
			}
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
