package amqprpc

import "context"

// Invoker runs a request to its response: the rest of a middleware chain, with
// the handler (on a server) or the wire (on a client) at its end. It returns
// either a response or an error, never neither.
type Invoker func(ctx context.Context, req *Request) (*Response, error)

// Middleware wraps an Invoker. The same shape serves servers and clients, calls
// and notifications:
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
// It may refuse before anything is decoded, answer by itself without calling
// next, change ctx, metadata and message, or call next again (each time is an
// attempt of its own on a client). The first middleware given is the outermost;
// those of a server or client surround those of a handler or call. A panic ends the
// request or the call with an internal error that wraps a [*PanicError].
//
// On a server it calls next on its own goroutine, one call at a time. On a client it may
// call next on other goroutines, several at a time, if each has a request of its own:
// [Request.Clone] makes one. Each next returns the answer to its own attempt, and ends with
// its own ctx, which must be made of the one that the middleware got. A second next of a
// request whose first one runs is an internal error. Middleware recovers the panics of its
// goroutines, and waits for them before it returns: what still runs then is ended, canceled.
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
