// Package amqptest is an AMQP 0-9-1 broker inside the test's own process, as
// net/http/httptest is a web server: code that uses RabbitMQ can be tested
// against it without Docker, in milliseconds, with the client library that it
// uses in production.
//
//	b := amqptest.NewBroker()
//	defer b.Close()
//	conn, err := amqp.Dial(b.URL())
//
// It keeps everything in memory and nothing after Close.
//
// # What it follows
//
// Where the AMQP specification and RabbitMQ differ it does as RabbitMQ 3.10
// does, down to reply codes, reply texts and the class and method that an
// exception names.
//
// # Concurrency
//
// Everything exported is safe for concurrent use.
package amqptest
