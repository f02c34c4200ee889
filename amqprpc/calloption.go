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
// JSON. Replies are decoded by their own content type: that of the request, JSON or
// MessagePack.
func WithCodec(c codec.Codec) SendOption { return codecOption{c} }

type timeoutOption time.Duration

func (o timeoutOption) applyClient(c *clientConfig) { c.timeout = within(0, time.Duration(o), forever) }
func (o timeoutOption) applyCall(c *callConfig)     { c.timeout = within(0, time.Duration(o), forever) }

// WithTimeout bounds a call: the call ends at this bound or at the deadline of its ctx,
// whichever comes first. For a client, it bounds calls that have neither a deadline nor this
// option; the default is 30 s. It bounds [Notify], but not the request that Notify sends: see
// [WithExpiration]. Values of zero and below leave the default.
//
// All options take durations of more than ten years for ten years, which is the most that
// RabbitMQ allows.
func WithTimeout(d time.Duration) SendOption { return timeoutOption(d) }

// WithExpiration sets the deadline of a notification's request, which has none by default.
// A request that no handler has begun by then is dropped. The time begins with [Notify].
// The option means nothing for calls, whose requests expire with the call. Values of zero and
// below leave the request without a deadline.
func WithExpiration(d time.Duration) CallOption {
	return callOption(func(c *callConfig) { c.expiration = within(0, d, forever) })
}

// WithMaxPending bounds a client's calls in flight. One call more is resource_exhausted, not
// sent. The default is 65,536. Values below 1 leave the default.
func WithMaxPending(n int) ClientOption {
	return clientOption(func(c *clientConfig) {
		if n > 0 {
			c.maxPending = n
		}
	})
}

// WithoutConfirms makes a client publish its calls without publisher confirms. Calls are
// somewhat faster. After a lost connection, a request that never reached the broker ends
// only at its deadline. Notifications are confirmed all the same.
func WithoutConfirms() ClientOption {
	return clientOption(func(c *clientConfig) { c.unconfirmed = true })
}

// WithIdempotent says that a handler may run more than once for a call. The client then
// sends the request again, under the same call ID, where it would fail the call with an
// unknown outcome: the connection was lost before the broker confirmed the request, the
// reply queue was lost, the broker has restarted, or the server sends no heartbeats any more
// ([WithLiveness]).
func WithIdempotent() SendOption {
	return sendOption(func(c *sendConfig) { c.idempotent = true })
}

// WithFailFast makes a call fail at once, unavailable and not sent, if the client has no
// connection or nobody consumes the queue. Before each call the client asks the broker, which
// costs a round trip. If the user may not ask (RabbitMQ 4.3 requires a permission on the
// queue), the call is made as usual.
func WithFailFast() SendOption {
	return sendOption(func(c *sendConfig) { c.failFast = true })
}

// WithPersistent makes the broker write the request to disk. On a durable queue the request
// then survives a restart of the broker, and a handler may find its caller gone. The default
// is transient, which is faster.
func WithPersistent() SendOption {
	return sendOption(func(c *sendConfig) { c.persistent = true })
}

// WithLiveness makes the server send a heartbeat every d while the handler runs. If no
// heartbeat comes for three intervals, the call fails, unavailable and of unknown outcome, or
// is sent again if it is [WithIdempotent]. So a call may have a long deadline, and its caller
// learns within seconds that the server died. Before the handler starts, only the deadline
// counts. The interval is at least 100 ms and at most a day. Servers other than amqprpc's may
// ignore the option. It means nothing for notifications, nor with [ReplyDirect].
func WithLiveness(d time.Duration) SendOption {
	return sendOption(func(c *sendConfig) { c.liveness = within(protocol.MinHeartbeat, d, protocol.MaxHeartbeat) })
}

// WithPriority sets the priority of the request in its queue, from 1 to 255. The default is
// 0, no priority. It counts on queues with [Queue.MaxPriority]. Quorum queues distinguish only
// priorities above 4 from the others. A server estimates no [Request.QueueTime] for a request
// with a priority.
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

// WithReplyHeader makes the call fill dst with the metadata of the reply when the call ends,
// with a result or with a server's error.
func WithReplyHeader(dst *Header) CallOption {
	return callOption(func(c *callConfig) { c.replyHeader = dst })
}

// WithCallID sets the call's ID, which servers see as [Request.ID]. By this key they recognise
// a call that is made again, even by another process. The ID has at most 255 bytes. The default
// is a fresh one.
func WithCallID(id string) CallOption {
	return callOption(func(c *callConfig) { c.id = id })
}

// WithBounce lets requests come back that a queue with [Queue.Bounce] cannot keep. A request
// that expired in the queue is deadline_exceeded. One that was dropped from a full queue is
// resource_exhausted. One that was rejected or delivered too often is aborted. The outcome is
// unknown, since the request may have been delivered before. The option needs a reply queue,
// so that it cannot be combined with [ReplyDirect].
func WithBounce() ClientOption {
	return clientOption(func(c *clientConfig) { c.bounce = true })
}
