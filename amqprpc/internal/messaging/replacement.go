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
	begun  chan struct{}
	mu     sync.Mutex
	queues map[string]time.Time // since when
}

func (r *refusals) init() { r.begun = make(chan struct{}, 1) }

func (r *refusals) refused(queue string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.queues[queue]; known || len(r.queues) >= refusingMost {
		return
	}
	if r.queues == nil {
		r.queues = make(map[string]time.Time)
	}
	r.queues[queue] = time.Now()
	r.count.Store(int32(len(r.queues)))
	signal(r.begun)
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

// replaceChannels replaces the channel of what is confirmed when it goes on
// refusing, and keeps the old one until what it carries is known.
func (x *publishing) replaceChannels(ctx context.Context, tasks *sync.WaitGroup, c *publishChannel, ended func(error)) {
	pause := refusalsBorne
	for last := time.Now(); ctx.Err() == nil; {
		queue, since := c.refusals.longest()
		if queue == "" {
			select {
			case <-c.refusals.begun:
			case <-ctx.Done():
			}
			continue
		}
		if since.Sub(last) > 10*pause {
			pause = refusalsBorne
		}
		if wait := max(refusalsBorne-time.Since(since), pause-time.Since(last)); wait > 0 {
			sleep(ctx, wait)
			continue
		}
		last, pause = time.Now(), min(2*pause, replacementPauseMost)
		next, err := x.openConfirmed(ctx)
		if err != nil {
			x.Log.Warn("amqprpc: a queue goes on refusing requests, and no new channel could be opened", "queue", queue, "error", err)
			continue
		}
		x.Log.Warn("amqprpc: a queue goes on refusing requests; they go through a new channel now", "queue", queue)
		tasks.Go(func() { next.watch(ctx, ended) })
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
		c.ch.Close(ctx)
	}
}
