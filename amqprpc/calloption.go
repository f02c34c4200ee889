package amqprpc

import (
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
	"github.com/bbebcec1/amqprpc-go/codec"
)

type codecOption struct{ codec.Codec }

func (o codecOption) applyClient(c *clientConfig) { c.codec = o.Codec }
func (o codecOption) applyCall(c *callConfig)     { c.codec = o.Codec }

// WithCodec sets the codec of a client's requests, or of one call's request. The default is
// JSON. A reply is decoded by its own content type. It may be the content type of the
// request, JSON or MessagePack.
func WithCodec(c codec.Codec) SendOption { return codecOption{c} }

type timeoutOption time.Duration

func (o timeoutOption) applyClient(c *clientConfig) { c.timeout = within(0, time.Duration(o), forever) }
func (o timeoutOption) applyCall(c *callConfig)     { c.timeout = within(0, time.Duration(o), forever) }

// WithTimeout limits a call: the call ends after d or at the deadline of its ctx, whichever
// is earlier. As an option of a client, it applies to calls that have neither a deadline
// nor this option. The default is 30 s. For a notification, it limits Notify, but not the
// request that Notify sends: see [WithExpiration]. Values of zero and below leave the
// default.
//
// For all options, a duration of more than ten years counts as ten years, the maximum that
// RabbitMQ allows.
func WithTimeout(d time.Duration) SendOption { return timeoutOption(d) }

// WithExpiration sets a deadline for the request of a notification. The time begins with
// Notify. If no handler has started by the deadline, the request is dropped. By default the
// request of a notification has no deadline. Values of zero and below leave this default.
// The option has no effect on calls, because the request of a call expires at the call's
// deadline.
func WithExpiration(d time.Duration) CallOption {
	return callOption(func(c *callConfig) { c.expiration = within(0, d, forever) })
}

// WithMaxPending limits the calls of a client that are in flight. Beyond this limit, a call
// fails with resource_exhausted, not sent. The default is 65,536. Values below 1 leave the
// default.
func WithMaxPending(n int) ClientOption {
	return clientOption(func(c *clientConfig) {
		if n > 0 {
			c.maxPending = n
		}
	})
}

// WithoutConfirms makes a client publish its calls without publisher confirms. Calls are
// somewhat faster. But if a request is lost with the connection, its call waits until its
// deadline. Notifications still use confirms.
func WithoutConfirms() ClientOption {
	return clientOption(func(c *clientConfig) { c.unconfirmed = true })
}

// WithIdempotent says that a handler may run more than once for a call. If the client
// cannot know what happened to a request, it then sends the request again, with the same
// call ID. Without the option, the call fails with OutcomeUnknown. There are four such
// cases:
//
//   - The connection was lost before the broker confirmed the request.
//   - The reply queue was lost.
//   - The broker has restarted.
//   - The server sends no more heartbeats ([WithLiveness]).
func WithIdempotent() SendOption {
	return sendOption(func(c *sendConfig) { c.idempotent = true })
}

// WithFailFast makes a call fail at once if the client has no connection, or if nobody
// consumes the queue. The error is unavailable, not sent. Before each call, the client asks
// the broker about the queue, which costs a round trip. If the user may not ask, the call
// is made as usual. RabbitMQ 4.3 requires a permission on the queue for this.
func WithFailFast() SendOption {
	return sendOption(func(c *sendConfig) { c.failFast = true })
}

// WithPersistent makes the broker write the request to disk. On a durable queue, the
// request then survives a restart of the broker. When a handler runs, the caller may have
// given up. By default requests are transient, which is faster.
func WithPersistent() SendOption {
	return sendOption(func(c *sendConfig) { c.persistent = true })
}

// WithLiveness makes the server send a heartbeat every d while the handler runs. If no
// heartbeat comes for three intervals, the call fails with unavailable and OutcomeUnknown.
// If the call is [WithIdempotent], the request is sent again instead. A call may therefore
// have a long deadline, and its caller still learns within seconds that the server died.
// Until the handler starts, only the deadline ends the call.
//
// The interval is at least 100 ms and at most a day. Servers of other implementations may
// ignore the option. The option has no effect on notifications, or with [ReplyDirect].
func WithLiveness(d time.Duration) SendOption {
	return sendOption(func(c *sendConfig) { c.liveness = within(protocol.MinHeartbeat, d, protocol.MaxHeartbeat) })
}

// WithPriority sets the priority of the request in its queue, from 1 to 255. The default is
// 0, no priority. The priority has an effect only on queues with [Queue.MaxPriority] and on
// quorum queues. Quorum queues have two priorities: up to 4, and above. For a request with
// a priority, [Request.QueueTime] is not known.
func WithPriority(p uint8) CallOption {
	return callOption(func(c *callConfig) { c.priority = p })
}

// WithHeader adds name and value to the metadata of the request.
func WithHeader(name, value string) CallOption {
	return callOption(func(c *callConfig) {
		if c.header == nil {
			c.header = Header{}
		}
		c.header[name] = value
	})
}

// WithReplyHeader sets *dst to the metadata of the reply when the call ends. This is so for
// a result and for an error of the server.
func WithReplyHeader(dst *Header) CallOption {
	return callOption(func(c *callConfig) { c.replyHeader = dst })
}

// WithCallID sets the ID of the call, which servers see as [Request.ID]. If the same call
// is made again, even by another process, servers recognise it by this ID. The ID has at
// most 255 bytes. By default each call gets a new ID.
func WithCallID(id string) CallOption {
	return callOption(func(c *callConfig) { c.id = id })
}

// WithBounce makes the broker return dropped requests to the client. If a queue with
// [Queue.Bounce] drops a request, its call then fails at once. The code is
// deadline_exceeded if the request expired in the queue, resource_exhausted if a full queue
// dropped it, and aborted if it was rejected or delivered too often. The outcome is
// unknown, because the request may have been delivered before. WithBounce needs a reply
// queue, and cannot be combined with [ReplyDirect].
func WithBounce() ClientOption {
	return clientOption(func(c *clientConfig) { c.bounce = true })
}
