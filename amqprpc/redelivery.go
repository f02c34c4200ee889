package amqprpc

import (
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
)

// countDelivery finds out how often a request was delivered. It refuses a request that was
// delivered too often, because this request probably kills its servers. If the broker does
// not count, a redelivered request must go back to the queue with its count before it is
// handled: if it then kills this server as well, the count survives. countDelivery reports
// whether this is so.
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
		in.refusal = Errorf(CodeAborted, "the request was delivered %s without an answer: it may have killed its servers", messaging.Counted(counted-1, "time"))
		in.deadLetter = true
	case cfg.maxDeliveries > 0 && in.redelivered && counted == in.deliveries && e.canRequeue():
		return true
	}
	return false
}

// canRequeue reports whether a request can be moved to the end of its queue without being
// lost there, and whether this is how its deliveries are counted.
func (e *endpoint) canRequeue() bool {
	c := &e.cfg.queue
	return c.Type != "quorum" && c.MaxLength == 0 && c.MaxLengthBytes == 0 && !c.Passive &&
		c.Arguments["x-max-length"] == nil && c.Arguments["x-max-length-bytes"] == nil
}

// requeue moves a request to the end of its queue, with its count. It returns true if
// nothing is left to do. If the request cannot be moved, it is handled without being
// counted: a handler that runs once too often is better than one that never runs.
func (in *inbound) requeue() bool {
	properties := in.message.AppendRequeued(nil, in.deliveries, time.Now())
	return in.Requeue(properties, in.req.body) || in.Lost()
}

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

// of returns how many deliveries of a request do not count. If the broker counts, this is
// the number of all lost deliveries. Otherwise it is at most one.
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
