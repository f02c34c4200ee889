// Package amqprpc is typed request/reply over RabbitMQ, without a code
// generator and without infrastructure beside the broker.
//
// A server puts plain Go functions on named queues:
//
//	srv := amqprpc.NewServer("amqp://guest:guest@localhost:5672/")
//	amqprpc.Register(srv, "rpc_queue", func(ctx context.Context, n int) (int, error) { return n * n, nil })
//	err := srv.Serve(ctx)
//
// and a client calls them:
//
//	cli, err := amqprpc.Dial(ctx, "amqp://guest:guest@localhost:5672/")
//	square, err := amqprpc.Call[int, int](ctx, cli, "rpc_queue", 12)
//
// # What a call promises
//
// A call returns exactly once, no later than its ctx ends, with a result or
// with an [Error] whose [Outcome] says what is known of the request's fate. By
// default requests are handled at least once: a handler may run again for the
// same call when a connection drops between its reply and the acknowledgement.
// [Request.ID] is the same for every attempt at a call and so serves as the key
// by which a handler recognises a repetition.
//
// # The wire
//
// Requests and replies are ordinary AMQP 0-9-1 messages; any client in any
// language can take part. See docs/protocol.md in the module's repository.
package amqprpc
