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

// WithAddr listens on addr, "host:port", instead of a free port of 127.0.0.1,
// which an empty host means too. An address that is not loopback opens the broker
// to the network: its only protection is the password.
func WithAddr(addr string) Option { return func(c *config) { c.addr = addr } }

// WithoutListener opens no port: the broker is reached by [Broker.Dial] alone.
// A broker made so inside a [testing/synctest] bubble lives in the bubble's time.
func WithoutListener() Option { return func(c *config) { c.listen = false } }

// WithUser adds a user, or changes the password of one. The first call takes the
// place of RabbitMQ's default user, guest with the password guest.
func WithUser(name, password string) Option {
	return func(c *config) {
		if !c.ownUsers {
			c.ownUsers, c.users = true, make(map[string]string)
		}
		c.users[name] = password
	}
}

// WithVHosts adds virtual hosts to the one that is always there, "/".
func WithVHosts(names ...string) Option {
	return func(c *config) { c.vhosts = append(c.vhosts[:len(c.vhosts):len(c.vhosts)], names...) }
}

// WithLogger says what happens to connections and channels. Without it nothing
// is logged. Credentials and messages never are.
func WithLogger(l *slog.Logger) Option { return func(c *config) { c.log = l } }

// WithHeartbeat proposes a heartbeat other than RabbitMQ's 60 s; whole seconds,
// zero for none. A client may settle for another.
func WithHeartbeat(d time.Duration) Option { return func(c *config) { c.heartbeat = d } }

// WithChannelMax bounds the channels of a connection; RabbitMQ's default is 2047.
// Zero means no limit.
func WithChannelMax(n uint16) Option { return func(c *config) { c.channelMax = n } }

// WithFrameMax bounds the size of a frame, in octets; RabbitMQ's default is
// 131072. Less than 4096 is 4096.
func WithFrameMax(n uint32) Option { return func(c *config) { c.frameMax = max(n, 4096) } }

// WithMaxMessageSize bounds the body of a message, in octets. Zero is RabbitMQ's
// default: 128 MiB in 3.10, 16 MiB since 4.0.
func WithMaxMessageSize(n int) Option { return func(c *config) { c.maxMessageSize = n } }

// WithMemoryLimit bounds what queued messages may occupy, in octets, 512 MiB by
// default. Above it connections that publish are blocked, as by RabbitMQ's
// memory alarm (https://www.rabbitmq.com/docs/alarms), until consumers make room.
func WithMemoryLimit(n int64) Option { return func(c *config) { c.memoryLimit = n } }

// WithConsumerTimeout is how long a delivery may wait for its acknowledgement
// before the broker closes its channel; 30 minutes is RabbitMQ's default
// (https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout), zero never.
// RabbitMQ looks once a minute, this broker when the time is up.
func WithConsumerTimeout(d time.Duration) Option { return func(c *config) { c.consumerLimit = d } }

// WithTLS serves TLS on the broker's port: URL begins with amqps. [Broker.Dial]
// goes through memory and stays as it is.
func WithTLS(cfg *tls.Config) Option { return func(c *config) { c.tls = cfg } }

// WithLoginDelay is how long a client waits for the refusal of its login, or for the end of
// a handshake that it got wrong. RabbitMQ's delay is 3 s; this broker has none by default.
func WithLoginDelay(d time.Duration) Option { return func(c *config) { c.loginDelay = d } }

// WithProduct is the product that the broker's properties name instead of "amqptest".
// A client that looks for "RabbitMQ" there is content with that.
func WithProduct(name string) Option { return func(c *config) { c.product = name } }

// WithTLSListener serves TLS on a second port, beside the plain one: on addr, "host:port",
// of which an empty one is a free port of 127.0.0.1. [Broker.TLSURL] is what clients dial.
func WithTLSListener(addr string, cfg *tls.Config) Option {
	return func(c *config) {
		if addr == "" {
			addr = "127.0.0.1:0"
		}
		c.secondAddr, c.secondTLS = addr, cfg
	}
}
