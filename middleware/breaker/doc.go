// Package breaker is a circuit breaker for clients of amqprpc. It is middleware that stops
// calling a queue whose calls keep failing, and tries again after a time:
//
//	b := breaker.New()
//	cli, err := amqprpc.Dial(ctx, url, amqprpc.WithMiddleware(middleware.Retry(), b.Middleware()))
//
// Each queue has a breaker of its own, in one of three states:
//
//   - closed: calls pass. If too many of them fail, the breaker opens.
//   - open: calls fail at once, with the code unavailable and the outcome not sent. After some
//     seconds the breaker is half open.
//   - half open: a few calls pass, to find out. If they succeed, the breaker closes. If one of
//     them fails, it opens again.
//
// The state machine is that of github.com/sony/gobreaker. Put Retry outside of the breaker, so
// that the breaker sees each attempt: the error of an open breaker says when to call again, and
// Retry waits for that or gives up.
package breaker
