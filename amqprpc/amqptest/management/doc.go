// Package management serves a part of RabbitMQ's management HTTP API for an amqptest
// broker. It has the requests that the tests of client libraries make.
//
//	b := amqptest.Start(t)
//	api := httptest.NewServer(management.Handler(b))
//
// It lists connections, channels, queues, exchanges, bindings, virtual hosts and users. It
// closes connections, and deletes and purges queues. It adds and deletes virtual hosts,
// users, permissions and policies, and imports definitions
// (https://www.rabbitmq.com/docs/http-api-reference). Paths, fields and answers are the
// same as RabbitMQ's. Fields that have no meaning for a broker in memory, such as rates and
// bytes, are left out.
//
// A client logs in with HTTP basic authentication, as a user of the broker who has a tag.
// Users of [amqptest.WithUser] are administrators. In a path, the virtual host / is %2F.
//
// RabbitMQ collects its figures every few seconds. The figures of this package are always
// up to date.
package management
