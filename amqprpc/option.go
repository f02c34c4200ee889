package amqprpc

import "sync"

// Options are sealed: each implements exactly the interfaces below for which it
// means something, so that one in the wrong place does not compile.
type (
	// ServerOption configures [NewServer].
	//
	// Options for the connection: [WithAcceptedEncodings], [WithBrokers],
	// [WithConnectionName], [WithDialer], [WithHeartbeat], [WithLogger],
	// [WithMaxMessageSize], [WithMinCompressSize], [WithStallLimit], [WithStateCallback],
	// [WithStreamMemory], [WithTLS], [WithWindow] and [WithoutControl].
	//
	// Options for all handlers of the server: [WithAcceptedCodecs], [WithCalleeCodes] and
	// [WithMiddleware].
	//
	// Options for the server itself: [WithAllowedReplyTo], [WithClockSkew],
	// [WithDrainTimeout], [WithSchemas] and [WithService].
	ServerOption interface{ applyServer(*serverConfig) }
	// HandlerOption configures [Register]. The options are [WithAcceptedCodecs],
	// [WithAtMostOnce], [WithBroadcast], [WithCalleeCodes], [WithConcurrency],
	// [WithHandlerTimeout], [WithMaxDeliveries], [WithMaxStreams], [WithMiddleware],
	// [WithPrefetch] and [WithQueue]. Handlers of streams take the same options.
	//
	// Options that describe the method to people: [WithDoc], [WithErrorDetails], [WithErrors],
	// [WithExample] and [WithResponseExample].
	HandlerOption interface{ applyHandler(*handlerConfig) }
	// ClientOption configures [NewClient] and [Dial].
	//
	// Options for the connection: [WithAcceptedEncodings], [WithBrokers],
	// [WithConnectionName], [WithDialer], [WithHeartbeat], [WithLogger],
	// [WithMaxMessageSize], [WithMinCompressSize], [WithStallLimit], [WithStateCallback],
	// [WithStreamMemory], [WithTLS], [WithWindow] and [WithoutControl].
	//
	// Options for all calls of the client: [WithCodec], [WithCompression], [WithFailFast],
	// [WithIdempotent], [WithLiveness], [WithMiddleware], [WithPersistent] and [WithTimeout].
	//
	// Options for the client itself: [WithBounce], [WithMaxPending], [WithReplyMode],
	// [WithReplyQueueExpiry], [WithUserID] and [WithoutConfirms].
	ClientOption interface{ applyClient(*clientConfig) }
	// CallOption configures one [Call], [Go] or [Notify], or all calls of a view
	// ([Client.With]). The options are [WithAcceptWait], [WithCallID], [WithCodec],
	// [WithCompression], [WithExpiration], [WithFailFast], [WithHeader], [WithIdempotent],
	// [WithInstance], [WithLiveness], [WithMiddleware], [WithPersistent], [WithPriority],
	// [WithReplyHeader],
	// [WithTimeout] and [WithTiming].
	CallOption interface{ applyCall(*callConfig) }

	// ConnOption configures a connection. It is an option of servers and of clients.
	ConnOption interface {
		ServerOption
		ClientOption
	}
	// MiddlewareOption is the type of [WithMiddleware], which is an option of servers,
	// handlers, clients and calls.
	MiddlewareOption interface {
		ServerOption
		HandlerOption
		ClientOption
		CallOption
	}
	// ServeOption configures how requests are answered. It is an option of servers and of
	// handlers.
	ServeOption interface {
		ServerOption
		HandlerOption
	}
	// SendOption configures how requests are sent. It is an option of clients and of calls.
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

// WithMiddleware adds middleware. The first one is the outermost. If the option is given
// several times, all middleware is used.
func WithMiddleware(mw ...Middleware) MiddlewareOption { return middlewareOption(mw) }
