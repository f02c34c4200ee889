package amqprpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
	"github.com/bbebcec1/amqprpc-go/codec"
)

// ErrClientClosed is wrapped by the errors of calls that [Client.Close] ended or
// that came after it. Their code is canceled.
var ErrClientClosed = errors.New("the client is closed")

// Client makes calls over one connection to the broker. It reconnects for ever;
// calls made meanwhile wait for the connection until their deadline. All its
// methods, and all calls with it, are safe for concurrent use.
type Client struct {
	*clientState
	defaults *callConfig // of the calls of a view; nil if there are none
}

// clientState is what a client and its views share.
type clientState struct {
	cfg     clientConfig
	log     *slog.Logger
	codecs  *codec.Registry
	invoke  Invoker // the client's middleware around the wire
	id      string  // that others cannot guess
	accepts string  // the encodings that replies may have; "" is none
	user    string  // the user_id of requests; "" is none
	ids     correlationIDs
	born    time.Time

	broker  messaging.Client
	session messaging.Session
	health  health

	numbers atomic.Uint64
	pending pendingTable
	wakes   wakePool
	cancels cancels
	types   protocol.Interner // content types of replies; the reading goroutine's

	maxBody atomic.Int64 // of a request: the option's limit, or what the broker has been found to take
	blocked atomic.Bool  // by the broker, for lack of memory or disk
	upSince atomic.Int64 // when the connection began, in nanoseconds of the client's life
	first   chan error   // receives the end of the first attempt to connect that counts

	stats   clientCounters
	closed  chan struct{} // closed when Close is called
	ended   chan struct{} // closed when all tasks have ended after that
	closing sync.Once
	life    context.Context // ends with Close
	cancel  context.CancelCauseFunc
	taskMu  sync.Mutex     // orders the last start of a task before Close's wait
	tasks   sync.WaitGroup // the session, and the calls of Go
}

// NewClient makes a client for the broker at url, an AMQP URI
// (https://www.rabbitmq.com/docs/uri-spec). It connects in the background, for ever,
// and never waits: [Client.Status] says how that goes. Calls wait for the connection
// until their deadline, or fail at once with [WithFailFast]. The error is of code
// invalid_argument, for a URL or an option that is wrong.
func NewClient(url string, opts ...ClientOption) (*Client, error) {
	c, err := newClient(url, opts)
	if err != nil {
		return nil, setupError("new client", CodeInvalidArgument, err)
	}
	c.life, c.cancel = context.WithCancelCause(context.Background())
	c.tasks.Go(func() { c.run(c.life) })
	return c, nil
}

// Dial is [NewClient] and a wait for the connection: until the broker answers or ctx
// is done, for at most 30 s if ctx has no deadline. What another attempt cannot cure
// is returned at once. Once connected, the client does not depend on ctx.
//
// The errors are *[Error]: unauthenticated for wrong credentials, permission_denied
// for a permission that is missing, not_found for a virtual host, failed_precondition
// for TLS that does not fit, unavailable for a broker that does not answer, and
// deadline_exceeded or canceled, wrapping ctx's error, where ctx ended first.
func Dial(ctx context.Context, url string, opts ...ClientOption) (*Client, error) {
	c, err := NewClient(url, opts...)
	if err != nil {
		return nil, err
	}
	patience := time.NewTimer(dialTimeout)
	defer patience.Stop()
	if _, ok := ctx.Deadline(); ok {
		patience.Stop()
	}
	var code Code
	select {
	case err = <-c.first:
		code = setupCode(err)
	case <-patience.C:
		code, err = CodeUnavailable, c.whyDown()
	case <-ctx.Done():
		code, err = CodeOf(ctx.Err()), ctx.Err()
		if why := c.whyDown(); why != nil {
			err = fmt.Errorf("%w: %w", why, err)
		}
	}
	if err != nil {
		c.Close()
		return nil, setupError("dial", code, err)
	}
	return c, nil
}

