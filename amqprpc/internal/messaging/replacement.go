package messaging

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A channel of RabbitMQ 3.10 that publishes to a quorum queue for the first time
// while the queue's leader is dead keeps to that leader: it refuses (basic.nack) all
// that it is given for that queue, for good, though there has long been another
// leader, to which a channel opened later does publish
// (https://github.com/rabbitmq/rabbitmq-server/blob/v3.10.8/deps/rabbit/src/rabbit_fifo_client.erl,
// enqueue). A client that has just reconnected is in that place. So a channel that
// goes on refusing is replaced.

const (
	// refusalsBorne is how long a queue may refuse all that a channel gives it
	// before a new channel is opened. A failover mostly takes less.
	refusalsBorne = time.Second
	// replacementPauseMost bounds the pause between two replacements, which doubles:
	// a queue may be full, and then no channel is better than another.
	replacementPauseMost = 30 * time.Second
	// retirement is how long a channel that nothing is written to any more is kept
	// for confirms that have not come.
	retirement = 30 * time.Second
	// refusingMost bounds how many queues are remembered.
	refusingMost = 256
)

// refusals are the queues that have refused all that a channel has given them since
// they first refused something.
type refusals struct {
	count  atomic.Int32 // of queues
	mu     sync.Mutex
	queues map[string]time.Time // since when
}

// refused notes a refusal, and reports whether it is the first of the queue.
func (r *refusals) refused(queue string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.queues[queue]; known || len(r.queues) >= refusingMost {
		return false
	}
	if r.queues == nil {
		r.queues = make(map[string]time.Time)
	}
	r.queues[queue] = time.Now()
	r.count.Store(int32(len(r.queues)))
	return true
}

func (r *refusals) took(queue string) {
	if r.count.Load() == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.queues, queue)
	r.count.Store(int32(len(r.queues)))
}

// longest returns the queue that has refused for longest; "" if there is none.
func (r *refusals) longest() (queue string, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for q, t := range r.queues {
		if queue == "" || t.Before(since) {
			queue, since = q, t
		}
	}
	return queue, since
}

// replaceIfRefused starts the goroutine that replaces channels, unless it runs. It is
// called on the reading goroutine.
func (x *publishing) replaceIfRefused(c *publishChannel) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.work == nil || x.replacing || c.retired.Load() {
		return
	}
	x.replacing = true
	ctx := x.work
	x.replacement.Go(func() { x.replaceChannels(ctx, c) })
}

// replaceChannels replaces the channel of what is confirmed as long as a queue goes on
// refusing, and keeps the old one until what it carries is known.
func (x *publishing) replaceChannels(ctx context.Context, c *publishChannel) {
	for ctx.Err() == nil {
		x.mu.Lock()
		queue, since := c.refusals.longest()
		if queue == "" {
			x.replacing = false
			x.mu.Unlock()
			return
		}
		x.mu.Unlock()
		if since.Sub(x.replaced) > 10*x.pause {
			x.pause = refusalsBorne
		}
		if wait := max(refusalsBorne-time.Since(since), x.pause-time.Since(x.replaced)); wait > 0 {
			sleep(ctx, wait)
			continue
		}
		x.replaced, x.pause = time.Now(), min(2*x.pause, replacementPauseMost)
		next, err := x.openConfirmed(x.use)
		if err != nil {
			x.Log.Warn("amqprpc: a queue goes on refusing requests, and no new channel could be opened", "queue", queue, "error", err)
			continue
		}
		x.Log.Warn("amqprpc: a queue goes on refusing requests; they go through a new channel now", "queue", queue)
		x.next.Store(next)
		c.retire(ctx)
		c = next
	}
}

// retire closes a channel that nothing is written to any more, once all of its
// confirms have come and, where replies come through it, the time of its calls is
// over.
func (c *publishChannel) retire(ctx context.Context) {
	c.retired.Store(true)
	select {
	case <-c.left:
	case <-ctx.Done():
		return
	}
	for end := time.Now().Add(retirement); !c.confirms.empty() && time.Now().Before(end) && ctx.Err() == nil; {
		sleep(ctx, 50*time.Millisecond)
	}
	sleep(ctx, time.Until(c.answered))
	if ctx.Err() == nil {
		c.ch.Close(c.owner.use)
	}
}
