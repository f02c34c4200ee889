package messaging

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/transport"
)

// subscription is a consumer's time with one channel.
type subscription struct {
	consumer *Consumer
	conn     *Conn
	ch       *Channel
	ctx      context.Context // of what is delivered: done when the channel is lost
	cancel   context.CancelFunc
	writer   replyChannel

	cancelled chan struct{} // closed when the broker has cancelled the consumer
	full      chan struct{} // receives when no more work is to be taken
	drained   chan struct{} // closed when nothing is left to do for any delivery
	left      atomic.Int64  // deliveries that are not answered
	written   atomic.Int64  // answers
	unsure    int           // answers that the broker may not have taken, after the drain

	mu      sync.Mutex // never held while anything is waited for: the reading goroutine takes it
	deaf    bool       // no more deliveries are taken
	open    int        // deliveries in hand, tasks to be written, and one until it is deaf
	strings protocol.Interner
}

// subscribe opens a channel, declares the queue and consumes it.
func (c *Consumer) subscribe(ctx context.Context, conn *Conn) (_ *subscription, err error) {
	s := &subscription{
		consumer: c, conn: conn, open: 1,
		cancelled: make(chan struct{}), full: make(chan struct{}, 1), drained: make(chan struct{}),
	}
	s.writer.init(s)
	s.ctx, s.cancel = context.WithCancel(c.Base)
	defer func() {
		if err != nil {
			s.cancel()
		}
	}()
	if s.ch, err = conn.Open(ctx, s); err != nil {
		return nil, err
	}
	if err = s.start(ctx); err != nil {
		if !conn.IsClosed() {
			s.ch.Close(ctx)
		}
		return nil, err
	}
	c.adopt(s)
	return s, nil
}

func (s *subscription) start(ctx context.Context) error {
	c := s.consumer
	if err := c.Declare(ctx, s.ch); err != nil {
		return err
	}
	if err := s.ch.Prefetch(ctx, c.Prefetch); err != nil {
		return fmt.Errorf("set the prefetch of queue %q: %w", c.Queue, err)
	}
	if err := s.ch.Consume(ctx, c.Queue, protocol.ConsumerTag, false, 0); err != nil {
		return c.explainConsume(err)
	}
	return nil
}

// lost reports whether the channel is lost.
func (s *subscription) lost() bool { return s.ctx.Err() != nil }

// drop gives the channel up: the broker will deliver again what is not settled.
func (s *subscription) drop() {
	s.cancel()
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

func (s *subscription) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open--; s.open == 0 {
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
	case e := <-s.ch.Closed():
		if e == nil {
			return errors.New("the channel was closed")
		}
		return fmt.Errorf("the channel was closed: %w", e)
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
	err := s.ch.Cancel(limit, protocol.ConsumerTag)
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
		case <-s.ctx.Done():
			return
		}
	}
	limit, cancel = context.WithTimeout(c.Base, SetupTimeout)
	defer cancel()
	s.ch.Consume(limit, c.Queue, protocol.ConsumerTag, false, 0) // an error is the channel's end
}

// retire closes the channel of a subscription that gets no more deliveries, when all
// are answered: a connection has only so many channels.
func (s *subscription) retire(ctx context.Context) {
	select {
	case <-s.drained:
	case <-s.ctx.Done():
	}
	s.ch.Close(ctx) // an error is the connection's end
}

// Deliver implements transport.Receiver.
func (s *subscription) Deliver(m *Message) {
	if !s.hold(true) {
		return // the channel is lost: the message will be delivered again
	}
	c := s.consumer
	s.left.Add(1)
	w := c.Accept(m, &s.strings)
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

// Returned implements transport.Receiver.
func (s *subscription) Returned(m *Message) {
	s.consumer.Returned(protocol.CountReplies(&m.Properties, m.Body))
}

// Confirmed implements transport.Receiver.
func (s *subscription) Confirmed(uint64, bool, bool) {}

// Closed implements transport.Receiver.
func (s *subscription) Closed(*transport.Exception) {}

// Cancelled implements transport.Receiver.
func (s *subscription) Cancelled() {
	if !isClosed(s.cancelled) {
		close(s.cancelled)
	}
}
