package amqprpc

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
)

// pendingCall is a call in flight on a client, with all its attempts. It is
// registered from before its first attempt is published until it has ended, so that
// the answer to any of them ends it.
type pendingCall struct {
	client *Client
	number uint64
	prefix string  // of its correlation ids
	req    Request // other goroutines than the caller's read what does not change: queue, kind, id, content type and body
	send   sendConfig
	expiry moment // of a notification that asked for one

	seen atomic.Pointer[messaging.Inspection] // of the queue, when the answer was late

	woken chan struct{} // receives when there is a result or the alarm's time has come, or for nothing
	alarm alarm

	ownID        bool // the request's id is the client's own, made of number
	registered   bool // owned by the caller's goroutine, as is what follows
	receivedUsed bool // a message was decoded into the memory for it

	// What follows is guarded by the lock.
	has      bool  // a result that is not taken yet
	over     bool  // the call has ended: nothing more counts
	running  bool  // the last step of its chain; once it is over only where middleware did not wait
	doubt    bool  // an attempt that has ended may have run
	answered int32 // the highest attempt that a reply came for
	mu       sync.Mutex
	result   result
	current  *attempt
	alive    *heartbeats // of the current attempt's handler; nil if none has come
	log      *[]Attempt  // see logged
	family   *family     // of a request that was cloned, and of its clones
	first    attempt
}

// heartbeats is what is known of the heartbeats of a handler.
type heartbeats struct {
	last     moment        // when one came
	interval time.Duration // when the next one comes, as that one said
}

// result ends an attempt: a reply, the broker's confirm of a notification, or an
// error that the client makes.
type result struct {
	reply    reply
	err      *Error
	accepted bool // a server has accepted the stream
}

// reply is what of a message in the reply queue matters to its call.
type reply struct {
	kind     replyKind
	outcome  Outcome
	again    int32  // of an error: the milliseconds after which to call again; 0 is not said
	about    string // of a result its content type, of an error its code, of a request that came back why
	encoding string // of the body
	headers  []byte // encoded, if there is metadata among them
	body     []byte
}

type replyKind uint8

const (
	replyResult  replyKind = iota
	replyError             // a handler's, or its server's
	replyBounced           // the request itself, come back
)

// provesExecution reports whether a reply is a result, or an error that a handler
// returned.
func (r *reply) provesExecution() bool {
	return r.kind == replyResult || r.kind == replyError && r.outcome == OutcomeExecuted
}

// outOfTime reports whether a reply is the error of a handler whose time was over. It says
// nothing of a later attempt, which has time of its own.
func (r *reply) outOfTime() bool {
	return r.kind == replyError && r.outcome == OutcomeExecuted && r.about == string(CodeDeadlineExceeded)
}

// delivered says what became of a reply.
type delivered int

const (
	deliveredFirst delivered = iota
	deliveredRepeated
	deliveredStale // the answer to an attempt that no longer counts
)

// deliver hands a reply to attempt n to the caller. A reply to an earlier attempt
// counts if it proves an execution, but for one whose own time was over.
func (pc *pendingCall) deliver(n int, r *reply) delivered {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	switch {
	case pc.over || pc.current == nil || n > int(pc.current.n):
		return deliveredStale
	case n <= int(pc.answered):
		return deliveredRepeated
	case n < int(pc.current.n) && !r.provesExecution():
		return deliveredStale
	case (n < int(pc.current.n) || pc.current.ended) && r.outOfTime():
		return deliveredStale
	}
	pc.answered = int32(n)
	if pc.has {
		return deliveredRepeated // another answer came first
	}
	pc.put(result{reply: *r})
	return deliveredFirst
}

// put stores a result for take, and wakes the caller. The lock is held.
func (pc *pendingCall) put(r result) {
	pc.result, pc.has = r, true
	pc.wake()
}

// wake has the caller look at what there is to see. It never waits.
func (pc *pendingCall) wake() {
	select {
	case pc.woken <- struct{}{}:
	default:
	}
}

// ring implements ringer.
func (pc *pendingCall) ring() { pc.wake() }

