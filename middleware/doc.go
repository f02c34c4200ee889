// Package middleware has ready middleware for servers and clients of amqprpc.
// Each is an ordinary [amqprpc.Middleware], made with nothing but what the
// package amqprpc exports: one of your own can do all that these can.
//
//	srv := amqprpc.NewServer(url, amqprpc.WithMiddleware(
//		middleware.Logging(logger),
//		middleware.Validate(),
//	))
//
// The first is the outermost: Logging above sees the refusals of Validate.
//
// There is no middleware against panics, since servers recover from those of
// handlers and of middleware by themselves: the caller gets code internal with a
// neutral text, and the server's log the stack. Middleware that reports panics
// elsewhere finds value and stack in [amqprpc.PanicError].
package middleware