// newClient makes a client that does not connect yet.
func newClient(url string, opts []ClientOption) (*Client, error) {
	cfg := clientConfig{
		conn:         newConnConfig(),
		codec:        codec.JSON{},
		timeout:      defaultCallTimeout,
		maxPending:   defaultMaxPending,
		replyExpires: defaultReplyExpires,
	}
	for _, o := range opts {
		o.applyClient(&cfg)
	}
	if cfg.timeout <= 0 {
		cfg.timeout = defaultCallTimeout
	}
	if cfg.bounce && cfg.replyMode == ReplyDirect {
		return nil, errors.New("WithBounce needs a reply queue, and WithReplyMode(ReplyDirect) has none")
	}
	dialer, err := cfg.conn.dialer(url, "client")
	if err != nil {
		return nil, err
	}
	codecs, err := clientCodecs(cfg.codec)
	if err != nil {
		return nil, err
	}
	if err := cfg.acceptCompression(); err != nil {
		return nil, err
	}
	user, err := requestUser(&cfg, dialer)
	if err != nil {
		return nil, err
	}
	c := &Client{clientState: &clientState{
		cfg: cfg, log: cfg.conn.log().With("connection", cfg.conn.connectionName("client")), codecs: codecs,
		id: protocol.NewID(), user: user, accepts: cfg.conn.encodings.accepted(), born: time.Now(),
		first: make(chan error, 1), closed: make(chan struct{}), ended: make(chan struct{}),
	}}
	c.health.log, c.health.onState, c.health.addr = c.log, cfg.conn.onState, dialer.Addr
	c.health.begin(dialer.Addr(), errSilent(dialer.Addr()), "")
	c.maxBody.Store(int64(cfg.conn.maxMessageSize))
	c.ids.init()
	c.invoke = chain(cfg.middleware, c.attempt, c.clientSeal)
	c.connectTo(dialer)
	return c, nil
}

// clientCodecs are what replies are decoded with: the client's codec, and those that
// every server has.
func clientCodecs(own codec.Codec) (*codec.Registry, error) {
	if own == nil {
		return nil, errors.New("WithCodec(nil)")
	}
	cs := []codec.Codec{own}
	for _, s := range []codec.Codec{codec.JSON{}, codec.MsgPack{}} {
		if r, err := codec.NewRegistry(append(cs, s)...); err == nil && r != nil {
			cs = append(cs, s) // unless own speaks that content type already
		}
	}
	return codec.NewRegistry(cs...)
}

// replyCodec is the codec for a reply's content type: the request's where the reply
// names none or the request's own, nil if nobody knows it.
func (c *Client) replyCodec(req *Request, contentType string) codec.Codec {
	if contentType == "" || contentType == req.codec.ContentType() {
		return req.codec
	}
	if cd, ok := c.codecs.Lookup(contentType); ok {
		return cd
	}
	return nil
}

// age is how long the client has lived, in nanoseconds on the monotonic clock; at
// least 1.
func (c *Client) age() int64 { return max(int64(time.Since(c.born)), 1) }

// whyDown is why there is no connection, nil while there is one.
func (c *Client) whyDown() error { return c.health.whyDown() }

// With returns a view of the client whose calls take opts before their own options,
// and otherwise are the client's: one connection, one set of counters, one
// [Client.Close]. Views of views add up. With panics on an option that is for one
// call only, [WithCallID] or [WithReplyHeader].
func (c *Client) With(opts ...CallOption) *Client {
	cfg := c.callConfig(opts)
	if cfg.id != "" || cfg.replyHeader != nil {
		panic("amqprpc: With: WithCallID and WithReplyHeader are for one call")
	}
	cfg.middleware = slices.Clip(cfg.middleware)
	return &Client{clientState: c.clientState, defaults: &cfg}
}

// Close ends the client: calls in flight end at once with code canceled, and
// [ErrClientClosed] as their cause; the reply queue is deleted and the connection
// closed in good order. The ctx of each call ends with that cause, too. Close waits for
// all of that and for the calls of [Go], for 5 s at most: called from a callback, a log
// handler or middleware that it would wait for, it returns then. It may be called more
// than once. Close of a view ([Client.With]) closes the client. It returns nil.
func (c *Client) Close() error {
	c.closing.Do(func() {
		c.taskMu.Lock()
		close(c.closed)
		c.taskMu.Unlock()
		c.cancel(ErrClientClosed)
		for _, pc := range c.pending.all() {
			pc.wake()
		}
		go func() { // ends with the last task
			c.tasks.Wait()
			c.pending.stop()
			close(c.ended)
		}()
	})
	patience := time.NewTimer(closePatience)
	defer patience.Stop()
	select {
	case <-c.ended:
	case <-patience.C:
	}
	return nil
}

func (c *Client) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// task runs f on a goroutine that Close waits for, unless the client is closed.
func (c *Client) task(f func()) bool {
	c.taskMu.Lock()
	defer c.taskMu.Unlock()
	if c.isClosed() {
		return false
	}
	c.tasks.Go(f)
	return true
}
