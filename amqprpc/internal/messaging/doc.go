// Package messaging is what outlives a connection to the broker: the session that
// reconnects, the publisher with its confirms, the mailbox that replies come to,
// and the consumers of request queues with their workers and their reply writer.
//
// It moves messages and says what became of them. What the messages mean is the
// business of package amqprpc above; how they get on a connection is the business of
// package transport below.
package messaging
