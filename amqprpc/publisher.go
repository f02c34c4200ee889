package amqprpc

import (
	"context"
	"errors"
	"fmt"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

// publisher is a channel that requests are published on. It follows what the
// broker says of each: confirmed, refused, or returned for want of a queue.
type publisher struct {
	client   *Client
	link     *link
	ch       *amqp.Channel
	confirms chan amqp.Confirmation // nil without confirms
	returns  chan amqp.Return
	closed   chan *amqp.Error
	window   window
}

func newPublisher(ctx context.Context, c *Client, l *link, confirmed bool) (*publisher, error) {
	ch, err := l.channel(ctx)
	if err != nil {
		return nil, err
	}
	p := &publisher{client: c, link: l, ch: ch}
	if confirmed {
		if err := l.do(ctx, func() error { return ch.Confirm(false) }); err != nil {
			return nil, fmt.Errorf("ask for publisher confirms: %w", err)
		}
		p.confirms = ch.NotifyPublish(make(chan amqp.Confirmation, notifyBuffer))
	}
	p.returns = ch.NotifyReturn(make(chan amqp.Return, notifyBuffer))
	p.closed = ch.NotifyClose(make(chan *amqp.Error, 1))
	return p, nil
}

// publish writes the attempts that callers have queued, until ctx is done. It is
// the only goroutine that publishes, so that a stalled connection holds up no
// caller beyond its ctx, and so that what is queued can be told from what is
// written.
func (c *Client) publish(ctx context.Context, ep *clientEpoch) {
	stash := c.stash
	c.stash = nil
	for _, a := range stash {
		c.write(ep, a)
	}
	for {
		var a *attempt
		select {
		case a = <-c.outbox:
		case <-ctx.Done():
			return
		}
		ep.link.sock.cork()
		for n := 1; ; n++ {
			c.write(ep, a)
			if n == publishBatch {
				break
			}
			select {
			case a = <-c.outbox:
				continue
			default:
			}
			break
		}
		ep.link.sock.uncork()
	}
}

// write publishes one attempt, unless its caller has given up or the broker
// takes nothing.
func (c *Client) write(ep *clientEpoch, a *attempt) {
	oc := a.call
	if c.blocked.Load() {
		if a.state.CompareAndSwap(attemptQueued, attemptAbandoned) {
			a.settle(errBlocked(oc.queue))
		}
		return
	}
	a.epoch.Store(ep.number)
	if !a.state.CompareAndSwap(attemptQueued, attemptWritten) {
		return
	}
	p, replyTo := ep.calls, ep.replyTo
	if oc.kind == Notification {
		p, replyTo = ep.notifications, ""
	}
	if p.confirms != nil {
		p.window.add(a)
	}
	err := p.ch.Publish("", oc.queue, true, false, c.message.of(c, a, replyTo))
	switch {
	case err == nil:
	case errors.Is(err, amqp.ErrClosed):
		// Nothing was written of it: it is for the next connection.
		if p.confirms != nil {
			p.window.undo()
		}
		a.state.Store(attemptQueued)
		c.stash = append(c.stash, a)
	default:
		// The connection is lost, and with it the knowledge of what it carried.
	}
}

// outgoingMessage makes the messages of attempts, in memory that it uses again:
// the driver has encoded a message before Publish returns.
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
	if oc.kind == Unary {
		if oc.send.liveness > 0 {
			m.headers[headerHeartbeat] = oc.send.liveness.Milliseconds()
		}
		if c.cfg.bounce {
			m.headers[headerClient] = c.prefix
		}
	}
	pub := amqp.Publishing{
		Headers:       m.headers,
		ContentType:   oc.contentType,
		CorrelationId: a.id,
		MessageId:     oc.id,
		ReplyTo:       replyTo,
		Body:          oc.body,
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

// watch follows confirms and returns until the channel is closed, and says why
// it was. A return comes before the confirm of its message, on the wire; so the
// returns at hand are looked at first.
func (p *publisher) watch() error {
	confirms, returns := p.confirms, p.returns
	for confirms != nil || returns != nil {
		select {
		case r, ok := <-returns:
			if !ok {
				returns = nil
				continue
			}
			p.returned(&r)
		case cf, ok := <-confirms:
			if !ok {
				confirms = nil
				continue
			}
			for n := len(returns); n > 0; n-- {
				if r, ok := <-returns; ok {
					p.returned(&r)
				}
			}
			p.confirmed(cf)
		}
	}
	if e := <-p.closed; e != nil {
		return fmt.Errorf("the channel of the requests was closed: %w", e)
	}
	return errors.New("the channel of the requests was closed")
}

func (p *publisher) returned(r *amqp.Return) {
	c := p.client
	c.stats.returned.Add(1)
	number, n, ok := parseCorrelationID(c.prefix, r.CorrelationId)
	if !ok {
		return
	}
	oc := c.pending.get(number)
	if oc == nil {
		return
	}
	if a := oc.inFlight(); a != nil && a.n == n {
		a.settle(localError(CodeUnavailable, OutcomeNotExecuted,
			"call %s: there is no such queue (%d %s): has a server registered it on this virtual host?", r.RoutingKey, r.ReplyCode, r.ReplyText))
	}
}

func (p *publisher) confirmed(cf amqp.Confirmation) {
	a := p.window.take(cf.DeliveryTag)
	if a == nil {
		return
	}
	if !cf.Ack {
		p.client.stats.nacked.Add(1)
		if a.call.send.rejectPublish {
			a.settle(localError(CodeResourceExhausted, OutcomeNotExecuted,
				"call %s: the queue is full (basic.nack; overflow reject-publish)", a.call.queue))
			return
		}
		a.settle(localError(CodeUnavailable, OutcomeUnknown,
			"call %s: the broker refused the request (basic.nack): the queue is full, too many bytes, or its node is gone", a.call.queue))
		return
	}
	a.acked.Store(true)
	if a.call.kind == Notification {
		a.settle(nil)
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

func (w *window) add(a *attempt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.head > 64 && w.head*2 > len(w.ring) {
		n := copy(w.ring, w.ring[w.head:])
		clear(w.ring[n:])
		w.ring = w.ring[:n]
		w.head = 0
	}
	w.ring = append(w.ring, a)
}

// undo takes back the last add.
func (w *window) undo() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ring = w.ring[:len(w.ring)-1]
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
