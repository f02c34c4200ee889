package amqprpc

import (
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// attempt is one message published for a call. It implements messaging.Item.
type attempt struct {
	call   *pendingCall
	header Header
	expiry moment // when the request expires; 0 is never
	n      int32  // 1 for the first

	state      atomic.Int32 // attemptQueued …
	connection atomic.Int64 // the number of the connection that it was written on
	acked      atomic.Bool  // confirmed by the broker

	resent bool // made by the client itself, after an attempt whose fate is unknown
	ended  bool // its error has been returned; guarded by the call's lock
}

const (
	attemptQueued    = iota // waits for the publisher
	attemptWritten          // handed to the connection: the broker may have it
	attemptAbandoned        // its caller gave up before it was written
	attemptGivenUp          // its caller gave up afterwards, and its servers are told
)

// abandon reports whether the attempt was not written and now never will be.
func (a *attempt) abandon() bool { return a.state.CompareAndSwap(attemptQueued, attemptAbandoned) }

// Claim implements messaging.Item. It fails an attempt that must not be published
// now.
func (a *attempt) Claim(connection int64, frameMax int) bool {
	var refusal *Error
	if a.call.client.blocked.Load() {
		refusal = errBlocked(a.call.req.queue)
	} else if err := headerFits(a.header, frameMax); err != nil {
		refusal = localError(CodeResourceExhausted, OutcomeNotSent, a.call.req.queue, "%w (the broker's frame_max)", err)
	}
	if refusal != nil {
		if a.abandon() {
			a.settle(refusal)
		}
		return false
	}
	a.connection.Store(connection)
	return a.state.CompareAndSwap(attemptQueued, attemptWritten)
}

// Unclaim implements messaging.Item. If the caller gave up meanwhile, the attempt stays
// abandoned: its cancel may have been sent already, so nothing would end its handler.
func (a *attempt) Unclaim() { a.state.CompareAndSwap(attemptWritten, attemptQueued) }

// Wanted implements messaging.Item: the attempt still counts for its call.
func (a *attempt) Wanted() bool {
	pc := a.call
	pc.mu.Lock()
	defer pc.mu.Unlock()
	return pc.current == a && !a.ended && !pc.over
}

// Queue implements messaging.Item.
func (a *attempt) Queue() string { return a.call.req.address() }

// NeedsConfirm implements messaging.Item: the confirm is all that a notification
// waits for.
func (a *attempt) NeedsConfirm() bool { return a.call.req.kind == KindNotification }

// Size implements messaging.Item.
func (a *attempt) Size() int { return len(a.call.req.wire()) }

// Taken implements messaging.Item. A notification keeps waiting for a confirm that will not
// come. loseChannel ends this wait.
func (a *attempt) Taken() {
	if !a.NeedsConfirm() {
		a.acked.Store(true)
	}
}

// Ends implements messaging.Item.
func (a *attempt) Ends() time.Time { return a.call.client.timeOf(a.expiry) }

// id is the attempt's correlation_id. It is made when it is wanted: that of most calls'
// only attempt is the call's id.
func (a *attempt) id() string {
	pc := a.call
	if a.n == 1 && pc.ownID {
		return pc.req.id
	}
	return protocol.CorrelationID(pc.prefix, pc.number, int(a.n))
}

// Publishing implements messaging.Item.
func (a *attempt) Publishing(p *messaging.Publishing, replyTo string) {
	pc := a.call
	c, req := pc.client, &pc.req
	r := protocol.Request{
		ContentType:   req.contentType,
		CorrelationID: a.id(),
		MessageID:     req.id,
		UserID:        c.user,
		Deadline:      a.Ends(),
		Attempt:       int(a.n),
		Priority:      req.priority,
		Header:        a.header,
	}
	if req.packed != nil {
		r.ContentEncoding = nameOf(req.packed.encoding)
	}
	if pc.send.persistent {
		r.DeliveryMode = protocol.Persistent
	}
	if req.kind != KindNotification {
		r.AcceptEncoding = pc.acceptEncoding()
	}
	if req.kind.IsStream() {
		r.ReplyTo, r.Opening = c.streams.address(), a.opening()
	}
	if req.kind == KindUnary {
		r.ReplyTo = replyTo
		r.Batches = c.pending.count.Load() > 1 // the reply to a lone call has none to go with
		r.Heartbeat = pc.send.liveness
		r.Timing = req.timing().write(c.age())
		if c.cfg.bounce {
			r.Client = c.id
		}
	}
	p.Key, p.Mandatory, p.Body = req.address(), true, req.wire()
	meant := ""
	if p.Key != req.queue {
		meant = req.queue
	}
	p.Properties = r.AppendMeant(p.Properties, time.Now(), meant)
}

// Confirmed implements messaging.Item.
func (a *attempt) Confirmed(ack bool) {
	if ack {
		a.acked.Store(true)
		if a.call.req.kind == KindNotification {
			a.settle(nil)
		}
		return
	}
	a.call.client.stats.nacked.Add(1)
	// A full queue refuses what it has not taken, but a queue that dies refuses what it
	// has delivered, too.
	a.settle(localError(CodeUnavailable, OutcomeUnknown, a.call.req.queue,
		"the broker refused the request (basic.nack): the queue is full, too many bytes, or its node is gone"))
}

// settle ends the attempt with err. If err is nil, the attempt ends with the broker's
// confirm. settle does nothing if the attempt no longer counts or has already ended.
func (a *attempt) settle(err *Error) {
	pc := a.call
	pc.mu.Lock()
	defer pc.mu.Unlock()
	if pc.current == a && !pc.has && !pc.over && (err == nil || !a.ended) {
		pc.put(result{err: err})
	}
}

// next returns a further attempt like a, whose fate cannot be known any more, or nil
// if a does not count or its answer has come.
func (a *attempt) next() *attempt {
	pc := a.call
	pc.mu.Lock()
	defer pc.mu.Unlock()
	if pc.current != a || a.ended || pc.has || pc.over {
		return nil
	}
	pc.logEnd(nil)
	return pc.add(a.header, a.expiry, true)
}

// blockedFor is how long a broker that takes no messages is left alone.
const blockedFor = time.Second

func errBlocked(queue string) *Error {
	return localError(CodeResourceExhausted, OutcomeNotSent, queue,
		"the broker takes no messages now: it is short of memory or disk (connection.blocked)").WithRetryAfter(blockedFor)
}
