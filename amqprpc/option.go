package amqprpc

import "sync"

// Options are sealed: each implements exactly the interfaces below for which it
// means something, so that one in the wrong place does not compile.
type (
	// ServerOption configures [NewServer]. For the connection these are
	// [WithAcceptedEncodings], [WithBrokers], [WithConnectionName], [WithDialer], [WithHeartbeat],
	// [WithLogger], [WithMaxMessageSize], [WithMinCompressSize], [WithStateCallback], [WithTLS] and
	// [WithoutControl]. For all
	// handlers of the server they are [WithAcceptedCodecs], [WithCalleeCodes] and
	// [WithMiddleware]. For the server itself they are [WithAllowedReplyTo],
	// [WithClockSkew] and [WithDrainTimeout].
	ServerOption interface{ applyServer(*serverConfig) }
	// HandlerOption configures [Register]: [WithAcceptedCodecs], [WithAtMostOnce],
	// [WithCalleeCodes], [WithConcurrency], [WithHandlerTimeout], [WithMaxDeliveries],
	// [WithMiddleware], [WithPrefetch] and [WithQueue].
	HandlerOption interface{ applyHandler(*handlerConfig) }
	// ClientOption configures [NewClient] and [Dial]. For the connection these are
	// [WithAcceptedEncodings], [WithBrokers], [WithConnectionName], [WithDialer], [WithHeartbeat],
	// [WithLogger], [WithMaxMessageSize], [WithMinCompressSize], [WithStateCallback], [WithTLS] and
	// [WithoutControl]. For all
	// calls of the client they are [WithCodec], [WithCompression], [WithFailFast], [WithIdempotent],
	// [WithLiveness], [WithMiddleware], [WithPersistent], and
	// [WithTimeout]. For the client itself they are [WithBounce], [WithMaxPending],
	// [WithReplyMode], [WithReplyQueueExpiry], [WithUserID] and [WithoutConfirms].
	ClientOption interface{ applyClient(*clientConfig) }
	// CallOption configures one [Call], [Go] or [Notify], or all calls of
	// [Client.With]: [WithCallID], [WithCodec], [WithCompression], [WithExpiration], [WithFailFast],
	// [WithHeader], [WithIdempotent], [WithLiveness], [WithMiddleware],
	// [WithPersistent], [WithPriority], [WithReplyHeader] and
	// [WithTimeout].
	CallOption interface{ applyCall(*callConfig) }

	// ConnOption configures a connection, and so servers and clients.
	ConnOption interface {
		ServerOption
		ClientOption
	}
	// MiddlewareOption is [WithMiddleware], which all four take.
	MiddlewareOption interface {
		ServerOption
		HandlerOption
		ClientOption
		CallOption
	}
	// ServeOption says how requests are answered: all of a server's, or one handler's.
	ServeOption interface {
		ServerOption
		HandlerOption
	}
	// SendOption says how requests are sent: all of a client's, or one call's.
	SendOption interface {
		ClientOption
		CallOption
	}
)

// callConfigs lend callConfig what it hands to options, so that a call has not to keep it.
var callConfigs = sync.Pool{New: func() any { return new(callConfig) }}

// callConfig returns what the options say on top of the client's defaults.
func (c *Client) callConfig(opts []CallOption) (cfg callConfig) {
	if c.defaults != nil {
		cfg = *c.defaults
		cfg.header = cfg.header.clone()
	}
	if len(opts) == 0 {
		return cfg
	}
	lent := callConfigs.Get().(*callConfig)
	*lent = cfg
	for _, o := range opts {
		o.applyCall(lent)
	}
	cfg, *lent = *lent, callConfig{}
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
