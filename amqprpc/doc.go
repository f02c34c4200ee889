// Package amqprpc makes typed calls over RabbitMQ. There is no code generator, and the
// broker is the only infrastructure.
//
// A server puts Go functions on queues:
//
//	srv := amqprpc.NewServer("amqp://guest:guest@localhost:5672/")
//	amqprpc.Register(srv, "rpc_queue", func(ctx context.Context, n int) (int, error) { return n * n, nil })
//	err := srv.Serve(ctx)
//
// A client calls them:
//
//	cli, err := amqprpc.Dial(ctx, "amqp://guest:guest@localhost:5672/")
//	square, err := amqprpc.Call[int, int](ctx, cli, "rpc_queue", 12)
//
// # What a call promises
//
// A call returns exactly once, when its ctx ends or earlier. It returns a result or an
// [Error]. The [Outcome] of the error says what happened to the request. By default,
// delivery is at least once: if a connection drops between the reply and the
// acknowledgement, a handler may run again for the same call. [Request.ID] is the same for
// every attempt at a call. A handler uses it to recognise a repeated call.
//
// # Streams
//
// A stream carries any number of messages to the client ([ServerStream]), to the server
// ([ClientStream]), or both ways ([BidiStream]):
//
//	const Prices amqprpc.ServerStream[Query, Price] = "prices"
//
//	Prices.Register(srv, func(ctx context.Context, q Query, out *amqprpc.Sender[Price]) error { … })
//	for price, err := range Prices.Call(ctx, cli, query) { … }
//
// The messages arrive once each and in order, although connections are lost. A loop that
// breaks ends the handler. A sender waits for a receiver that is slow.
//
// # Discovery
//
// Servers answer who they are, what they serve, and how they do: see package discovery.
// [WithService], [WithDoc] and [WithExample] say more.
//
// # The wire
//
// Requests and replies are ordinary AMQP 0-9-1 messages. Clients and servers in any
// language can take part: see docs/protocol.md in the repository of this module.
package amqprpc
