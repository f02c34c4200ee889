package messaging

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/transport"
)

// queuesPerChannel is how many queues share a channel. The broker works off what comes on
// one channel in batches, and one acknowledgement settles requests of several queues. The
// replies to one client share a message only if their requests came on one channel.
const queuesPerChannel = 512

// sharedChannel is a channel on which a server consumes queues, and sends their replies
// and acknowledgements. It implements transport.Receiver.
type sharedChannel struct {
	pool    *channelPool
	alone   bool            // for one queue only, which is declared on it
	ch      *Channel        // nil until the first consumer starts
	ctx     context.Context // of what is delivered: done when the channel is lost
	cancel  context.CancelFunc
	writer  replyChannel
	strings protocol.Interner

	mu        sync.Mutex            // never held while anything is waited for
	consuming map[int]*subscription // by number
	next      int                   // the number of the next one
	over      atomic.Bool           // no consumer starts any more

	turn     chan struct{} // holds something while a consumer starts; it guards what follows
	prefetch int           // of the consumer that starts next

	users []*subscription // the pool guards them

	// Why the broker has closed the channel. Both are final when ch.Closed receives.
	why     *transport.Exception
	culprit *Consumer // of a delivery that was not acknowledged in time
}

func newSharedChannel(base context.Context, pool *channelPool) *sharedChannel {
	c := &sharedChannel{pool: pool, turn: make(chan struct{}, 1), consuming: make(map[int]*subscription)}
	c.ctx, c.cancel = context.WithCancel(base)
	c.writer.init(c)
	return c
}

// place gives s a place, if there is one. RabbitMQ 4.3 closes the connection if the tag of a
// consumer that it has cancelled is used again on the channel, so no number comes again.
func (c *sharedChannel) place(s *subscription) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.consuming) == queuesPerChannel {
		return false
	}
	s.channel, s.number = c, c.next
	c.next++
	c.consuming[s.number] = s
	c.users = append(c.users, s)
	return true
}

// vacate frees the place of s, which gets no deliveries any more. It reports whether s had
// its place still.
func (c *sharedChannel) vacate(s *subscription) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	had := c.consuming[s.number] == s
	if had {
		delete(c.consuming, s.number)
	}
	return had
}

// consume starts the consumer of s, on a channel that it opens for the first one. The
// prefetch of a channel is that of the consumers that start after it was set. ctx bounds
// the wait for others; to give up in the middle costs the connection.
func (c *sharedChannel) consume(ctx context.Context, s *subscription) error {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-c.turn }()
	limit, cancel := context.WithTimeout(c.pool.base, SetupTimeout)
	defer cancel()
	if c.over.Load() {
		return transport.ErrClosed
	}
	queue, prefetch := s.consumer.Queue, s.consumer.Prefetch
	if c.ch == nil {
		ch, err := c.pool.conn.Open(limit, c)
		if err != nil {
			c.over.Store(true)
			return fmt.Errorf("consume queue %q: %w", queue, err)
		}
		c.ch = ch
	}
	if prefetch != c.prefetch {
		if err := c.ch.Prefetch(limit, prefetch); err != nil {
			return fmt.Errorf("set the prefetch of queue %q: %w", queue, err)
		}
		c.prefetch = prefetch
	}
	if c.alone { // right before: a queue may expire soon
		if err := s.consumer.Declare(limit, c.ch); err != nil {
			return err
		}
	}
	if err := c.ch.Consume(limit, queue, s.tag(), false, 0); err != nil {
		return s.consumer.explainConsume(err)
	}
	return nil
}

// reason says why the channel was closed, to one of its queues.
func (c *sharedChannel) reason() error {
	switch {
	case c.why == nil:
		return errors.New("the channel was closed")
	case c.pool.shares(c):
		return fmt.Errorf("the channel was closed, which the queue shares with others: %w", c.why)
	default:
		return fmt.Errorf("the channel was closed: %w", c.why)
	}
}

// at returns the subscription whose consumer has a tag; nil if there is none.
func (c *sharedChannel) at(tag []byte) *subscription {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.consuming[numberOf(tag)]
}

// Deliver implements transport.Receiver.
func (c *sharedChannel) Deliver(m *Message) {
	if s := c.at(m.ConsumerTag); s != nil {
		s.deliver(m)
	}
}

// Returned implements transport.Receiver.
func (c *sharedChannel) Returned(m *Message) {
	c.pool.replies.Returned(protocol.CountReplies(&m.Properties, m.Body))
}

// Confirmed implements transport.Receiver.
func (c *sharedChannel) Confirmed(uint64, bool, bool) {}

// Cancelled implements transport.Receiver.
func (c *sharedChannel) Cancelled(tag string) {
	if s := c.at([]byte(tag)); s != nil {
		s.gone()
	}
}

// Closed implements transport.Receiver.
func (c *sharedChannel) Closed(e *transport.Exception) {
	c.over.Store(true)
	if c.why = e; timedOut(e) {
		c.culprit = c.pool.oldest(c)
	}
}

// tag is the tag of the consumer. It is short, since each delivery has it.
func (s *subscription) tag() string {
	if s.number == 0 {
		return protocol.ConsumerTag
	}
	return protocol.ConsumerTag + "." + strconv.Itoa(s.number)
}

// numberOf returns the number in a consumer tag.
func numberOf(tag []byte) (number int) {
	for _, c := range tag[min(len(tag), len(protocol.ConsumerTag)):] {
		if c >= '0' && c <= '9' {
			number = 10*number + int(c-'0')
		}
	}
	return max(number, 0)
}
