package amqprpc

import "time"

// ReplyMode says how replies reach a client.
type ReplyMode int

const (
	// ReplyResumable is the default. The client has a reply queue that outlives its
	// connection by a minute, so calls in flight survive a dropped connection. The user
	// needs the permissions to configure and read amqprpc.reply.*. In every mode, the user
	// needs the permission to write to amq.default, the default exchange.
	ReplyResumable ReplyMode = iota
	// ReplyExclusive uses a reply queue that ends with the connection. If the connection is
	// lost, calls in flight fail. The broker keeps nothing of a client that has ended. The
	// user needs the permissions to configure and read amq.gen-*.
	ReplyExclusive
	// ReplyDirect uses RabbitMQ's direct reply-to, without a queue. This mode needs the
	// least of the broker, and no permission to configure. Replies are delivered at most
	// once. If the connection is lost, calls in flight fail. [WithLiveness] has no effect.
	// See https://www.rabbitmq.com/docs/direct-reply-to.
	ReplyDirect
)

// WithReplyMode chooses how replies reach the client.
func WithReplyMode(m ReplyMode) ClientOption {
	return clientOption(func(c *clientConfig) { c.replyMode = m })
}

// WithReplyQueueExpiry sets how long a resumable reply queue outlives its connection. The
// default is a minute, and the minimum is 1 s. If the client is away for longer, its calls
// in flight fail.
func WithReplyQueueExpiry(d time.Duration) ClientOption {
	return clientOption(func(c *clientConfig) { c.replyExpires = within(time.Second, d, forever) })
}
