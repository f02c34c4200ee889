package amqprpc

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// pendingCall is a call in flight on a client, with all its attempts. It is
// registered from before its first attempt is published until it has ended, so that
// the answer to any of them ends it.
type pendingCall struct {
	client     *Client
	number     uint64
	prefix     string   // of its correlation ids
	req        *Request // other goroutines than the caller's read what does not change: queue, kind, id, content type and body
	send       sendConfig
	ownID      bool // the request's id is the client's own, made of number
	registered bool // owned by the caller's goroutine

	seen atomic.Pointer[messaging.Inspection] // of the queue, when the answer was late

	woken chan struct{} // receives when there is a result or the alarm's time has come, or for nothing
	alarm alarm

	mu        sync.Mutex
	result    result
	has       bool    // a result that is not taken yet
	over      bool    // the call has ended: nothing more counts
	running   bool    // the last step of its chain; once it is over only where middleware did not wait
	doubt     bool    // an attempt that has ended may have run
	attempts  int     // the number of the last one
	family    *family // of a request that was cloned, and of its clones
	current   *attempt
	heartbeat int64         // when the handler's last one came, in nanoseconds of the client's life; 0 is never
	interval  time.Duration // when the next one comes, as the last one said
	answered  int           // the highest attempt that a reply came for
	first     attempt
}

// result ends an attempt: a reply, the broker's confirm of a notification, or an
// error that the client makes.
type result struct {
	reply reply
	err   *Error
}

// reply is what of a message in the reply queue matters to its call.
type reply struct {
	contentType string
	code        string // of an error; of a request that came back, why
	outcome     Outcome
	isError     bool
	bounced     bool   // the message is the request itself, come back
	again       int32  // of an error: the milliseconds after which to come again; 0 is not said
	headers     []byte // encoded, if there is metadata among them
	body        []byte
}

// provesExecution reports whether a reply is a result, or an error that a handler
// returned.
func (r *reply) provesExecution() bool {
	return !r.bounced && (!r.isError || r.outcome == OutcomeExecuted)
}

// outOfTime reports whether a reply is the error of a handler whose time was over. It says
// nothing of a later attempt, which has time of its own.
func (r *reply) outOfTime() bool {
	return r.isError && r.outcome == OutcomeExecuted && r.code == string(CodeDeadlineExceeded)
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
	case pc.over || pc.current == nil || n > pc.current.n:
		return deliveredStale
	case n <= pc.answered:
		return deliveredRepeated
	case n < pc.current.n && !r.provesExecution():
		return deliveredStale
	case (n < pc.current.n || pc.current.ended) && r.outOfTime():
		return deliveredStale
	}
	pc.answered = n
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

// end says that nothing counts any more, and reports whether no step runs either.
func (pc *pendingCall) end() bool {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	pc.over = true
	return pc.idle()
}

// idle reports whether no step runs, which may still wait for woken; else it wakes one.
// Without any, woken is free for another call, which it may wake for nothing. The lock
// is held.
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

// failed says that the attempt that counts has ended with err. Its answer, should
// there be one, still ends the call; that its connection is lost does not. The
// outcome becomes the call's: that a repetition did not run says nothing of what it
// repeats.
func (pc *pendingCall) failed(err *Error) {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	if pc.current != nil {
		pc.current.ended = true
	}
	if err.outcome != OutcomeNotSent && err.outcome != OutcomeNotExecuted {
		pc.doubt = true
	} else if pc.doubt {
		err.outcome = OutcomeUnknown
	}
}

// begin makes the attempt whose fate counts from now on. It returns nil if the
// answer to an earlier one came meanwhile, for take to return. Both happen under one
// lock: what becomes of an earlier attempt must not be taken for the fate of a later
// one.
func (pc *pendingCall) begin(h Header, expiry time.Time) *attempt {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	if pc.has && pc.result.err == nil && !pc.result.reply.outOfTime() {
		return nil
	}
	if pc.has { // an error that came too late to be returned
		pc.result, pc.has = result{}, false
	}
	return pc.add(h, expiry)
}

// add makes an attempt. The lock is held.
func (pc *pendingCall) add(h Header, expiry time.Time) *attempt {
	a := &pc.first
	if pc.attempts > 0 {
		a = &attempt{}
	}
	pc.attempts = pc.family.number(pc.attempts)
	pc.heartbeat, pc.interval = 0, 0
	a.call, a.n, a.header, a.expiry = pc, pc.attempts, h, expiry
	if a.n == 1 && pc.ownID {
		a.id = pc.req.id
	} else {
		a.id = protocol.CorrelationID(pc.prefix, pc.number, a.n)
	}
	pc.current = a
	return a
}

// gotHeartbeat notes a heartbeat of attempt n's handler. One of an earlier attempt
// says nothing of the attempt that counts, whose handler may not have started.
func (pc *pendingCall) gotHeartbeat(n int, interval time.Duration) {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	if pc.current != nil && pc.current.n == n {
		if pc.interval != interval {
			pc.wake()
		}
		pc.heartbeat, pc.interval = pc.client.age(), interval
	}
}

// lastHeartbeat returns when the last heartbeat came, 0 if none has, and the interval
// that it announced.
func (pc *pendingCall) lastHeartbeat() (at int64, interval time.Duration) {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	return pc.heartbeat, pc.interval
}

// inFlight returns the attempt that counts now.
func (pc *pendingCall) inFlight() *attempt {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	return pc.current
}
