package amqprpc

import (
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"net"
	"reflect"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
	"github.com/bbebcec1/amqprpc-go/codec"
	"github.com/bbebcec1/amqprpc-go/compress"
)

// The defaults, in one place.
const (
	defaultCallTimeout    = 30 * time.Second // of a call whose ctx has no deadline
	defaultHandlerTimeout = 25 * time.Minute // below RabbitMQ's consumer_timeout of 30 minutes
	defaultDrainTimeout   = 20 * time.Second
	defaultClockSkew      = time.Second
	defaultConcurrency    = 128
	defaultMaxMessageSize = 16 << 20 // RabbitMQ's own max_message_size from 4.0
	defaultMinCompress    = 1 << 10
	defaultMaxPending     = 1 << 16
	defaultHeartbeat      = 5 * time.Second
	defaultReplyExpires   = time.Minute
	defaultMaxDeliveries  = 3
	defaultMaxStreams     = 1024
	defaultStreamMemory   = 4 << 20
	defaultStreamWindow   = 4 << 20
	maxPrefetch           = 1<<16 - 1        // AMQP 0-9-1, basic.qos: a short integer
	dialTimeout           = 30 * time.Second // of Dial where its ctx has no deadline
	livenessMisses        = 3                // of a handler's signs of life, before its call fails
	closePatience         = 5 * time.Second  // of Close
	maxHeartbeat          = 1<<16 - 1        // AMQP 0-9-1, connection.tune: a short integer, in seconds

	// forever is the most that a duration is taken for.
	forever = protocol.MaxExpiration
)

// within is d within bounds. Every option that takes a duration does this before anything
// is computed of it.
func within(least, d, most time.Duration) time.Duration { return min(max(d, least), most) }

type connConfig struct {
	logger          *slog.Logger
	brokers         []string
	onState         func(State)
	tls             *tls.Config
	dial            func(network, addr string) (net.Conn, error)
	name            string
	heartbeat       time.Duration
	maxMessageSize  int
	withoutControl  bool
	streamMemory    int
	streamWindow    int
	stallLimit      time.Duration
	encodings       encodings
	minCompressSize int
}

func newConnConfig(es ...compress.Encoding) connConfig {
	return connConfig{
		logger: slog.Default(), heartbeat: defaultHeartbeat, maxMessageSize: defaultMaxMessageSize,
		streamWindow: defaultStreamWindow,
		encodings:    es, minCompressSize: defaultMinCompress,
	}
}

type serverConfig struct {
	conn         connConfig
	middleware   []Middleware
	codecs       []codec.Codec
	calleeCodes  []Code
	drainTimeout time.Duration
	clockSkew    time.Duration
	replyTo      []string
	service      Service
	schemas      func(reflect.Type) (json.RawMessage, error) // nil is none
}

type handlerConfig struct {
	middleware    []Middleware
	codecs        []codec.Codec
	calleeCodes   []Code
	concurrency   int
	prefetch      int
	queue         Queue
	timeout       time.Duration
	atMostOnce    bool
	maxDeliveries int
	maxStreams    int
	broadcast     bool // the handler takes broadcasts
	doc           methodDoc
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
	userID       bool
}

// sendConfig is what clients and calls can both say of how requests are sent;
// what either says counts.
type sendConfig struct {
	idempotent  bool
	failFast    bool
	persistent  bool
	liveness    time.Duration
	compression *compressionOption // nil is not said
}

// with returns what c and o say together.
func (c sendConfig) with(o sendConfig) sendConfig {
	c.idempotent = c.idempotent || o.idempotent
	c.failFast = c.failFast || o.failFast
	c.persistent = c.persistent || o.persistent
	if o.liveness > 0 {
		c.liveness = o.liveness
	}
	if o.compression != nil {
		c.compression = o.compression
	}
	return c
}

type callConfig struct {
	middleware  []Middleware
	codec       codec.Codec
	timeout     time.Duration
	expiration  time.Duration // of a notification's request
	priority    uint8
	send        sendConfig
	header      Header
	replyHeader *Header
	id          string
	instance    string        // that the call goes to
	acceptWait  time.Duration // of a broadcast
	timing      *Timing       // that WithTiming fills
}
