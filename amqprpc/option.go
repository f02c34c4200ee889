package amqprpc

import (
	"crypto/tls"
	"log/slog"
	"net"
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
	// CodecsOption is [WithCodecs], for servers and handlers.
	CodecsOption interface {
		ServerOption
		HandlerOption
	}
	// CodecOption is [WithCodec], for clients and calls.
	CodecOption interface {
		ClientOption
		CallOption
	}
	// TimeoutOption is [WithTimeout], for clients, calls and handlers.
	TimeoutOption interface {
		ClientOption
		CallOption
		HandlerOption
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
	dialTimeout           = 30 * time.Second // of Dial where its ctx has no deadline, and of one attempt to connect
)

type connConfig struct {
	logger         *slog.Logger
	tls            *tls.Config
	dial           func(network, addr string) (net.Conn, error)
	name           string
	heartbeat      time.Duration
	maxMessageSize int
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
	middleware  []Middleware
	codecs      []codec.Codec
	concurrency int
	prefetch    int
	queue       Queue
	timeout     time.Duration
}

type clientConfig struct {
	conn         connConfig
	middleware   []Middleware
	codec        codec.Codec
	timeout      time.Duration
	maxPending   int
	replyMode    ReplyMode
	replyExpires time.Duration
	unconfirmed  bool
}

type callConfig struct {
	middleware  []Middleware
	codec       codec.Codec
	timeout     time.Duration
	header      Header
	replyHeader *Header
	id          string
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

// WithCodecs sets which content types a server, or one of its handlers, accepts;
// the first is what a request without a content type is taken for. The default
// is JSON, then MessagePack.
func WithCodecs(cs ...codec.Codec) CodecsOption { return codecsOption(cs) }

type codecOption struct{ codec.Codec }

func (o codecOption) applyClient(c *clientConfig) { c.codec = o.Codec }
func (o codecOption) applyCall(c *callConfig)     { c.codec = o.Codec }

// WithCodec sets the codec of a client's requests, or of one call's. The default
// is JSON. Replies are decoded by their own content type: the request's, JSON or
// MessagePack.
func WithCodec(c codec.Codec) CodecOption { return codecOption{c} }

type timeoutOption time.Duration

func (o timeoutOption) applyHandler(c *handlerConfig) { c.timeout = time.Duration(o) }
func (o timeoutOption) applyClient(c *clientConfig)   { c.timeout = time.Duration(o) }
func (o timeoutOption) applyCall(c *callConfig)       { c.timeout = time.Duration(o) }

// WithTimeout bounds a call: it ends at the earlier of this and its ctx's
// deadline. For a client it is the bound of calls for which neither ctx nor
// option sets one (by default 30 s). For a handler it is an upper bound of its
// running time, counted from its start, whatever the caller allows (by default
// 25 minutes, which is below the 30 after which RabbitMQ takes a consumer for
// stuck). Given to [Notify] it sets the request's deadline, which a notification
// otherwise has not. Values of zero and below leave the default.
func WithTimeout(d time.Duration) TimeoutOption { return timeoutOption(d) }

// WithDrainTimeout bounds how long a server that is told to stop waits for the
// handlers that run and for the requests that it has prefetched; then handlers
// are cancelled and the rest is handed back to the queue. The default is 20 s.
func WithDrainTimeout(d time.Duration) ServerOption {
	return serverOption(func(c *serverConfig) { c.drainTimeout = d })
}

// WithClockSkew sets by how much the clocks of callers may differ from the
// server's before deadlines are misjudged. The default is 1 s.
func WithClockSkew(d time.Duration) ServerOption {
	return serverOption(func(c *serverConfig) { c.clockSkew = d })
}

// WithReplyTo allows reply queues whose names match one of the patterns, in
// path.Match's syntax, besides those that are always allowed: amqprpc's own
// (amqprpc.reply.*), the broker's (amq.gen-*) and direct reply-to. A request
// whose reply_to is not allowed is rejected unexecuted and unanswered, since
// answering it would let any caller write into any queue.
func WithReplyTo(patterns ...string) ServerOption {
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
// all handlers busy, more wait here while another server may be idle. Values
// below 1 leave the default.
func WithPrefetch(n int) HandlerOption {
	return handlerOption(func(c *handlerConfig) { c.prefetch = n })
}

// WithQueue sets how the queue is declared.
func WithQueue(q Queue) HandlerOption {
	return handlerOption(func(c *handlerConfig) { c.queue = q })
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
