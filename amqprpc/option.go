package amqprpc

import (
	"crypto/tls"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/codec"
)

// Options are sealed: each implements exactly the interfaces below for which it
// means something, so that one in the wrong place does not compile.
type (
	// ServerOption configures [NewServer].
	ServerOption interface{ applyServer(*serverConfig) }
	// HandlerOption configures [Register].
	HandlerOption interface{ applyHandler(*handlerConfig) }
	// ClientOption configures [Dial].
	ClientOption interface{ applyClient(*clientConfig) }
	// CallOption configures one [Call], [Go] or [Notify].
	CallOption interface{ applyCall(*callConfig) }

	// ConnOption configures a connection, and so servers and clients.
	ConnOption interface {
		ServerOption
		ClientOption
	}
	// MiddlewareOption is [WithMiddleware], which goes everywhere.
	MiddlewareOption interface {
		ServerOption
		HandlerOption
		ClientOption
		CallOption
	}
	// CodecsOption is [WithAcceptedCodecs], for servers and handlers.
	CodecsOption interface {
		ServerOption
		HandlerOption
	}
	// SendOption says how requests are sent: all of a client's, or one call's.
	SendOption interface {
		ClientOption
		CallOption
	}
)

// The defaults, in one place.
const (
	defaultCallTimeout    = 30 * time.Second // of a call whose ctx has no deadline
	defaultHandlerTimeout = 25 * time.Minute // below RabbitMQ's consumer_timeout of 30 minutes
	defaultDrainTimeout   = 20 * time.Second
	defaultClockSkew      = time.Second
	defaultConcurrency    = 128
	defaultMaxMessageSize = 16 << 20 // RabbitMQ's own max_message_size from 4.0
	defaultMaxPending     = 1 << 16
	defaultHeartbeat      = 5 * time.Second
	defaultReplyExpires   = time.Minute
	defaultMaxDeliveries  = 3
	maxPrefetch           = 1<<16 - 1        // AMQP 0-9-1, basic.qos: a short integer
	dialTimeout           = 30 * time.Second // of Dial where its ctx has no deadline
	connectTimeout        = 10 * time.Second // of one attempt to connect, and of setting up what is used on the connection
	closePatience         = 5 * time.Second  // of Close
	minLiveness           = 100 * time.Millisecond
)

type connConfig struct {
	logger         *slog.Logger
	brokers        []string
	onState        func(State)
	tls            *tls.Config
	dial           func(network, addr string) (net.Conn, error)
	name           string
	heartbeat      time.Duration
	maxMessageSize int
	withoutControl bool
}

func newConnConfig() connConfig {
	return connConfig{logger: slog.Default(), heartbeat: defaultHeartbeat, maxMessageSize: defaultMaxMessageSize}
}

type serverConfig struct {
	conn         connConfig
	middleware   []Middleware
	codecs       []codec.Codec
	drainTimeout time.Duration
	clockSkew    time.Duration
	replyTo      []string
}

type handlerConfig struct {
	middleware    []Middleware
	codecs        []codec.Codec
	concurrency   int
	prefetch      int
	queue         Queue
	timeout       time.Duration
	atMostOnce    bool
	maxDeliveries int
}

type clientConfig struct {
	conn         connConfig
	middleware   []Middleware
	codec        codec.Codec
	timeout      time.Duration
	send         sendConfig
	maxPending   int
	replyMode    ReplyMode
	replyExpires time.Duration
	unconfirmed  bool
	bounce       bool
}

// sendConfig is what clients and calls can both say of how requests are sent;
// what either says counts.
type sendConfig struct {
	idempotent bool
	failFast   bool
	persistent bool
	liveness   time.Duration
}

// with returns what c and o say together.
func (c sendConfig) with(o sendConfig) sendConfig {
	c.idempotent = c.idempotent || o.idempotent
	c.failFast = c.failFast || o.failFast
	c.persistent = c.persistent || o.persistent
	if o.liveness > 0 {
		c.liveness = o.liveness
	}
	return c
}

