package amqprpc

import (
	"time"

	"github.com/bbebcec1/amqprpc-go/codec"
)

type codecsOption []codec.Codec

func (o codecsOption) applyServer(c *serverConfig)   { c.codecs = o }
func (o codecsOption) applyHandler(c *handlerConfig) { c.codecs = o }

// WithAcceptedCodecs sets the content types that a server, or one of its handlers, accepts.
// A request without a content type is decoded with the first codec. The default is JSON and
// MessagePack, in this order.
func WithAcceptedCodecs(cs ...codec.Codec) ServeOption { return codecsOption(cs) }

type calleeCodesOption []Code

func (o calleeCodesOption) applyServer(c *serverConfig) { c.calleeCodes = append(c.calleeCodes, o...) }
func (o calleeCodesOption) applyHandler(c *handlerConfig) {
	c.calleeCodes = append(c.calleeCodes, o...)
}

// WithCalleeCodes says which errors of other services a handler passes on. If a handler
// makes a call, gets an error with one of these codes and returns it, its own caller gets
// this error with its message and details. Without the option, the caller gets internal,
// because it knows nothing of the other service. To pass on a single error, wrap it with
// [NewError]. The codes of a server also apply to its handlers.
func WithCalleeCodes(codes ...Code) ServeOption { return calleeCodesOption(codes) }

// WithHandlerTimeout limits how long a handler may run, even if the caller's deadline is
// later. The default is 25 minutes, because RabbitMQ closes the channel of a consumer after
// 30 minutes (https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout). The time
// begins when a worker takes the request, and includes middleware. Values of zero and below
// leave the default.
func WithHandlerTimeout(d time.Duration) HandlerOption {
	return handlerOption(func(c *handlerConfig) { c.timeout = within(0, d, forever) })
}

// WithDrainTimeout limits how long a server that stops waits for its handlers, and for the
// requests that it has prefetched. After that, the server ends the contexts of the
// handlers, and hands their requests back to the queue. The default is 20 s.
func WithDrainTimeout(d time.Duration) ServerOption {
	return serverOption(func(c *serverConfig) { c.drainTimeout = within(0, d, forever) })
}

// WithClockSkew sets how much the clocks of callers may differ from the server's clock. The
// default is 1 s. If they differ by more, the server may start a request after its
// deadline, or refuse it before. The server estimates [Request.QueueTime] even then.
func WithClockSkew(d time.Duration) ServerOption {
	return serverOption(func(c *serverConfig) { c.clockSkew = within(0, d, forever) })
}

// WithAllowedReplyTo allows reply queues whose names match one of the patterns, in the
// syntax of [path.Match]. Three kinds are always allowed: the reply queues of this module
// (amqprpc.reply.*), queues that the broker named (amq.gen-*), and direct reply-to. A
// request with any other reply_to is rejected. No handler runs, and no reply is sent,
// because a reply would let any caller write into any queue.
func WithAllowedReplyTo(patterns ...string) ServerOption {
	return serverOption(func(c *serverConfig) { c.replyTo = append(c.replyTo, patterns...) })
}

// WithConcurrency limits how many handlers of this queue run at once in this server. The
// default is 128. Values below 1 leave the default.
func WithConcurrency(n int) HandlerOption {
	return handlerOption(func(c *handlerConfig) {
		if n > 0 {
			c.concurrency = n
		}
	})
}

// WithPrefetch sets how many unacknowledged requests the broker sends ahead (basic.qos, for
// each consumer). The default is the concurrency. With a smaller prefetch, some handlers
// are idle. With a larger one, requests wait in this server while another server may be
// idle. Values below 1 leave the default. The maximum is 65,535.
func WithPrefetch(n int) HandlerOption {
	return handlerOption(func(c *handlerConfig) { c.prefetch = n })
}

// WithQueue sets how the queue is declared.
func WithQueue(q Queue) HandlerOption {
	return handlerOption(func(c *handlerConfig) { c.queue = q })
}

// WithAtMostOnce acknowledges a request when its handler starts, instead of after the
// reply. For one attempt, the handler runs once or not at all, and never twice. A
// redelivered request gets the code aborted, because the handler may have run. If the
// connection is lost, the handler goes on, and the server sends the answer on the next
// connection. Do not combine WithAtMostOnce with callers that use [WithIdempotent].
func WithAtMostOnce() HandlerOption {
	return handlerOption(func(c *handlerConfig) { c.atMostOnce = true })
}

// WithMaxDeliveries limits how often a request is delivered. If a request was delivered n
// times without an answer, it may have killed its servers. A server then refuses it with
// aborted, and it goes to the queue's dead-letter exchange, if there is one. The default is
// 3. With values below 1 there is no limit.
//
// On a queue declared with Type "quorum" the broker counts the deliveries. On other queues
// the server counts: it moves a redelivered request to the end of the queue, with its
// count. The server does not count on a queue with a length limit, because the moved
// request could push out another one. If a server is killed, one delivery of every request
// that it had prefetched is counted.
func WithMaxDeliveries(n int) HandlerOption {
	return handlerOption(func(c *handlerConfig) { c.maxDeliveries = n })
}
