// Package management is a sliver of RabbitMQ's management HTTP API over an amqptest broker:
// what the tests of client libraries ask for.
//
//	b := amqptest.Start(t)
//	api := httptest.NewServer(management.Handler(b))
//
// It lists connections, channels, queues, exchanges, bindings, virtual hosts and users,
// closes connections, deletes and purges queues, adds and deletes virtual hosts, users,
// permissions and policies, and imports definitions
// (https://www.rabbitmq.com/docs/http-api-reference). Paths, names of fields and answers are
// RabbitMQ's; fields that say nothing of a broker in memory, as rates and bytes, are left
// out. Whoever asks logs in with HTTP basic authentication as a user of the broker who has a
// tag; users of [amqptest.WithUser] are administrators. A virtual host's / is written %2F.
//
// Where RabbitMQ collects its figures every few seconds, these are those of the moment.
package management