type callConfig struct {
	middleware  []Middleware
	codec       codec.Codec
	timeout     time.Duration
	expiration  time.Duration // of a notification's request
	send        sendConfig
	header      Header
	replyHeader *Header
	id          string
}

// callConfigs lend callConfigOf what it hands to options, so that a call has not to keep it.
var callConfigs = sync.Pool{New: func() any { return new(callConfig) }}

// callConfigOf returns what the options say.
func callConfigOf(opts []CallOption) (cfg callConfig) {
	if len(opts) == 0 {
		return cfg
	}
	lent := callConfigs.Get().(*callConfig)
	for _, o := range opts {
		o.applyCall(lent)
	}
	cfg, *lent = *lent, cfg
	callConfigs.Put(lent)
	return cfg
}

type connOption func(*connConfig)

func (o connOption) applyServer(c *serverConfig) { o(&c.conn) }
func (o connOption) applyClient(c *clientConfig) { o(&c.conn) }

type serverOption func(*serverConfig)

func (o serverOption) applyServer(c *serverConfig) { o(c) }

type handlerOption func(*handlerConfig)

func (o handlerOption) applyHandler(c *handlerConfig) { o(c) }

type clientOption func(*clientConfig)

func (o clientOption) applyClient(c *clientConfig) { o(c) }

type sendOption func(*sendConfig)

func (o sendOption) applyClient(c *clientConfig) { o(&c.send) }
func (o sendOption) applyCall(c *callConfig)     { o(&c.send) }

type callOption func(*callConfig)

func (o callOption) applyCall(c *callConfig) { o(c) }

type middlewareOption []Middleware

func (o middlewareOption) applyServer(c *serverConfig)   { c.middleware = append(c.middleware, o...) }
func (o middlewareOption) applyHandler(c *handlerConfig) { c.middleware = append(c.middleware, o...) }
func (o middlewareOption) applyClient(c *clientConfig)   { c.middleware = append(c.middleware, o...) }
func (o middlewareOption) applyCall(c *callConfig)       { c.middleware = append(c.middleware, o...) }

// WithMiddleware adds middleware, the first outermost. Given several times it
// adds up.
func WithMiddleware(mw ...Middleware) MiddlewareOption { return middlewareOption(mw) }

// WithLogger sets where a server or client logs: lost connections and
// reconnections, panics of handlers with their stacks, refused requests. The
// default is slog.Default() as it is when the server or client is made; nil
// means no logging. Credentials and direct reply-to addresses are never logged.
func WithLogger(l *slog.Logger) ConnOption {
	if l == nil {
		l = slog.New(slog.DiscardHandler)
	}
	return connOption(func(c *connConfig) { c.logger = l })
}

// WithTLS sets the TLS configuration of an amqps:// URL. It is cloned for each
// connection; without a ServerName the URL's host is expected.
func WithTLS(cfg *tls.Config) ConnOption {
	return connOption(func(c *connConfig) { c.tls = cfg })
}

// WithDialer replaces the TCP dialer. The connection that dial returns must
// support deadlines.
func WithDialer(dial func(network, addr string) (net.Conn, error)) ConnOption {
	return connOption(func(c *connConfig) { c.dial = dial })
}

// WithConnectionName sets the name under which the broker lists the connection.
// The default is the program's name and the role.
func WithConnectionName(name string) ConnOption {
	return connOption(func(c *connConfig) { c.name = name })
}

// WithBrokers adds further brokers, the other nodes of a cluster, by their URLs;
// when one cannot be reached the next is tried.
func WithBrokers(urls ...string) ConnOption {
	return connOption(func(c *connConfig) { c.brokers = append(c.brokers, urls...) })
}

