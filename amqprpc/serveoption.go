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

// WithCalleeCodes lets errors of calls that a handler makes, and returns as they are or
// wrapped, reach the handler's own caller with these codes, and with their messages and
// details. An error with another code is internal to the caller: what one service may
// not do at another is nothing that the caller has asked for. For one error a handler
// says the same with [NewError] around it. Codes of a server and of its handlers add
// up.
func WithCalleeCodes(codes ...Code) ServeOption { return calleeCodesOption(codes) }

// WithHandlerTimeout bounds a handler's running time, whatever the caller allows. The
// default is 25 minutes, below the 30 after which RabbitMQ takes a consumer for stuck
// (https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout). The time counts
// from when a worker takes the request, and middleware is part of it. Values of zero
// and below leave the default.
func WithHandlerTimeout(d time.Duration) HandlerOption {
	return handlerOption(func(c *handlerConfig) { c.timeout = d })
}

// WithDrainTimeout bounds how long a server that is told to stop waits for the
// handlers that run and for the requests that it has prefetched; then handlers
// are cancelled and the rest is handed back to the queue. The default is 20 s.
func WithDrainTimeout(d time.Duration) ServerOption {
	return serverOption(func(c *serverConfig) { c.drainTimeout = d })
}

// WithClockSkew sets by how much the clocks of callers may differ from the
// server's before deadlines are misjudged. The default is 1 s. How long a request
// was in its queue a server finds out by itself, whatever the clocks say; where they
// are known to agree, a small value here tells it so from the first request on.
func WithClockSkew(d time.Duration) ServerOption {
	return serverOption(func(c *serverConfig) { c.clockSkew = d })
}

// WithAllowedReplyTo allows reply queues whose names match one of the patterns, in
// path.Match's syntax, besides those that are always allowed: amqprpc's own
// (amqprpc.reply.*), the broker's (amq.gen-*) and direct reply-to. A request
// whose reply_to is not allowed is rejected unexecuted and unanswered, since
// answering it would let any caller write into any queue.
func WithAllowedReplyTo(patterns ...string) ServerOption {
	return serverOption(func(c *serverConfig) { c.replyTo = append(c.replyTo, patterns...) })
}

// WithConcurrency bounds the handlers in flight on this queue, in this server.
// The default is 128. Values below 1 leave the default.
func WithConcurrency(n int) HandlerOption {
	return handlerOption(func(c *handlerConfig) {
		if n > 0 {
			c.concurrency = n
		}
	})
}

// WithPrefetch sets how many unacknowledged requests the broker sends ahead
// (basic.qos, per consumer). The default is the concurrency: fewer cannot keep
// all handlers busy, more wait here while another server may be idle. Requests
// that take much longer than the rest are not counted once the queue is consumed
// over another channel for them. Values below 1 leave the default; the most is
// 65,535.
func WithPrefetch(n int) HandlerOption {
	return handlerOption(func(c *handlerConfig) { c.prefetch = n })
}

// WithQueue sets how the queue is declared.
func WithQueue(q Queue) HandlerOption {
	return handlerOption(func(c *handlerConfig) { c.queue = q })
}

// WithAtMostOnce acknowledges a request when its handler starts, instead of after
// the reply: it may not run, and never runs twice for one attempt. A request that
// is delivered again is answered aborted, since it may have run. A handler then
// outlives the connection that its request came on, and answers on the next one.
// It does not go together with callers that use [WithIdempotent].
func WithAtMostOnce() HandlerOption {
	return handlerOption(func(c *handlerConfig) { c.atMostOnce = true })
}

// WithMaxDeliveries bounds how often a request is delivered: one that was
// delivered n times without being answered, as it would be if it killed its
// server each time, is refused, aborted, and dead-lettered if the queue says where
// to. The default is 3; below 1 there is no bound.
//
// On a queue declared with Type "quorum" the broker counts. On others the server
// does: a request that is delivered again goes back to the queue's tail with its
// count, for which the queue must have no length limit (with one, requests are not
// counted). All requests that were prefetched by a server that died count as
// delivered.
func WithMaxDeliveries(n int) HandlerOption {
	return handlerOption(func(c *handlerConfig) { c.maxDeliveries = n })
}
