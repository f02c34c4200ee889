package amqprpc

import "context"

// Invoker runs a request and returns its response. It is the rest of a middleware chain. On
// a server, the chain ends with the handler. On a client, the chain ends with sending the
// request. An Invoker returns either a response or an error.
type Invoker func(ctx context.Context, req *Request) (*Response, error)

// Middleware wraps an Invoker. Servers and clients, calls and notifications use the same
// type:
//
//	func timing(next amqprpc.Invoker) amqprpc.Invoker {
//		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
//			start := time.Now()
//			resp, err := next(ctx, req)
//			slog.Info("done", "queue", req.Queue(), "code", amqprpc.CodeOf(err), "took", time.Since(start))
//			return resp, err
//		}
//	}
//
// Middleware may refuse a request before it is decoded, and may answer without calling
// next. It may change ctx, the metadata and the message. It may call next again: on a
// client, each time is a new attempt.
//
// On a server, middleware must call next on its own goroutine, one call at a time. On a
// client, it may call next on other goroutines, several at a time, if each has a request of
// its own: [Request.Clone] makes one. Each next returns the answer to its own attempt, and
// ends with the ctx that it gets. This ctx must be derived from the one that the middleware
// got. A second next of a request whose first next runs is an internal error. Middleware
// recovers the panics of its goroutines, and waits for them before it returns. If an attempt
// still runs when the chain returns, the client ends it with the code canceled.
//
// The first middleware is the outermost. The middleware of a server or client surrounds the
// middleware of a handler or call. If middleware panics, the request or call ends with an
// internal error that wraps a [*PanicError].
type Middleware func(next Invoker) Invoker

// chain puts mws around last; each step's result goes through seal before the
// next one outward sees it.
func chain(mws []Middleware, last Invoker, seal func(Invoker) Invoker) Invoker {
	next := seal(last)
	for i := len(mws) - 1; i >= 0; i-- {
		next = seal(mws[i](next))
	}
	return next
}