// WithHeartbeat sets the heartbeat that is asked of the broker; the smaller of
// both sides' counts. A dead peer is noticed after one and a half of it. The
// default is 5 s; it is rounded down to whole seconds, and at least 1 s.
func WithHeartbeat(d time.Duration) ConnOption {
	return connOption(func(c *connConfig) { c.heartbeat = max(d, time.Second) })
}

// WithMaxMessageSize bounds the bodies of requests and replies, in bytes, in
// both directions; beyond it is resource_exhausted. The default is 16 MiB, the
// default limit of RabbitMQ 4: a larger one wants the broker's max_message_size
// raised as well. Values below 1 leave the default.
func WithMaxMessageSize(bytes int) ConnOption {
	return connOption(func(c *connConfig) {
		if bytes > 0 {
			c.maxMessageSize = bytes
		}
	})
}

type codecsOption []codec.Codec

func (o codecsOption) applyServer(c *serverConfig)   { c.codecs = o }
func (o codecsOption) applyHandler(c *handlerConfig) { c.codecs = o }

// WithAcceptedCodecs sets which content types a server, or one of its handlers, accepts;
// the first is what a request without a content type is taken for. The default
// is JSON, then MessagePack.
func WithAcceptedCodecs(cs ...codec.Codec) CodecsOption { return codecsOption(cs) }

type codecOption struct{ codec.Codec }

func (o codecOption) applyClient(c *clientConfig) { c.codec = o.Codec }
func (o codecOption) applyCall(c *callConfig)     { c.codec = o.Codec }

// WithCodec sets the codec of a client's requests, or of one call's. The default
// is JSON. Replies are decoded by their own content type: the request's, JSON or
// MessagePack.
func WithCodec(c codec.Codec) SendOption { return codecOption{c} }

type timeoutOption time.Duration

func (o timeoutOption) applyClient(c *clientConfig) { c.timeout = time.Duration(o) }
func (o timeoutOption) applyCall(c *callConfig)     { c.timeout = time.Duration(o) }

// WithTimeout bounds a call: the call ends at the earlier of this and its ctx's
// deadline. For a client it is the bound of calls for which neither ctx nor option
// sets one, by default 30 s. It bounds [Notify], and not the request that Notify
// sends: see [WithExpiration]. Values of zero and below leave the default.
func WithTimeout(d time.Duration) SendOption { return timeoutOption(d) }

// WithExpiration sets the deadline of a notification's request, which otherwise has
// none: a request that no handler has begun by then is dropped. It counts from the
// start of [Notify]. It means nothing for calls, whose requests expire with the call.
// Values of zero and below leave the request without a deadline.
func WithExpiration(d time.Duration) CallOption {
	return callOption(func(c *callConfig) { c.expiration = d })
}

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
// delivered; those that a living server lost with a channel before it started them do
// not, when they come to it again.
func WithMaxDeliveries(n int) HandlerOption {
	return handlerOption(func(c *handlerConfig) { c.maxDeliveries = n })
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
// connection is lost before the broker has confirmed the request, when its reply queue
// dies, when a restart of the broker has lost the request, or when the server falls
// silent ([WithLiveness]), the client sends it again, under the same call id, instead
// of failing the call with an unknown outcome.
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
// queue it survives the broker's restart, and the call goes on waiting; a handler may
// then find its caller gone. The default is transient, which is faster; a restart
// then ends the call, or has it sent again ([WithIdempotent]).
func WithPersistent() SendOption {
	return sendOption(func(c *sendConfig) { c.persistent = true })
}

// WithLiveness makes the server tell, every d from the handler's start on, that
// the handler still runs, and fails the call, unavailable and of unknown outcome,
// when nothing is heard for three times d, or three times what the server has announced
// instead. An idempotent call is sent again. So a call may have a long deadline and
// its caller still learn within seconds that the server died. Before the handler
// starts only the deadline counts. At least 100 ms; servers other than amqprpc's
// ignore it. It means nothing for notifications.
func WithLiveness(d time.Duration) SendOption {
	return sendOption(func(c *sendConfig) { c.liveness = max(d, minLiveness) })
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
