package amqprpc

import (
	"context"
	"slices"
	"strconv"
	"time"
)

// A slow handler leaves a gap in the delivery tags of its channel: what comes after it
// is acknowledged request by request, where a run without a gap takes one
// acknowledgement for many, and each costs the broker a tenth of what a call does. So
// where slow handlers are rare, a lane with a gap rests until its requests are answered,
// and another one, with a channel of its own, consumes the queue meanwhile.

const (
	// relayAfter is how many requests are settled beyond a gap before another lane is to
	// consume, and again when it is asked whether one can.
	relayAfter = 16
	// relayWorth is how many have to have been settled without a gap before.
	relayWorth = 128
	// relayPause is how often that happens at most: to cancel and to consume costs the
	// broker some ten acknowledgements.
	relayPause = 5 * time.Millisecond
	// relayRetry is how soon it is tried again to open a channel for a lane.
	relayRetry = 10 * time.Second
	// relayLanes is how many lanes a queue has at most.
	relayLanes = 8
)

// gapWatch finds a gap in a lane's acknowledgements that is worth another lane.
type gapWatch struct {
	since uint64 // the lowest tag outstanding when a gap was closed last
	open  bool
	worth bool
	askAt int // how many are to be settled beyond the gap
}

// asks reports whether another lane is to consume.
func (g *gapWatch) asks(a *acknowledgements) bool {
	beyond := a.beyond()
	if beyond < relayAfter {
		if g.open {
			*g = gapWatch{since: a.lowest()}
		}
		return false
	}
	if !g.open {
		g.open = true
		g.worth = a.lowest()-g.since >= relayWorth
	}
	asks := g.worth && beyond >= g.askAt
	if asks || beyond+relayAfter < g.askAt { // the lowest of several gaps may be closed
		g.askAt = beyond + relayAfter
	}
	return asks
}

// relay is the lanes of one queue on one connection, of which one consumes.
type relay struct {
	ep      *serverEpoch
	queue   *servedQueue
	over    <-chan struct{} // closed when the server drains
	resting []*lane
	after   time.Time // when one may relieve another
}

// follow waits until the lane that consumes gets no more requests, and returns it; or
// nil, when ctx is done before.
func (r *relay) follow(ctx context.Context, ln *lane) *lane {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ln.pumped:
			return ln
		case <-ln.gapped:
			ln = r.relieve(ln)
		}
	}
}

// relieve has another lane consume instead of ln, and returns the one that consumes. For
// a moment both do, lest anybody find the queue without a consumer.
func (r *relay) relieve(ln *lane) *lane {
	if time.Now().Before(r.after) {
		return ln
	}
	next := r.next()
	if next == nil {
		return ln
	}
	r.after = time.Now().Add(relayPause)
	r.resting = append(r.resting, ln)
	ln.rest(r.ep.base)
	return next
}

// next returns a lane that consumes: one that has rested, or a new one. It is nil where
// there is none.
func (r *relay) next() *lane {
	r.resting = slices.DeleteFunc(r.resting, func(ln *lane) bool {
		over := isClosed(ln.pumped)
		if over {
			r.ep.tasks.Go(ln.retire)
		}
		return over
	})
	for i, ln := range r.resting {
		if ln.rested.Load() && ln.left.Load() == 0 {
			r.resting = slices.Delete(r.resting, i, i+1)
			if !ln.resume(r.ep.base) {
				return nil
			}
			return ln
		}
	}
	if len(r.resting)+1 >= relayLanes {
		return nil
	}
	ln, err := r.open(r.ep.base)
	if err != nil {
		r.after = time.Now().Add(relayRetry)
	}
	return ln
}

// open returns a new lane that consumes.
func (r *relay) open(ctx context.Context) (*lane, error) {
	ln, err := r.queue.openLane(ctx, r.ep.base, r.ep.link, r.over)
	if err == nil {
		r.ep.add(ln)
	}
	return ln, err
}

// relays reports whether the queue may be consumed by several lanes in turn: not where
// a consumer that is cancelled may leave the queue to another server. At most once, there
// is no gap that lasts.
func (q *servedQueue) relays() bool {
	cfg := &q.endpoint.cfg
	_, single := cfg.queue.arguments()[argSingleActiveConsumer]
	return !single && !cfg.queue.Passive && !cfg.atMostOnce
}

// consume has the broker deliver the queue's requests to the lane.
func (ln *lane) consume() (err error) {
	ln.consumers++
	ln.deliveries, err = ln.ch.Consume(ln.queue.endpoint.queue, ln.tag(), false, false, false, false, nil)
	return err
}

// tag is the tag of the lane's consumer. A second one of a channel has one of its own: to
// a quorum queue, one with the tag of one that was cancelled is the same.
func (ln *lane) tag() string {
	if ln.consumers == 1 {
		return consumerTag
	}
	return consumerTag + strconv.Itoa(ln.consumers)
}

// rest ends the lane's consumer. The requests that it has are answered as ever. There is
// no limit to how long that takes, nor to resume: a broker that is short of memory reads
// nothing, and the connection is to outlast that.
func (ln *lane) rest(base context.Context) {
	ln.rests.Store(true)
	tag := ln.tag()
	ln.queue.server.tasks.Go(func() {
		ln.link.do(base, func() error { return ln.ch.Cancel(tag, false) }) // an error of it is the channel's end
	})
}

// sleep waits while the lane rests, and reports whether it consumes again.
func (ln *lane) sleep() bool {
	ln.rested.Store(true)
	select {
	case consumes := <-ln.resumed:
		return consumes
	case <-ln.over:
		return !ln.rested.CompareAndSwap(true, false) && <-ln.resumed
	case <-ln.ctx.Done():
	case e := <-ln.closed:
		if left := ln.left.Load(); left > 0 && !ln.link.conn.IsClosed() {
			ln.queue.server.log.Warn("amqprpc: a channel was closed; what it had of requests will be delivered again",
				"queue", ln.queue.endpoint.queue, "requests", left, "error", e)
		}
		ln.cancel()
		ln.ch.unlisten()
	}
	return false
}

// resume has a lane that has rested consume again, and reports whether it does.
func (ln *lane) resume(base context.Context) bool {
	if !ln.rested.CompareAndSwap(true, false) {
		return false
	}
	ln.rests.Store(false)
	select {
	case <-ln.gapped: // from before
	default:
	}
	err := ln.link.do(base, ln.consume)
	ln.resumed <- err == nil
	return err == nil
}
