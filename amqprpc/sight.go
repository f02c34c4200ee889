package amqprpc

import (
	"context"
	"errors"
	"fmt"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

// sight is what a passive declare showed of a queue
// (https://www.rabbitmq.com/docs/queues): how many requests wait in it, and how
// many servers consume it.
type sight struct {
	consumers, messages int
	err                 error // it could not be seen, or is not there
}

func (s *sight) String() string {
	if s == nil || s.err != nil {
		return ""
	}
	return fmt.Sprintf("; the queue has %d consumers and %d messages waiting", s.consumers, s.messages)
}

// gone reports whether there is no such queue.
func (s *sight) gone() bool { return amqpCode(s.err) == amqp.NotFound }

// hidden reports whether the queue is not this user's, or not this connection's, to
// look at.
func (s *sight) hidden() bool {
	code := amqpCode(s.err)
	return code == amqp.AccessRefused || code == amqp.ResourceLocked
}

// sights shares one look at a queue among all that want it at the same time.
type sights struct {
	mu   sync.Mutex
	open map[string]*looking
}

type looking struct {
	done chan struct{}
	got  sight
}

var errNotConnected = errors.New("there is no connection")

// look looks at a queue. It ends with ctx; the look itself ends with its
// connection at the latest.
func (c *Client) look(ctx context.Context, queue string) sight {
	c.sights.mu.Lock()
	l := c.sights.open[queue]
	if l == nil {
		ep := c.current.Load()
		if ep == nil || !ep.task() {
			c.sights.mu.Unlock()
			return sight{err: errNotConnected}
		}
		l = &looking{done: make(chan struct{})}
		if c.sights.open == nil {
			c.sights.open = make(map[string]*looking)
		}
		c.sights.open[queue] = l
		go func() {
			defer ep.tasks.Done()
			got := ep.inspect(queue)
			c.sights.mu.Lock()
			delete(c.sights.open, queue)
			c.sights.mu.Unlock()
			l.got = got
			close(l.done)
		}()
	}
	c.sights.mu.Unlock()
	select {
	case <-l.done:
		return l.got
	case <-ctx.Done():
		return sight{err: ctx.Err()}
	}
}

// inspect declares a queue passively, on a channel for that alone: the broker
// closes the channel when there is no such queue.
func (ep *clientEpoch) inspect(queue string) sight {
	ep.eyes <- struct{}{}
	defer func() { <-ep.eyes }()
	if ep.eye == nil || ep.eye.IsClosed() {
		ch, _, err := ep.link.open()
		if err != nil {
			return sight{err: err}
		}
		ep.eye = ch
	}
	q, err := ep.eye.QueueDeclarePassive(queue, true, false, false, false, nil)
	return sight{consumers: q.Consumers, messages: q.Messages, err: err}
}

// task notes a goroutine that the epoch waits for, unless it has ended.
func (ep *clientEpoch) task() bool {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.over {
		return false
	}
	ep.tasks.Add(1)
	return true
}
