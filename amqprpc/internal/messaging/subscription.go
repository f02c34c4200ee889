package messaging

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/transport"
)

// subscription is a consumer's time with one channel.
type subscription struct {
	consumer *Consumer
	channel  *sharedChannel
	number   int // on the channel; its tag comes from it

	cancelled chan struct{} // closed when the broker has cancelled the consumer
	full      chan struct{} // receives when no more work is to be taken
	drained   chan struct{} // closed when nothing is left to do for any delivery
	left      atomic.Int64  // deliveries that are not answered
	written   atomic.Int64  // answers
	unsure    int           // answers that the broker may not have taken, after the drain

	mu   sync.Mutex // never held while anything is waited for: the reading goroutine takes it
	deaf bool       // no more deliveries are taken
	open int        // deliveries in hand, tasks to be written, and one until it is deaf

	// The reply writer's:
	posted   int // tasks to release when they are written
	finished int // answers that are about to be written
}

// subscribe declares the queue and consumes it. ctx bounds the waits for other queues.
func (c *Consumer) subscribe(ctx context.Context, pool *channelPool) (*subscription, error) {
	if !c.alone {
		if err := pool.declare(ctx, c.Declare); err != nil {
			return nil, err
		}
	}
	s := &subscription{
		consumer: c, open: 1,
		cancelled: make(chan struct{}), full: make(chan struct{}, 1), drained: make(chan struct{}),
	}
	for {
		pool.join(s, c.alone)
		err := s.channel.consume(ctx, s)
		if err == nil {
			break
		}
		pool.leave(s)
		if !errors.Is(err, transport.ErrClosed) || pool.conn.IsClosed() {
			return nil, err
		} // the broker has closed the channel because of another queue
	}
	c.adopt(s)
	return s, nil
}

// lost reports whether the channel is lost.
func (s *subscription) lost() bool { return s.channel.ctx.Err() != nil }

// drop gives the channel up: the broker will deliver again what is not settled.
func (s *subscription) drop() {
	s.channel.cancel()
	s.deafen()
}

// deafen has no more deliveries taken.
func (s *subscription) deafen() {
	s.mu.Lock()
	first := !s.deaf
	s.deaf = true
	s.mu.Unlock()
	if first {
		s.release()
	}
}

// hold says that one thing more is to be done, unless all is done, or no deliveries
// are taken any more and a new one wants it.
func (s *subscription) hold(forNew bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == 0 || forNew && s.deaf {
		return false
	}
	s.open++
	return true
}

func (s *subscription) release() { s.releaseAll(1) }

// releaseAll is n times release.
func (s *subscription) releaseAll(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open -= n; s.open == 0 {
		close(s.drained)
	}
}

// post hands a task to the reply writer, unless the channel is lost or about to be
// closed because all is done.
func (s *subscription) post(t task) bool {
	if s.lost() || !s.hold(false) {
		return false
	}
	s.consumer.Replies.box.add(t)
	return true
}

// take posts the reply of a delivery that came on another channel.
func (s *subscription) take(t task) bool {
	t.delivery.sub = s
	s.left.Add(1)
	if s.post(t) {
		return true
	}
	s.left.Add(-1)
	return false
}

// end says why no more deliveries come; nil if the broker has cancelled the consumer
// and the channel still stands, as when the queue was deleted.
func (s *subscription) end(ctx context.Context) (err error) {
	select {
	case <-s.channel.ch.Closed():
		return s.channel.reason()
	case <-s.cancelled:
		return nil
	case <-s.full:
		return errFull
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

var errFull = errors.New("no more work is taken")

// pause cancels the consumer and gives back what has not begun, so that another server can
// have it. It consumes again when there is room.
func (s *subscription) pause(ctx context.Context) {
	c := s.consumer
	if !c.Full() {
		return
	}
	limit, cancel := context.WithTimeout(c.Base, SetupTimeout)
	err := s.channel.ch.Cancel(limit, s.tag())
	cancel()
	for _, w := range c.workers.waiting() {
		d := w.Base()
		d.Finish(Done{Requeue: true})
		d.release()
		c.GivenBack(w)
	}
	for err == nil && !c.Roomy() {
		select {
		case <-c.room:
		case <-ctx.Done():
			return
		case <-s.channel.ctx.Done():
			return
		}
	}
	// A queue that was deleted meanwhile would cost the channel.
	if !s.channel.alone && s.channel.pool.declare(ctx, c.Declare) != nil {
		s.gone()
		return
	}
	s.channel.consume(ctx, s) // an error is the channel's end
}

// retire leaves the channel of a subscription that gets no more deliveries, when all are
// answered.
func (s *subscription) retire() {
	select {
	case <-s.drained:
	case <-s.channel.ctx.Done():
	}
	s.channel.pool.leave(s)
}

// gone says that there is no consumer any more.
func (s *subscription) gone() {
	if s.channel.vacate(s) {
		close(s.cancelled)
	}
}

// deliver takes a delivery, on the reading goroutine.
func (s *subscription) deliver(m *Message) {
	c := s.consumer
	if !s.hold(true) { // the channel may live on for others
		c.Replies.box.add(task{delivery: &Delivery{sub: s, tag: m.Tag}, kind: giveBack})
		return
	}
	s.left.Add(1)
	w := c.Accept(m, &s.channel.strings)
	if w == nil {
		d := &Delivery{sub: s, tag: m.Tag}
		d.Finish(Done{Reject: true})
		s.release()
		return
	}
	d := w.Base()
	d.sub, d.tag = s, m.Tag
	c.workers.add(w)
	if c.Full != nil && c.Full() {
		signal(s.full)
	}
}
