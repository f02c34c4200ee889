package amqprpc

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// publisher is a channel that requests are published on. It follows what the
// broker says of each: confirmed, refused, or returned for want of a queue.
type publisher struct {
	client   *Client
	ch       *channel
	confirms bool
	closed   chan *amqp.Error
	window   window

	answered time.Time // when the last call will be whose reply comes through this channel
	refusals refusals
	retired  atomic.Bool // another channel is in its place

	batch    []byte // frames that are about to be written
	attempts []*attempt
}

func newPublisher(ctx context.Context, c *Client, l *link, confirmed bool) (*publisher, error) {
	ch, err := l.channel(ctx)
	if err != nil {
		return nil, err
	}
	p := &publisher{client: c, ch: ch, confirms: confirmed}
	p.refusals.init()
	p.closed = ch.NotifyClose(make(chan *amqp.Error, 1))
	ch.tap.returns = p.returned
	if confirmed {
		ch.tap.confirm = p.confirmed
		if err := l.do(ctx, func() error { return ch.Confirm(false) }); err != nil {
			return nil, fmt.Errorf("ask for publisher confirms: %w", err)
		}
	}
	return p, nil
}

// publish writes the attempts that callers have queued, until ctx is done. It is
// the only goroutine that publishes, so that a stalled connection holds up no
// caller beyond its ctx, and so that what is queued can be told from what is
// written. Attempts that are queued at the same time go in one write.
func (c *Client) publish(ctx context.Context, ep *clientEpoch) {
	stash := c.stash
	c.stash = nil
	for _, a := range stash {
		if a.wanted() {
			c.prepare(ep, a)
		}
	}
	c.flush(ep)
	for {
		select {
		case a := <-c.outbox:
			c.prepare(ep, a)
		case p := <-ep.renewed:
			ep.replace(p)
			continue
		case <-ctx.Done():
			return
		}
		c.gather(ep)
		c.flush(ep)
	}
}

// gather prepares what else is queued. It yields once, so that callers who are
// about to queue something can: without that each message would be a system call
// of its own, since the first caller wakes the publisher. A lone call waits for nobody.
func (c *Client) gather(ep *clientEpoch) {
	yielded := false
	for n := 1; n < publishBatch; n++ {
		select {
		case a := <-c.outbox:
			c.prepare(ep, a)
			continue
		default:
		}
		if yielded || c.pending.count.Load() == 1 {
			return
		}
		yielded = true
		runtime.Gosched()
	}
}

// prepare adds one attempt to what is about to be written, unless its caller has
// given up or the broker takes nothing.
func (c *Client) prepare(ep *clientEpoch, a *attempt) {
	oc := a.call
	if c.blocked.Load() {
		if a.state.CompareAndSwap(attemptQueued, attemptAbandoned) {
			a.settle(errBlocked(oc.req.queue))
		}
		return
	}
	if err := a.header.fits(ep.frameMax); err != nil {
		if a.state.CompareAndSwap(attemptQueued, attemptAbandoned) {
			a.settle(localError(CodeResourceExhausted, OutcomeNotSent, "call %s: %w (the broker's frame_max)", oc.req.queue, err))
		}
		return
	}
	a.epoch.Store(ep.number)
	if !a.state.CompareAndSwap(attemptQueued, attemptWritten) {
		return
	}
	p, replyTo := ep.calls, ep.replyTo
	if oc.req.kind == Notification {
		p, replyTo = ep.notifications, ""
	}
	if replyTo == directReplyTo && a.expiry.at.After(p.answered) {
		p.answered = a.expiry.at
	}
	m := c.message.of(c, a, replyTo)
	p.batch = p.ch.appendPublish(p.batch, oc.req.queue, true, &m)
	p.attempts = append(p.attempts, a)
	if len(p.batch) >= batchLong {
		p.flush() // however many there are, and however long, not all at once
	}
}

// flush writes what was prepared.
func (c *Client) flush(ep *clientEpoch) {
	ep.calls.flush()
	if ep.notifications != ep.calls {
		ep.notifications.flush()
	}
}

const (
	// batchLong is how large a batch gets before it is written, give or take a
	// message.
	batchLong = 256 << 10
	// batchMemory is how large its memory may be to be kept for the next one:
	// messages of a megabyte are not to allocate it each time.
	batchMemory = 4 << 20
)

func (p *publisher) flush() {
	if len(p.attempts) == 0 {
		return
	}
	if p.confirms {
		p.window.add(p.attempts)
	}
	low := p.ch.link.sock.low
	if p.lone() {
		low.raise()
	} else {
		low.lower()
	}
	err := p.ch.write(p.batch)
	if errors.Is(err, amqp.ErrClosed) {
		// Nothing was written: it is for the next connection.
		if p.confirms {
			p.window.undo(len(p.attempts))
		}
		for _, a := range p.attempts {
			a.state.Store(attemptQueued)
		}
		p.client.stash = append(p.client.stash, p.attempts...)
	}
	// After another error the connection is lost, and with it the knowledge of
	// what it carried.
	clear(p.attempts)
	p.attempts, p.batch = p.attempts[:0], p.batch[:0]
	if cap(p.batch) > batchMemory {
		p.batch = nil
	}
}

