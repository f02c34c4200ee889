// Package clients runs what services commonly do with a broker (RPC, direct reply-to,
// work queues, publish and subscribe, topics, confirms, dead letters, a refused
// operation) through clients of other languages: pika and kombu for Python, amqplib for
// Node. Each script is the same play with another cast, and prints the same lines,
// whether the broker is amqptest or RabbitMQ.
//
// The scripts run where AMQPRPC_PYTHON and AMQPRPC_NODE name the interpreters, as they
// do in CI; NODE_PATH then says where amqplib is. With AMQPRPC_RABBITMQ=3.10, 4.0 or 4.3
// the broker is a private RabbitMQ node, else amqptest.
package clients
