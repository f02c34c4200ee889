// Package middleware has middleware for servers and clients of amqprpc. All of it is
// ordinary [amqprpc.Middleware] that uses only the public API of package amqprpc. Your own
// middleware can therefore do everything that this middleware does.
//
//	srv := amqprpc.NewServer(url, amqprpc.WithMiddleware(
//		middleware.Logging(logger),
//		middleware.Validate(),
//	))
//
// The first middleware is the outermost: here, Logging logs the refusals of Validate. The
// subpackage idempotency answers repeated calls.
//
// [Retry] and [Hedge] are for clients, [RateLimit] and [ConcurrencyLimit] for both sides. They
// remember something of each queue or caller, so make one for a client or server, not one for a
// call. The module middleware/breaker has circuit breakers.
//
// No middleware recovers from panics, because servers already do: the caller gets the code
// internal with a neutral text, and the server logs the stack. Middleware that reports panics
// finds the value and the stack in [amqprpc.PanicError].
package middleware
