package amqprpc

import (
	"crypto/tls"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/codec"
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
	idempotent    bool
	failFast      bool
	persistent    bool
	rejectPublish bool
	liveness      time.Duration
}

// with returns what c and o say together.
func (c sendConfig) with(o sendConfig) sendConfig {
	c.idempotent = c.idempotent || o.idempotent
	c.failFast = c.failFast || o.failFast
	c.persistent = c.persistent || o.persistent
	c.rejectPublish = c.rejectPublish || o.rejectPublish
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
