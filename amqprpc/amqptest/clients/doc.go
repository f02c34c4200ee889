// Package clients tests the broker with clients of other languages: pika and kombu for
// Python, amqplib for Node. The tests do what services commonly do: RPC, direct reply-to,
// work queues, publish and subscribe, topics, confirms, dead letters, and an operation that
// is refused. All scripts do the same, and print the same lines on amqptest and on
// RabbitMQ.
//
// The scripts run only if AMQPRPC_PYTHON and AMQPRPC_NODE name the interpreters, as in CI.
// NODE_PATH says where amqplib is. With AMQPRPC_RABBITMQ=3.10, 4.0 or 4.3 the broker is a
// private RabbitMQ node. Otherwise it is amqptest.
package clients