// lone reports whether what is about to be written is the only call in flight, and its
// confirm nothing that the caller waits for.
func (p *publisher) lone() bool {
	oc := p.attempts[0].call
	return p.confirms && p.client.pending.count.Load() == 1 && oc.req.kind == Unary && !oc.send.rejectPublish
}

// outgoingMessage makes the messages of attempts, in memory that it uses again:
// a message is encoded before the next one is made.
type outgoingMessage struct {
	headers amqp.Table
	expiry  expiryCache
}

func (m *outgoingMessage) of(c *Client, a *attempt, replyTo string) amqp.Publishing {
	oc := a.call
	if m.headers == nil {
		m.headers = make(amqp.Table)
	}
	clear(m.headers)
	a.header.into(m.headers)
	if a.n > 1 {
		m.headers[headerAttempt] = int32(a.n)
	}
	if oc.req.kind == Unary {
		if c.pending.count.Load() > 1 { // a lone call's reply has none to go with
			m.headers[headerBatches] = true
		}
		if oc.send.liveness > 0 {
			m.headers[headerHeartbeat] = oc.send.liveness.Milliseconds()
		}
		if c.cfg.bounce {
			m.headers[headerClient] = c.prefix
		}
	}
	pub := amqp.Publishing{
		Headers:       m.headers,
		ContentType:   oc.req.contentType,
		CorrelationId: a.id,
		MessageId:     oc.req.id,
		ReplyTo:       replyTo,
		Body:          oc.req.body,
	}
	if oc.send.persistent {
		pub.DeliveryMode = amqp.Persistent
	}
	a.expiry.into(&pub, &m.expiry)
	return pub
}

func errBlocked(queue string) *Error {
	return localError(CodeResourceExhausted, OutcomeNotSent,
		"call %s: the broker takes no messages now: it is short of memory or disk (connection.blocked)", queue)
}

// watch waits until the channel is closed, and tells ended why it was if it was in use.
func (p *publisher) watch(ended func(error)) {
	e := <-p.closed
	switch {
	case p.retired.Load():
	case e != nil:
		ended(fmt.Errorf("the channel of the requests was closed: %w", e))
	default:
		ended(errors.New("the channel of the requests was closed"))
	}
}

// returned ends the attempt that no queue took. The return of a message comes
// before its confirm.
func (p *publisher) returned(r *content) {
	c := p.client
	c.stats.returned.Add(1)
	number, n, ok := parseCorrelationID(c.prefix, r.props.CorrelationID)
	if !ok {
		return
	}
	oc := c.pending.get(number)
	if oc == nil {
		return
	}
	if a := oc.inFlight(); a != nil && a.n == n {
		a.settle(localError(CodeUnavailable, OutcomeNotExecuted,
			"call %s: there is no such queue (%d %s): has a server registered it on this virtual host?", r.key, r.code, r.text))
	}
}

func (p *publisher) confirmed(tag uint64, multiple, ack bool) {
	if !multiple {
		p.settle(p.window.take(tag), ack)
		return
	}
	for {
		a, more := p.window.takeUpTo(tag)
		if !more {
			return
		}
		p.settle(a, ack)
	}
}

func (p *publisher) settle(a *attempt, ack bool) {
	switch {
	case a == nil:
	case ack:
		a.acked.Store(true)
		p.refusals.took(a.call.req.queue)
		if a.call.req.kind == Notification {
			a.settle(nil)
		}
	case a.call.send.rejectPublish:
		p.client.stats.nacked.Add(1)
		a.settle(localError(CodeResourceExhausted, OutcomeNotExecuted,
			"call %s: the queue is full (basic.nack; overflow reject-publish)", a.call.req.queue))
	default:
		p.client.stats.nacked.Add(1)
		p.refusals.refused(a.call.req.queue)
		a.settle(localError(CodeUnavailable, OutcomeUnknown,
			"call %s: the broker refused the request (basic.nack): the queue is full, too many bytes, or its node is gone", a.call.req.queue))
	}
}

// window holds what was published and not yet confirmed, by the order of
// publishing, which is what confirms count.
type window struct {
	mu    sync.Mutex
	first uint64 // the delivery tag of ring[head], less one
	head  int
	ring  []*attempt
}

func (w *window) add(as []*attempt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.head > 64 && w.head*2 > len(w.ring) {
		n := copy(w.ring, w.ring[w.head:])
		clear(w.ring[n:])
		w.ring = w.ring[:n]
		w.head = 0
	}
	w.ring = append(w.ring, as...)
}

func (w *window) empty() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.head == len(w.ring)
}

// undo takes back the last n of what was added.
func (w *window) undo(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ring = w.ring[:len(w.ring)-n]
}

// takeUpTo takes the first attempt that is left if its tag is at most tag; it may
// have been taken already, and is nil then.
func (w *window) takeUpTo(tag uint64) (a *attempt, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.first >= tag || w.head == len(w.ring) {
		return nil, false
	}
	a = w.ring[w.head]
	w.ring[w.head] = nil
	w.head++
	w.first++
	return a, true
}

// take returns the attempt with that delivery tag and forgets it.
func (w *window) take(tag uint64) *attempt {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := w.head + int(tag-w.first) - 1
	if tag <= w.first || i >= len(w.ring) {
		return nil
	}
	a := w.ring[i]
	w.ring[i] = nil
	for w.head < len(w.ring) && w.ring[w.head] == nil {
		w.head++
		w.first++
	}
	return a
}
