package amqprpc

import (
	"sync"
	"time"
)

// countDelivery finds out how often a request was delivered, and refuses one that was
// delivered too often: it is taken to kill its servers. It reports whether the
// request, delivered again where the broker does not count, must go back to the
// queue with its count before it is handled, so that the count is there should it
// kill this server too.
func (in *inbound) countDelivery() (goesBack bool) {
	e, m := in.endpoint, &in.message
	cfg := &e.cfg
	in.deliveries = max(m.Deliveries, 1)
	if cfg.queue.Type == "quorum" {
		// Publishers can set the count as well, so that it counts only on queues that
		// are known to be of that type.
		in.deliveries = max(m.DeliveryCount, 0) + 1
	} else if in.redelivered {
		in.deliveries++
	}
	if in.redelivered {
		in.deliveries = max(in.deliveries, 2)
	}
	counted := in.deliveries
	if in.redelivered {
		counted -= e.unstarted.of(in.ids(), cfg.queue.Type == "quorum")
	}
	switch {
	case cfg.atMostOnce && in.deliveries > 1:
		in.refusal = Errorf(CodeAborted, "the request was delivered before and may have run; it runs at most once here")
	case cfg.maxDeliveries > 0 && counted > cfg.maxDeliveries:
		e.server.stats.poisoned.Add(1)
		e.server.log.Error("amqprpc: request refused: it was delivered too often without an answer",
			"queue", e.queue, "deliveries", counted-1, "message_id", m.MessageID)
		in.refusal = Errorf(CodeAborted, "the request was delivered %d times without an answer: it may have killed its servers", counted-1)
		in.deadLetter = true
	case cfg.maxDeliveries > 0 && in.redelivered && counted == in.deliveries && e.canRequeue():
		return true
	}
	return false
}

// canRequeue reports whether a request can go to the queue's tail without being lost
// there, and whether that is what counts its deliveries.
func (e *endpoint) canRequeue() bool {
	c := &e.cfg.queue
	return c.Type != "quorum" && c.MaxLength == 0 && c.MaxLengthBytes == 0 && !c.Passive &&
		c.Arguments["x-max-length"] == nil && c.Arguments["x-max-length-bytes"] == nil
}

// requeue puts a request at the tail of its queue, with its count, and reports
// whether that is all there is to do here. Where it cannot be put there it is handled
// uncounted: better once too often than never. Where the users' names do not fit into a
// frame, the copy has none.
func (in *inbound) requeue() bool {
	properties := in.message.AppendRequeued(nil, in.deliveries, in.endpoint.server.user, time.Now())
	if most := in.FrameMax(); most > 0 && len(properties) > most-frameOverhead {
		properties = in.message.AppendRequeued(nil, in.deliveries, "", time.Now())
	}
	return in.Requeue(properties, in.req.wire()) || in.Lost()
}

// frameOverhead is what a frame with a message's properties has besides (AMQP 0-9-1, 2.3.5
// and 4.2.6.1).
const frameOverhead = 22

// unstarted remembers requests that this server had and lost with a channel before
// their handlers started. Such a delivery killed nobody, and does not count when the
// request comes to this server again. The zero value is ready.
type unstarted struct {
	mu   sync.Mutex
	lost map[requestIDs]int // how often
}

// requestIDs names a request on its queue, as far as its ids do.
type requestIDs struct{ correlationID, messageID, replyTo string }

// unstartedMost bounds the requests that are remembered: other servers get most of
// those that do not come back.
const unstartedMost = 1 << 16

// lose notes a request that is lost before it has started.
func (u *unstarted) lose(k requestIDs) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.lost == nil || len(u.lost) >= unstartedMost {
		u.lost = make(map[requestIDs]int)
	}
	u.lost[k]++
}

// of returns how many of a request's deliveries do not count: all of which the broker
// counts, or the last one.
func (u *unstarted) of(k requestIDs, all bool) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := u.lost[k]
	if all || n == 0 {
		return n
	}
	delete(u.lost, k)
	return 1
}

func (in *inbound) ids() requestIDs {
	return requestIDs{in.message.CorrelationID, in.message.MessageID, in.message.ReplyTo}
}
