package amqprpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/codec"
)

// ErrClientClosed is wrapped by the errors of calls that [Client.Close] ended or
// that came after it; their code is canceled.
var ErrClientClosed = errors.New("the client is closed")

// Client makes calls over one connection to the broker. It reconnects for ever;
// calls made meanwhile wait for the connection until their deadline. All its
// methods, and all calls with it, are safe for concurrent use.
type Client struct {
	cfg    clientConfig
	dialer *dialer
	log    *slog.Logger
	codecs *codec.Registry
	invoke Invoker // the client's middleware around transmit

	prefix  string // of correlation ids
	numbers atomic.Uint64
	pending pendingTable
	outbox  chan *attempt
	stash   []*attempt // taken from the outbox and certainly not written; the run loop's own

	replyQueue string // of the epoch, in ReplyResumable kept across epochs; the run loop's own
	epochs     int64

	current atomic.Pointer[clientEpoch] // nil while there is no connection
	blocked atomic.Bool                 // by the broker, for lack of memory or disk
	down    atomic.Pointer[error]       // why there is no connection; nil while there is one
	upSince atomic.Int64                // unix nanoseconds of the epoch's begin
	stats   clientCounters
	wakes   wakePool
	message outgoingMessage // of the publisher's goroutine
	sights  sights

	closed  chan struct{} // when Close is called
	closing sync.Once
	cancel  context.CancelFunc
	taskMu  sync.Mutex     // orders the last start of a task before Close's wait
	tasks   sync.WaitGroup // the run loop, and the calls of Go
}

// Dial connects a client. It tries until the broker answers or ctx is done, for
// at most 30 s if ctx has no deadline; what cannot succeed (credentials, a
// virtual host, a permission, a certificate) is returned at once. Afterwards the
// client keeps itself connected, independently of ctx, until [Client.Close].
func Dial(ctx context.Context, url string, opts ...ClientOption) (*Client, error) {
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
	d, err := newDialer(url, "client", cfg.conn)
	if err == nil && cfg.bounce && cfg.replyMode == ReplyDirect {
		err = errors.New("WithBounce needs a reply queue, and WithReplyMode(ReplyDirect) has none")
	}
	if err != nil {
		return nil, fmt.Errorf("amqprpc: dial: %w", err)
	}
	codecs, err := clientCodecs(cfg.codec)
	if err != nil {
		return nil, fmt.Errorf("amqprpc: dial: %w", err)
	}
	c := &Client{
		cfg: cfg, dialer: d, log: cfg.conn.logger, codecs: codecs,
		prefix: newID(),
		outbox: make(chan *attempt, 256),
		closed: make(chan struct{}),
	}
	c.invoke = chain(cfg.middleware, c.attempt, c.clientSeal)
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.cancel = cancel
	if _, ok := ctx.Deadline(); !ok {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, dialTimeout)
		defer stop()
	}
	silent := fmt.Errorf("connect to %s: there is no answer yet; is it an AMQP port?", d.addr)
	c.down.Store(&silent)
	first := make(chan error, 1)
	c.tasks.Go(func() { c.run(run, first) })
	select {
	case err = <-first:
	case <-ctx.Done():
		err = ctx.Err()
		if why := c.whyDown(); why != nil {
			err = fmt.Errorf("%w: %w", why, err)
		}
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("amqprpc: dial: %w", err)
	}
	return c, nil
}

// clientCodecs is what replies are decoded with: the client's codec, and those
// that every server has.
func clientCodecs(own codec.Codec) (*codec.Registry, error) {
	if own == nil {
		return nil, errors.New("WithCodec(nil)")
	}
	standard := []codec.Codec{codec.JSON{}, codec.MsgPack{}}
	cs := []codec.Codec{own}
	for _, s := range standard {
		if r, err := codec.NewRegistry(append(cs, s)...); err == nil && r != nil {
			cs = append(cs, s) // unless own speaks that content type already
		}
	}
	return codec.NewRegistry(cs...)
}

// replyCodec is the codec for a reply's content type: the request's where the
// reply names none or the request's own, nil if nobody knows it.
func (c *Client) replyCodec(req *Request, contentType string) codec.Codec {
	if contentType == "" || contentType == req.codec.ContentType() {
		return req.codec
	}
	if cd, ok := c.codecs.Lookup(contentType); ok {
		return cd
	}
	return nil
}

