package amqprpc

import "time"

// ReplyMode says how replies reach a client.
type ReplyMode int

const (
	// ReplyResumable, the default: a queue of the client's own that survives its
	// connection for a minute, so that a call in flight survives a dropped
	// connection. The user needs the permissions to configure and read
	// amqprpc.reply.*, and in every mode to write amq.default, the default exchange.
	ReplyResumable ReplyMode = iota
	// ReplyExclusive: a queue that lives and dies with the connection. Calls in
	// flight fail as soon as it is lost; nothing outlives the client. The user
	// needs the permissions to configure and read amq.gen-*.
	ReplyExclusive
	// ReplyDirect: RabbitMQ's direct reply-to, without any queue. The least
	// load on the broker and no permission to configure; replies are at most
	// once, and calls in flight fail when the connection is lost. [WithLiveness] has
	// no effect.
	// See https://www.rabbitmq.com/docs/direct-reply-to.
	ReplyDirect
)

// WithReplyMode chooses how replies reach the client.
func WithReplyMode(m ReplyMode) ClientOption {
	return clientOption(func(c *clientConfig) { c.replyMode = m })
}

// WithReplyQueueExpiry sets how long a resumable reply queue outlives its
// connection. The default is a minute; a client that is away for longer fails
// its calls in flight. At least 1 s.
func WithReplyQueueExpiry(d time.Duration) ClientOption {
	return clientOption(func(c *clientConfig) { c.replyExpires = within(time.Second, d, forever) })
}