// take returns the result if there is one.
func (pc *pendingCall) take() (r result, ok bool) {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	if pc.over {
		return result{err: pc.overError()}, true
	}
	r, ok = pc.result, pc.has
	pc.result, pc.has = result{}, false
	return r, ok
}

// isAnswered reports whether there is a result to take.
func (pc *pendingCall) isAnswered() bool {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	return pc.has
}

func (pc *pendingCall) overError() *Error {
	return localError(CodeCanceled, OutcomeUnknown, pc.req.queue, "a middleware returned before the step that it had begun")
}

// enter begins a step of the chain that waits for an answer, unless the call is over or
// another step waits for one.
func (pc *pendingCall) enter() *Error {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	switch {
	case pc.over:
		return pc.overError()
	case pc.running:
		return localError(CodeInternal, OutcomeUnknown, pc.req.queue,
			"a middleware called next while another next of the same request was running (Request.Clone)")
	}
	pc.running = true
	return nil
}

// leave ends a step, and reports whether it was the last thing of the call.
func (pc *pendingCall) leave() bool {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	pc.running = false
	return pc.over && pc.idle()
}

// end notes that no attempt counts any more, and reports whether no step runs.
func (pc *pendingCall) end() bool {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	pc.over = true
	return pc.idle()
}

// idle reports whether no step runs. If a step runs, it may still wait for woken, and idle
// wakes it. If no step runs, woken can be used for another call. That call may be woken
// once for nothing. The lock is held.
func (pc *pendingCall) idle() bool {
	if pc.running {
		pc.wake()
		return false
	}
	select {
	case <-pc.woken:
	default:
	}
	return true
}

// failed notes that the attempt that counts has ended with err. If its answer still comes,
// it ends the call. A loss of its connection does not. The outcome becomes the call's
// outcome: a repetition that did not run says nothing about the earlier attempts.
func (pc *pendingCall) failed(err *Error) {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	if a := pc.current; a != nil && !a.ended {
		a.ended = true
		pc.logEnd(err)
	}
	if err.outcome != OutcomeNotSent && err.outcome != OutcomeNotExecuted {
		pc.doubt = true
	} else if pc.doubt {
		err.outcome = OutcomeUnknown
	}
}

// begin makes the attempt whose fate counts from now on. It returns nil if an earlier
// attempt has been answered meanwhile, and take then returns this answer. Both happen under
// one lock, so that the fate of an earlier attempt is never mistaken for the fate of a
// later one.
func (pc *pendingCall) begin(h Header, expiry moment) *attempt {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	if pc.has && pc.result.err == nil && !pc.result.accepted && !pc.result.reply.outOfTime() {
		return nil
	}
	if pc.has { // an error that came too late to be returned
		pc.result, pc.has = result{}, false
	}
	return pc.add(h, expiry, false)
}

// add makes an attempt. The lock is held.
func (pc *pendingCall) add(h Header, expiry moment, resent bool) *attempt {
	a, last := &pc.first, int32(0)
	if pc.current != nil {
		a, last = &attempt{}, pc.current.n
	}
	n := pc.family.number(last)
	a.call, a.n, a.header, a.expiry, a.resent = pc, n, h, expiry, resent
	if n > 1 {
		l := pc.logged()
		*l = append(*l, Attempt{Number: int(n), Start: time.Now(), Resent: resent})
	}
	pc.current, pc.alive = a, nil
	return a
}

// gotHeartbeat notes a heartbeat of attempt n's handler. A heartbeat of an earlier attempt
// is ignored, because the handler of the attempt that counts may not have started.
func (pc *pendingCall) gotHeartbeat(n int, interval time.Duration) {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	if pc.current == nil || int(pc.current.n) != n {
		return
	}
	if pc.alive == nil || pc.alive.interval != interval {
		pc.wake()
	}
	pc.alive = &heartbeats{pc.client.age(), interval}
}

// lastHeartbeat returns when the last heartbeat came, 0 if none has, and the interval
// that it announced.
func (pc *pendingCall) lastHeartbeat() (at moment, interval time.Duration) {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	if pc.alive == nil {
		return 0, 0
	}
	return pc.alive.last, pc.alive.interval
}

// inFlight returns the attempt that counts now.
func (pc *pendingCall) inFlight() *attempt {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	return pc.current
}
