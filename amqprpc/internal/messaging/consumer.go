package messaging

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// Consumer consumes one request queue, on one connection after the other. Its
// workers outlive connections, so that the bound on handlers holds across them.
type Consumer struct {
	Queue       string
	Prefetch    int
	Concurrency int
	// Declare makes or checks the queue, on a channel whose end it is if the broker
	// refuses.
	Declare func(ctx context.Context, ch *Channel) error
	// Accept makes Work of a message, on the reading goroutine. Nil rejects the
	// message.
	Accept func(m *Message, s *protocol.Interner) Work
	// Served is called when the queue is consumed, and when it is not any more, with
	// the reason and the time to the next try.
	Served   func()
	Unserved func(err error, wasServed bool, retryIn time.Duration)
	// Fatal reports whether a permanent error ends Serve now.
	Fatal func() bool
	// Full reports whether no more work is to be taken: the consumer then stops, and gives
	// back what has not begun, until Roomy reports that there is room again. GivenBack is
	// called for each. They are nil where the prefetch bounds the work.
	Full, Roomy func() bool
	GivenBack   func(Work)
	// Base is the ctx of all handlers.
	Base    context.Context
	Replies *ReplyWriter

	workers  workers
	requeuer requeuer
	alone    bool          // the queue has cost a channel: it shares none
	room     chan struct{} // receives when there may be room

	mu       sync.Mutex
	current  *subscription   // the latest
	subs     []*subscription // those whose deliveries may still be answered
	dropped  bool            // the connection was given up
	orphans  []task          // replies that wait for the next subscription
	orphaned int             // octets of their bodies
}

// Init makes the consumer ready.
func (c *Consumer) Init() {
	c.workers.init(c.Concurrency)
	c.room = make(chan struct{}, 1)
}

// Room has a consumer that has stopped look whether there is room again.
func (c *Consumer) Room() { signal(c.room) }

// Inject has a worker handle work that did not come from the queue, and that nobody
// acknowledges. Its reply goes on the channel of the queue. Inject returns false if the queue
// is not consumed now.
func (c *Consumer) Inject(w Work) bool {
	s := c.latest()
	if s == nil || s.lost() || !s.hold(true) {
		return false
	}
	d := w.Base()
	d.sub = s
	d.acked.Store(true)
	s.left.Add(1)
	c.workers.add(w)
	return true
}

// Each calls f with all work that is being handled. f must not wait.
func (c *Consumer) Each(f func(Work)) { c.workers.each(f) }

// serve consumes the queue until ctx is done, which it is when the connection is
// lost. A channel that is closed, or a consumer that the broker cancels, is made
// anew. The error is a permanent one, where Fatal says so, else nil. tried is called after
// the first attempt.
func (c *Consumer) serve(ctx context.Context, pool *channelPool, tasks *sync.WaitGroup, tried func()) error {
	defer tried()
	var wait backoff
	for ctx.Err() == nil {
		s, err := c.subscribe(ctx, pool)
		tried()
		if err != nil {
			if ctx.Err() != nil || pool.conn.IsClosed() {
				return nil // and whoever watches the connection says why
			}
			if IsPermanent(err) && c.Fatal() {
				return err
			}
			pause := wait.next()
			c.Unserved(err, false, pause)
			sleep(ctx, pause)
			continue
		}
		start := time.Now()
		c.Served()
		for err = s.end(ctx); err == errFull; err = s.end(ctx) {
			s.pause(ctx)
		}
		if ctx.Err() != nil || pool.conn.IsClosed() {
			return nil
		}
		if err != nil {
			if s.channel.culprit == c {
				err = c.timedOut(err)
			}
			s.drop()
		} else {
			s.deafen()
			tasks.Go(s.retire)
			err = errors.New("the broker cancelled the consumer: the queue was deleted, or its node is gone")
		}
		wait.lasted(time.Since(start))
		pause := wait.next()
		c.Unserved(err, true, pause)
		sleep(ctx, pause)
	}
	return nil
}

// timedOut reports whether a channel was closed since a delivery was not acknowledged
// in time (https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout).
func timedOut(err error) bool {
	return Code(err) == CodePreconditionFailed && strings.Contains(err.Error(), "timed out")
}

// timedOut notes that a delivery of this queue has cost its channel.
func (c *Consumer) timedOut(err error) error {
	if !c.alone {
		c.alone = true
		err = fmt.Errorf("%w; from now on the queue has a channel of its own, since its oldest request has cost this one", err)
	}
	if c.Prefetch > c.Concurrency {
		c.Prefetch = c.Concurrency
		err = fmt.Errorf("%w; from now on no more requests are prefetched than handlers run (WithConcurrency), since those that wait time out, too", err)
	}
	return err
}

// explainConsume says what the broker's refusal of a consumer means. The refusal has closed
// the channel, which the queue is to cost others only once.
func (c *Consumer) explainConsume(err error) error {
	err = fmt.Errorf("consume queue %q: %w", c.Queue, err)
	if _, large := TooLarge(err); large || timedOut(err) || Code(err) == 0 {
		return err // the channel was closed for something else
	}
	c.alone = true
	switch Code(err) {
	case CodeAccessRefused, CodeResourceLocked, CodePreconditionFailed, CodeNotAllowed:
		return Permanent(err)
	default:
		return err
	}
}

// adopt makes s the latest subscription, and gives it the replies that wait.
func (c *Consumer) adopt(s *subscription) {
	c.mu.Lock()
	c.current = s
	kept := c.subs[:0]
	for _, old := range c.subs {
		if !isClosed(old.drained) {
			kept = append(kept, old)
		}
	}
	c.subs = append(kept, s)
	orphans := c.orphans
	c.orphans, c.orphaned = nil, 0
	dropped := c.dropped
	c.mu.Unlock()
	if dropped {
		s.drop()
	}
	for _, t := range orphans {
		if !s.take(t) { // the channel is lost again
			c.redirect(t)
		}
	}
}

func (c *Consumer) latest() *subscription {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current
}

// The replies that wait for a connection are bounded by their number and their octets.
const (
	orphansMost      = 1 << 16
	orphanOctetsMost = 64 << 20
)

// redirect has a reply written on the latest channel, or the next. Its delivery is
// acknowledged, on a channel that is lost.
func (c *Consumer) redirect(t task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t = task{delivery: &Delivery{done: t.delivery.done}, kind: finish}
	t.delivery.acked.Store(true)
	if c.current != nil && c.current.take(t) {
		return
	}
	if size := len(t.delivery.done.Body); len(c.orphans) < orphansMost && c.orphaned+size <= orphanOctetsMost {
		c.orphans = append(c.orphans, t)
		c.orphaned += size
	}
}

// owedPause is how often a drain looks at what is owed, which is rare.
const owedPause = 10 * time.Millisecond

// owed is how many replies redirect is still to have: of what was acknowledged on a
// channel that is lost, and is being handled or, if it was injected, waits for a worker.
func (c *Consumer) owed() (n int) {
	c.workers.all(func(w Work) {
		if d := w.Base(); d.Acked() && d.sub.lost() {
			n++
		}
	})
	return n
}

// drop gives the connection up.
func (c *Consumer) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropped = true
	for _, s := range c.subs {
		s.drop()
	}
}

// begin forgets what was on an earlier connection.
func (c *Consumer) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.subs, c.dropped = nil, false
}

func (c *Consumer) subscriptions() []*subscription {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*subscription(nil), c.subs...)
}
