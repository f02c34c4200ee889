package amqptest

import (
	"crypto/tls"
	"log/slog"
	"time"
)

// Option changes what [NewBroker] starts.
type Option func(*config)

type config struct {
	addr           string
	listen         bool
	users          map[string]string
	ownUsers       bool // users are not the default
	vhosts         []string
	log            *slog.Logger
	channelMax     uint16
	frameMax       uint32
	heartbeat      time.Duration
	maxMessageSize int
	memoryLimit    int64
	follow         Version
	permissions    map[string]*permissions
	consumerLimit  time.Duration
	tls            *tls.Config
	secondAddr     string
	secondTLS      *tls.Config
	loginDelay     time.Duration
	product        string
}

// The limits that RabbitMQ 3.10 proposes, and its greatest message.
const (
	defaultChannelMax    = 2047
	defaultFrameMax      = 131072
	defaultHeartbeat     = 60 * time.Second
	defaultMemoryLimit   = 512 << 20
	defaultConsumerLimit = 30 * time.Minute
)

func newConfig(opts []Option) config {
	cfg := config{
		addr:          "127.0.0.1:0",
		listen:        true,
		users:         map[string]string{"guest": "guest"},
		vhosts:        []string{"/"},
		log:           slog.New(slog.DiscardHandler),
		channelMax:    defaultChannelMax,
		frameMax:      defaultFrameMax,
		heartbeat:     defaultHeartbeat,
		memoryLimit:   defaultMemoryLimit,
		consumerLimit: defaultConsumerLimit,
		product:       "amqptest",
	}
	for _, o := range opts {
		o(&cfg)
	}
	if cfg.maxMessageSize == 0 {
		cfg.maxMessageSize = cfg.follow.defaultMaxMessage()
	}
	return cfg
}

// WithAddr listens on addr, "host:port", instead of a free port of 127.0.0.1. An empty
// host is 127.0.0.1 too. An address that is not loopback opens the broker to the network,
// where the password alone protects it.
func WithAddr(addr string) Option { return func(c *config) { c.addr = addr } }

// WithoutListener opens no port: clients reach the broker by [Broker.Dial] alone. Inside a
// [testing/synctest] bubble such a broker runs on the bubble's clock.
func WithoutListener() Option { return func(c *config) { c.listen = false } }

// WithUser adds a user with all permissions, or changes the password of one. The first
// call replaces RabbitMQ's default user, guest with the password guest.
func WithUser(name, password string) Option {
	return func(c *config) {
		if !c.ownUsers {
			c.ownUsers, c.users = true, make(map[string]string)
		}
		c.users[name] = password
	}
}

// WithVHosts adds virtual hosts to "/", which every broker has.
func WithVHosts(names ...string) Option {
	return func(c *config) { c.vhosts = append(c.vhosts[:len(c.vhosts):len(c.vhosts)], names...) }
}

// WithLogger logs what happens to connections and channels. Without it the broker logs
// nothing. It never logs credentials or messages.
func WithLogger(l *slog.Logger) Option { return func(c *config) { c.log = l } }

// WithHeartbeat proposes a heartbeat other than RabbitMQ's 60 s, in whole seconds. Zero
// proposes none. A client may choose another.
func WithHeartbeat(d time.Duration) Option { return func(c *config) { c.heartbeat = d } }

// WithChannelMax limits the channels of a connection. The default is RabbitMQ's 2047.
// Zero means no limit.
func WithChannelMax(n uint16) Option { return func(c *config) { c.channelMax = n } }

// WithFrameMax limits the size of a frame, in bytes. The default is RabbitMQ's 131072. A
// value below 4096 counts as 4096.
func WithFrameMax(n uint32) Option { return func(c *config) { c.frameMax = max(n, 4096) } }

// WithMaxMessageSize limits the body of a message, in bytes. Zero is RabbitMQ's default:
// 128 MiB in 3.10, 16 MiB since 4.0.
func WithMaxMessageSize(n int) Option { return func(c *config) { c.maxMessageSize = n } }

// WithMemoryLimit limits the memory of queued messages, in bytes. The default is 512 MiB.
// Above the limit the broker raises the memory alarm, which blocks connections that publish
// (https://www.rabbitmq.com/docs/alarms), until consumers make room.
func WithMemoryLimit(n int64) Option { return func(c *config) { c.memoryLimit = n } }

// WithConsumerTimeout is how long a delivery may wait for its acknowledgement before the
// broker closes its channel (https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout).
// The default is RabbitMQ's 30 minutes; zero means no limit. RabbitMQ checks once a minute,
// this broker at the moment when the time is up.
func WithConsumerTimeout(d time.Duration) Option { return func(c *config) { c.consumerLimit = d } }

// WithTLS serves TLS on the broker's port: [Broker.URL] begins with amqps. [Broker.Dial]
// goes through memory, without TLS.
func WithTLS(cfg *tls.Config) Option { return func(c *config) { c.tls = cfg } }

// WithLoginDelay is how long the broker waits before it hangs up on a client whose login or
// handshake it refuses without a word. RabbitMQ waits 3 s; this broker's default is zero.
// Clients that announce authentication_failure_close get their refusal at once.
func WithLoginDelay(d time.Duration) Option { return func(c *config) { c.loginDelay = d } }

// WithProduct sets the product in the server properties, "amqptest" by default. Some clients
// insist on "RabbitMQ".
func WithProduct(name string) Option { return func(c *config) { c.product = name } }

// WithTLSListener serves TLS on a second port, beside the plain one. The address is
// "host:port"; an empty one is a free port of 127.0.0.1. Clients dial [Broker.TLSURL].
func WithTLSListener(addr string, cfg *tls.Config) Option {
	return func(c *config) {
		if addr == "" {
			addr = "127.0.0.1:0"
		}
		c.secondAddr, c.secondTLS = addr, cfg
	}
}