// whyDown is why there is no connection, nil while there is one.
func (c *Client) whyDown() error {
	if err := c.down.Load(); err != nil {
		return *err
	}
	return nil
}

// Close ends the client: calls in flight end at once with code canceled, and
// [ErrClientClosed] as their cause; the reply queue is deleted and the connection
// closed in good order. It waits for all of that, a few seconds at most, and may
// be called more than once. It returns nil.
func (c *Client) Close() error {
	c.closing.Do(func() {
		c.taskMu.Lock()
		close(c.closed)
		c.taskMu.Unlock()
		for _, oc := range c.pending.all() {
			oc.wake()
		}
		c.cancel()
	})
	c.tasks.Wait()
	c.pending.stop()
	return nil
}

// run keeps the client connected until ctx is done. The end of the first attempt
// that counts goes to first.
func (c *Client) run(ctx context.Context, first chan<- error) {
	var wait backoff
	ready := false
	for ctx.Err() == nil {
		ep, err := c.connect(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			if !ready && isPermanent(err) {
				first <- err
				return
			}
			c.down.Store(&err)
			c.cfg.conn.state(StateDisconnected)
			pause := wait.next()
			c.log.Warn("amqprpc: client is not connected", "error", err, "retry_in", pause)
			sleep(ctx, pause)
			continue
		}
		c.down.Store(nil)
		if !ready {
			ready = true
			first <- nil
		} else {
			c.stats.reconnects.Add(1)
			c.log.Info("amqprpc: client is connected again", "broker", c.dialer.addr)
		}
		c.cfg.conn.state(StateConnected)
		start := time.Now()
		c.upSince.Store(start.UnixNano())
		c.current.Store(ep)
		cause := ep.run(ctx)
		if ctx.Err() != nil {
			return
		}
		c.down.Store(&cause)
		c.cfg.conn.state(StateDisconnected)
		c.log.Warn("amqprpc: client lost its connection", "broker", c.dialer.addr, "error", cause)
		c.afterEpoch(ep, cause)
		// A connection that holds for a while starts the backoff afresh; one
		// that is lost again and again, for a channel error say, does not.
		if time.Since(start) > backoffMost {
			wait.reset()
		}
		if wait.failures > 0 {
			sleep(ctx, wait.next())
		} else {
			wait.failures++
		}
	}
}

// afterEpoch deals with the attempts whose fate the lost connection has made
// unknown. Those that the broker has confirmed go on waiting where their replies
// will find the client again.
func (c *Client) afterEpoch(ep *clientEpoch, cause error) {
	for _, oc := range c.pending.all() {
		a := oc.inFlight()
		if a == nil {
			continue
		}
		if oc.send.failFast && a.state.CompareAndSwap(attemptQueued, attemptAbandoned) {
			a.settle(localError(CodeUnavailable, OutcomeNotSent, "call %s: the connection was lost before the request was sent: %w", a.call.req.queue, cause))
			continue
		}
		if a.state.Load() != attemptWritten || a.epoch.Load() != ep.number {
			continue
		}
		confirmed := a.acked.Load() || (c.cfg.unconfirmed && a.call.req.kind == Unary && !oc.send.idempotent)
		switch {
		case c.cfg.replyMode != ReplyResumable && a.call.req.kind == Unary:
			c.resend(a, "the reply was lost with the connection", cause)
		case !confirmed:
			c.resend(a, "the connection was lost before the broker confirmed the request", cause)
		}
	}
}

// loseReplies deals with every attempt that was written in an earlier epoch: the
// queue that their replies go to is gone.
func (c *Client) loseReplies(cause error) {
	for _, oc := range c.pending.all() {
		a := oc.inFlight()
		if a != nil && a.call.req.kind == Unary && a.state.Load() == attemptWritten {
			c.resend(a, "the reply queue was lost while the client was away", cause)
		}
	}
}

// resend makes another attempt at a call whose last one is lost from sight, if it
// is idempotent, and fails it otherwise. It is the run loop's, between epochs.
func (c *Client) resend(a *attempt, what string, cause error) {
	if !a.call.send.idempotent {
		a.settle(localError(CodeUnavailable, OutcomeUnknown, "call %s: %s: %w", a.call.req.queue, what, cause))
		return
	}
	if b := a.next(c.prefix); b != nil {
		c.stats.resent.Add(1)
		c.stash = append(c.stash, b)
	}
}
