// Package idempotency has a server middleware that answers a repeated call with its
// first answer, instead of running the handler again.
//
//	answers := idempotency.NewMemoryStore(10_000, time.Hour)
//	amqprpc.Register(srv, "orders", placeOrder, amqprpc.WithMiddleware(idempotency.New(answers)))
//
// A call is repeated when the broker redelivers its request, when the client resends its
// request ([amqprpc.WithIdempotent]), or when a caller makes a call with the same ID
// again ([amqprpc.WithCallID]). Servers that share a [Store] share their answers. If a
// repetition arrives while the first execution runs, it waits for the answer of that
// execution, until its own context ends.
//
// # Which requests are the same call
//
// Two requests are the same call if they have the same queue and the same
// [amqprpc.Request.ID]. [WithKey] replaces the ID. A client in another language may send
// a correlation ID without a message ID. Correlation IDs are unique only to one client,
// so the reply queue becomes part of the key. A request that has neither ID runs as if there were no middleware.
//
// A broadcast, and a call to one server, is a call of its own on each server: the key has the
// server's ID, too. So each server runs a broadcast, though all share a store.
//
// A request that has the ID of an earlier call and a different body is refused with
// failed_precondition. [WithAnyBody] allows such requests. Bodies of different content
// types are decoded as the request's type, and their JSON is compared. The answer to a
// repetition has the stored bytes and the stored content type. The caller decodes it by
// this content type.
//
// # Which answers are stored
//
// A result is stored with its metadata. An error is stored with its code, message,
// details and metadata. For a notification, the store keeps only that it was handled.
// These are not stored:
//
//   - Errors that ask for another attempt: unavailable, resource_exhausted, aborted,
//     deadline_exceeded and canceled. [WithRememberedErrors] replaces this rule.
//   - Panics.
//   - Errors of a handler whose context has ended, because they may be the context's own
//     error. If the server lost its connection, the redelivered request then runs.
//
// A request that cannot be decoded never reaches the store.
//
// # Streams
//
// A stream cannot be answered from a store. A queue that takes streams must therefore not
// have this middleware: its requests are refused with failed_precondition, and no handler
// runs. On a server that has streams besides calls, give the middleware to the handlers of
// the calls, and not to the server.
//
// # Executions that die
//
// An execution claims its key in the store, and renews the claim while its handler runs.
// If the process dies, the claim expires (see [WithLease]), and a repetition that waits
// for it runs. A process that was suspended, or could not reach its store, may still be
// running its handler at that time. Both executions are then answered with the answer
// that was stored first.
//
// There is no exactly-once: a process can die after the effect of its handler and before
// the answer is stored. To close this gap, store the call ID in the same transaction as
// the effect.
//
// # When the store fails
//
// If the store fails before the handler has started, the request is refused with
// unavailable. [WithFailOpen] runs the request instead. If the store fails later, the
// caller gets the handler's answer, and the answer is not stored.
//
// # Place in the chain
//
// Put authentication and authorization before this middleware: a caller that knows a
// call's ID gets its answer. To give each caller only its own answers, put the caller into
// the key ([WithKey]). Put validation and rate limits before it, too, because their
// refusals must not be stored. Middleware after it does not run for a repetition.
//
// # Outcomes
//
// The outcome of an error describes the call, not the repetition. A stored error has the
// outcome executed. The outcome is unknown if the context ends while a repetition waits.
package idempotency
