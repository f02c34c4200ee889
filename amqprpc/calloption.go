package amqprpc

import (
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
	"github.com/bbebcec1/amqprpc-go/codec"
)

type codecOption struct{ codec.Codec }

func (o codecOption) applyClient(c *clientConfig) { c.codec = o.Codec }
func (o codecOption) applyCall(c *callConfig)     { c.codec = o.Codec }

// WithCodec sets the codec of a client's requests, or of one call's. The default
// is JSON. Replies are decoded by their own content type: the request's, JSON or
// MessagePack.
func WithCodec(c codec.Codec) SendOption { return codecOption{c} }

type timeoutOption time.Duration

func (o timeoutOption) applyClient(c *clientConfig) { c.timeout = within(0, time.Duration(o), forever) }
func (o timeoutOption) applyCall(c *callConfig)     { c.timeout = within(0, time.Duration(o), forever) }

// WithTimeout bounds a call: the call ends at the earlier of this and its ctx's
// deadline. For a client it is the bound of calls for which neither ctx nor option
// sets one, by default 30 s. It bounds [Notify], and not the request that Notify
// sends: see [WithExpiration]. Values of zero and below leave the default.
// Durations of more than ten years, here and in other options, are taken for ten years:
// RabbitMQ allows no longer ones.
func WithTimeout(d time.Duration) SendOption { return timeoutOption(d) }

// WithExpiration sets the deadline of a notification's request, which otherwise has
// none: a request that no handler has begun by then is dropped. It counts from the
// start of [Notify]. It means nothing for calls, whose requests expire with the call.
// Values of zero and below leave the request without a deadline.
func WithExpiration(d time.Duration) CallOption {
	return callOption(func(c *callConfig) { c.expiration = within(0, d, forever) })
}

// WithMaxPending bounds a client's calls in flight; one more is
// resource_exhausted, not sent. The default is 65,536. Values below 1 leave it.
func WithMaxPending(n int) ClientOption {
	return clientOption(func(c *clientConfig) {
		if n > 0 {
			c.maxPending = n
		}
	})
}

// WithoutConfirms makes a client publish its calls without publisher confirms:
// somewhat faster, but after a lost connection a request that never reached the
// broker ends only at its deadline. Notifications are confirmed regardless.
func WithoutConfirms() ClientOption {
	return clientOption(func(c *clientConfig) { c.unconfirmed = true })
}

// WithIdempotent says that a handler may run more than once for a call: when the
// connection is lost before the broker has confirmed the request, or while its
// reply queue dies, the client sends it again, under the same call id, instead of
// failing the call with an unknown outcome.
func WithIdempotent() SendOption {
	return sendOption(func(c *sendConfig) { c.idempotent = true })
}

// WithFailFast makes a call fail at once, unavailable and not sent, where
// otherwise it would wait: while the client has no connection, and when the queue
// has no consumer, which costs a round trip to the broker before each call. Where
// the user may not ask (RabbitMQ 4.3 wants the configure permission) the call is
// made as usual.
func WithFailFast() SendOption {
	return sendOption(func(c *sendConfig) { c.failFast = true })
}

// WithPersistent makes the broker write the request to disk, so that on a durable
// queue it survives the broker's restart; a handler may then find its caller
// gone. The default is transient, which is faster.
func WithPersistent() SendOption {
	return sendOption(func(c *sendConfig) { c.persistent = true })
}

// WithLiveness makes the server tell, every d from the handler's start on, that
// the handler still runs, and fails the call, unavailable and of unknown outcome,
// when nothing is heard for three times d. So a call may have a long deadline and
// its caller still learn within seconds that the server died. Before the handler
// starts only the deadline counts. At least 100 ms and at most a day; servers other than
// amqprpc's ignore it. It means nothing for notifications, nor with [ReplyDirect].
func WithLiveness(d time.Duration) SendOption {
	return sendOption(func(c *sendConfig) { c.liveness = within(protocol.MinHeartbeat, d, protocol.MaxHeartbeat) })
}

// WithPriority sets the priority of the request in its queue, from 1 to 255; 0, the
// default, is none. It counts on queues with [Queue.MaxPriority], and on quorum queues,
// which tell those above 4 from the others. A server estimates no [Request.QueueTime]
// for a request with a priority.
func WithPriority(p uint8) CallOption {
	return callOption(func(c *callConfig) { c.priority = p })
}

// WithHeader sends name with value beside the request.
func WithHeader(name, value string) CallOption {
	return callOption(func(c *callConfig) {
		if c.header == nil {
			c.header = Header{}
		}
		c.header[name] = value
	})
}

// WithReplyHeader makes the call fill dst with the reply's metadata when it
// ends, with a result or with a server's error.
func WithReplyHeader(dst *Header) CallOption {
	return callOption(func(c *callConfig) { c.replyHeader = dst })
}

// WithCallID sets the call's id, which servers see as [Request.ID]: the key by
// which they may recognise a call that is made again, even by another process.
// At most 255 bytes; the default is a fresh one.
func WithCallID(id string) CallOption {
	return callOption(func(c *callConfig) { c.id = id })
}

// WithBounce lets requests that a queue with [Queue.Bounce] cannot keep come back,
// as errors: deadline_exceeded for one that expired in the queue, resource_exhausted
// for one that was dropped from a full queue, aborted for one that was rejected or
// delivered too often. The outcome is unknown: what came back may have been
// delivered before. It needs a reply queue, and so does not go together with
// [ReplyDirect].
func WithBounce() ClientOption {
	return clientOption(func(c *clientConfig) { c.bounce = true })
}
