// Package otelrpc traces and measures calls of amqprpc with OpenTelemetry. One middleware
// serves servers and clients:
//
//	srv := amqprpc.NewServer(url, amqprpc.WithMiddleware(otelrpc.Middleware()))
//	cli, err := amqprpc.Dial(ctx, url, amqprpc.WithMiddleware(otelrpc.Middleware()))
//
// Put it outermost, so that it sees the answers, the durations and the attempts of the other
// middleware, and so that they see its span.
//
// # Traces
//
// A call has one span of kind CLIENT and one of kind SERVER. A notification has no answer, so
// that its spans are those of a message: PRODUCER until the broker has it, CONSUMER while
// the handler runs. The context travels in the headers of the request. A call
// with more than one attempt has a child span for each of them, on the client.
//
// # Metrics
//
// The histograms rpc.client.call.duration and rpc.server.call.duration have the duration of
// each call in seconds. amqprpc.server.queue.duration has the time that requests
// were in the queue before they reached the server, as far as [amqprpc.Request.QueueTime]
// knows it.
//
// Names and attributes are those of OpenTelemetry's semantic conventions for RPC, version
// 1.45, and for messaging with RabbitMQ. The guide's page on observability lists them.
//
// # Logs
//
// [LogAttrs] gives [middleware.Logging] the ids of trace and span.
//
// [middleware.Logging]: https://pkg.go.dev/github.com/bbebcec1/amqprpc-go/middleware#Logging
package otelrpc
