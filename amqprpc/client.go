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

// ErrClientClosed is wrapped by the error of a call that [Client.Close] has ended, and by
// the error of a call that began after Close. The code of these errors is canceled.
var ErrClientClosed = errors.New("the client is closed")

// Client makes calls over one connection to the broker. If the connection is lost, the
// client reconnects, for ever. A call that begins while there is no connection waits for
// the connection, until the deadline of the call. All methods of Client, and all calls with
// it, are safe for concurrent use.
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

	numbers    atomic.Uint64
	pending    pendingTable
	wakes      wakePool
	cancels    cancels
	broadcasts broadcasts
	streams    streams
	types      protocol.Interner // content types of replies; the reading goroutine's

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
// (https://www.rabbitmq.com/docs/uri-spec). NewClient never waits. The client connects in
// the background and tries again for ever. [Client.Status] returns the state of the
// connection. Calls wait for the connection until their deadlines. With [WithFailFast],
// calls fail at once instead. If the URL or an option is wrong, NewClient returns an error
// with the code invalid_argument.
func NewClient(url string, opts ...ClientOption) (*Client, error) {
	c, err := newClient(url, opts)
	if err != nil {
		return nil, setupError("new client", CodeInvalidArgument, err)
	}
	c.life, c.cancel = context.WithCancelCause(context.Background())
	c.tasks.Go(func() { c.run(c.life) })
	return c, nil
}

// Dial makes a client like [NewClient], and waits until it is connected, or until ctx ends.
// If ctx has no deadline, Dial waits for 30 s at most. If another attempt cannot help, Dial
// returns the error at once. The client does not use ctx after Dial has returned.
//
// The errors are *[Error]. These are the codes:
//
//   - invalid_argument for a wrong URL or option
//   - unauthenticated for a wrong user or password
//   - permission_denied for a missing permission
//   - not_found for a virtual host that does not exist
//   - failed_precondition for TLS that does not fit
//   - unavailable if there is no connection after 30 s
//   - deadline_exceeded or canceled if ctx ended first, or the code of its cause. The error wraps
//     the cause ([context.Cause])
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
		select {
		case err = <-c.first: // it says more
			code = setupCode(err)
		default:
			code, err = c.givenUp(context.Cause(ctx))
		}
	}
	if err != nil {
		c.Close()
		return nil, setupError("dial", code, err)
	}
	return c, nil
}

// givenUp is the error of Dial when its ctx has ended.
func (c *Client) givenUp(cause error) (Code, error) {
	if why := c.whyDown(); why != nil {
		return CodeOf(cause), fmt.Errorf("%w: %w", why, cause)
	}
	return CodeOf(cause), cause
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
	c.streams.init(&c.cfg.conn, c.log, protocol.AllowedInstance)
	c.streams.refused = func() { c.stats.unknown.Add(1) }
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

// moment is a time in a client's life: nanoseconds on the monotonic clock, at least 1; 0
// is none. Calls in flight are many, and a time.Time takes three times the memory.
type moment int64

// age is the present moment.
func (c *clientState) age() moment { return max(moment(time.Since(c.born)), 1) }

func (c *clientState) moment(t time.Time) moment {
	if t.IsZero() {
		return 0
	}
	return moment(max(since(c.born, t), 1))
}

// since is how long after start t is, at most ten years from now. A deadline may have only
// a wall time, by which it cannot be compared with a start before the clock was set.
func since(start, t time.Time) time.Duration {
	now := time.Now()
	return now.Sub(start) + min(t.Sub(now), forever)
}

func (c *clientState) timeOf(m moment) time.Time {
	if m == 0 {
		return time.Time{}
	}
	return c.born.Add(time.Duration(m))
}

// whyDown is why there is no connection, nil while there is one.
func (c *Client) whyDown() error { return c.health.whyDown() }

// With returns a view of the client. Each call of the view has opts before its own options.
// Everything else is the client's: the connection, the counters and [Client.Close]. A view
// of a view has the options of both. With panics on [WithCallID] and [WithReplyHeader],
// because they are for one call only.
func (c *Client) With(opts ...CallOption) *Client {
	cfg := c.callConfig(opts)
	if cfg.id != "" || cfg.replyHeader != nil {
		panic("amqprpc: With: WithCallID and WithReplyHeader are for one call")
	}
	cfg.middleware = slices.Clip(cfg.middleware)
	return &Client{clientState: c.clientState, defaults: &cfg}
}

// Close ends the client. The calls in flight end at once, with the code canceled and the
// cause [ErrClientClosed]. The ctx of a call, which its middleware sees, ends with the same
// cause. Then Close deletes the reply queue and closes the connection.
//
// Close waits until all of this is done and the goroutines of [Go] have ended, but for 5 s
// at most. A callback, a log handler or middleware may call Close. Close then cannot wait
// for its own caller, and returns after 5 s. Close may be called more than once. Close of a
// view ([Client.With]) closes the client. Close always returns nil.
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
			c.streams.stop()
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

func (c *Client) isClosed() bool { return done(c.closed) }

// task runs f on a goroutine that Close waits for, unless the client is closed.
func (c *Client) task(f func()) bool {
	if !c.beginTask() {
		return false
	}
	go func() {
		defer c.tasks.Done()
		f()
	}()
	return true
}

// beginTask has Close wait until tasks.Done is called, unless the client is closed.
func (c *Client) beginTask() bool {
	c.taskMu.Lock()
	defer c.taskMu.Unlock()
	if c.isClosed() {
		return false
	}
	c.tasks.Add(1)
	return true
}
