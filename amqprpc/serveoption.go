package amqprpc

import (
	"time"

	"github.com/bbebcec1/amqprpc-go/codec"
)

type codecsOption []codec.Codec

func (o codecsOption) applyServer(c *serverConfig)   { c.codecs = o }
func (o codecsOption) applyHandler(c *handlerConfig) { c.codecs = o }

// WithAcceptedCodecs sets which content types a server, or one of its handlers,
// accepts. A request without a content type is decoded with the first codec. The
// default is JSON, then MessagePack.
func WithAcceptedCodecs(cs ...codec.Codec) ServeOption { return codecsOption(cs) }

type calleeCodesOption []Code

func (o calleeCodesOption) applyServer(c *serverConfig) { c.calleeCodes = append(c.calleeCodes, o...) }
func (o calleeCodesOption) applyHandler(c *handlerConfig) {
	c.calleeCodes = append(c.calleeCodes, o...)
}

// WithCalleeCodes passes the errors of calls that a handler makes on to the handler's own
// caller, if they have one of these codes. Their messages and details go with them. Without
// the option such an error is internal to the caller, since the caller has not asked the
// other service for anything. To pass on one error, a handler returns a [NewError] around
// it. The codes of a server and of its handlers add up.
func WithCalleeCodes(codes ...Code) ServeOption { return calleeCodesOption(codes) }

// WithHandlerTimeout bounds the running time of a handler, whatever the caller allows. The
// default is 25 minutes. RabbitMQ closes the channel of a consumer after 30 minutes
// (https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout). The time begins when a
// worker takes the request, and includes middleware. Values of zero and below leave the
// default.
func WithHandlerTimeout(d time.Duration) HandlerOption {
	return handlerOption(func(c *handlerConfig) { c.timeout = within(0, d, forever) })
}

// WithDrainTimeout bounds a drain: how long a server that is told to stop waits for its
// handlers and for the requests that it has prefetched. After that the server cancels the
// handlers and hands their requests back to the queue. The default is 20 s.
func WithDrainTimeout(d time.Duration) ServerOption {
	return serverOption(func(c *serverConfig) { c.drainTimeout = within(0, d, forever) })
}

// WithClockSkew sets by how much the clocks of callers may differ from the server's clock
// before deadlines are misjudged. The default is 1 s. A server estimates the time that a
// request spent in its queue by itself, even if the clocks differ by more.
func WithClockSkew(d time.Duration) ServerOption {
	return serverOption(func(c *serverConfig) { c.clockSkew = within(0, d, forever) })
}

// WithAllowedReplyTo allows reply queues whose names match one of the patterns, in the
// syntax of path.Match. Always allowed are amqprpc's own reply queues (amqprpc.reply.*),
// those that the broker names (amq.gen-*), and direct reply-to. A request with another
// reply_to is rejected, neither executed nor answered: an answer would let any caller write
// into any queue.
func WithAllowedReplyTo(patterns ...string) ServerOption {
	return serverOption(func(c *serverConfig) { c.replyTo = append(c.replyTo, patterns...) })
}

// WithConcurrency bounds the handlers that run at once on this queue, in this server. The
// default is 128. Values below 1 leave the default.
func WithConcurrency(n int) HandlerOption {
	return handlerOption(func(c *handlerConfig) {
		if n > 0 {
			c.concurrency = n
		}
	})
}

// WithPrefetch sets how many unacknowledged requests the broker delivers ahead
// (basic.qos, for each consumer). The default is the concurrency. With fewer, some handlers
// idle. With more, requests wait here while another server may be idle. Values below 1 leave
// the default. The most is 65,535.
func WithPrefetch(n int) HandlerOption {
	return handlerOption(func(c *handlerConfig) { c.prefetch = n })
}

// WithQueue sets how the queue is declared.
func WithQueue(q Queue) HandlerOption {
	return handlerOption(func(c *handlerConfig) { c.queue = q })
}

// WithAtMostOnce acknowledges a request when its handler starts, instead of after the
// reply. The handler may not run, and it never runs twice for one attempt. A redelivered
// request is answered aborted, since it may have run. The handler outlives the connection
// of its request, and its answer goes out on the next connection. Do not combine the option
// with callers that use [WithIdempotent].
func WithAtMostOnce() HandlerOption {
	return handlerOption(func(c *handlerConfig) { c.atMostOnce = true })
}

// WithMaxDeliveries bounds how often a request is delivered. A request that was delivered
// n times without an answer may have killed its servers. It is refused with aborted, and
// dead-lettered if the queue has somewhere for dead letters. The default is 3. Below 1 there
// is no bound.
//
// On a queue declared with Type "quorum" the broker counts the deliveries. On other queues
// the server counts: it publishes a redelivered request to the queue's tail, with its count.
// The server does not count on a queue with a length limit, where the copy might push out
// another request. All requests that a server had prefetched when it died count as
// delivered.
func WithMaxDeliveries(n int) HandlerOption {
	return handlerOption(func(c *handlerConfig) { c.maxDeliveries = n })
}
