package amqprpc

import (
	"bytes"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// pendingTable holds the calls in flight by their number, in shards, so that
// concurrent callers and the reader of replies seldom meet at one lock.
type pendingTable struct {
	count  atomic.Int64
	shards [16]pendingShard
}

type pendingShard struct {
	mu     sync.Mutex
	calls  map[uint64]*outCall
	alarms alarms
	_      [40]byte // a cache line of its own
}

func (t *pendingTable) shard(number uint64) *pendingShard {
	return &t.shards[number%uint64(len(t.shards))]
}

// add registers a call unless limit are registered already.
func (t *pendingTable) add(oc *outCall, limit int) bool {
	if t.count.Add(1) > int64(limit) {
		t.count.Add(-1)
		return false
	}
	s := t.shard(oc.number)
	s.mu.Lock()
	if s.calls == nil {
		s.calls = make(map[uint64]*outCall)
	}
	s.calls[oc.number] = oc
	s.mu.Unlock()
	return true
}

func (t *pendingTable) get(number uint64) *outCall {
	s := t.shard(number)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[number]
}

func (t *pendingTable) remove(oc *outCall) {
	s := t.shard(oc.number)
	s.mu.Lock()
	delete(s.calls, oc.number)
	s.alarms.drop(oc)
	s.mu.Unlock()
	t.count.Add(-1)
}

// wakeAt has a registered call woken at a time, and not at the one that was asked for
// before.
func (t *pendingTable) wakeAt(oc *outCall, at time.Time) {
	s := t.shard(oc.number)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alarms.timer == nil {
		s.alarms.timer = time.AfterFunc(time.Hour, s.ring)
	}
	s.alarms.set(oc, at)
}

func (s *pendingShard) ring() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alarms.ring()
}

// stop ends the timers of a table that no call is added to any more.
func (t *pendingTable) stop() {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		if s.alarms.timer != nil {
			s.alarms.timer.Stop()
		}
		s.mu.Unlock()
	}
}

// all returns the calls registered now.
func (t *pendingTable) all() []*outCall {
	calls := make([]*outCall, 0, t.count.Load())
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for _, oc := range s.calls {
			calls = append(calls, oc)
		}
		s.mu.Unlock()
	}
	return calls
}

// outCall is a call in flight on a client, with all its attempts. It is
// registered from before its first attempt is published until it settles, so
// that the answer to any of them settles it.
type outCall struct {
	number     uint64
	req        *Request // of which others than the caller's goroutine read what does not change: queue, kind, id, content type and body
	send       sendConfig
	ownID      bool // the request's id is the client's own, made of number
	registered bool // owned by the caller's goroutine

	lastBeat atomic.Int64          // unix nanoseconds of the handler's last sign of life
	seen     atomic.Pointer[sight] // of the queue, when the answer was late

	woken chan struct{} // receives when there is a result or the alarm's time has come, or for nothing
	alarm time.Time     // when to wake the call; like place it is guarded by its shard's lock
	place int           // in the shard's alarms; 0 is none

	mu       sync.Mutex
	result   result
	has      bool // a result that is not taken yet
	over     bool // the call has settled: nothing more counts
	doubt    bool // an attempt that has ended may have run
	attempts int  // how many there were
	current  *attempt
	answered int // the highest attempt that a reply came for
	first    attempt
}

// attempt is one message published for a call.
type attempt struct {
	call   *outCall
	n      int    // 1 for the first
	id     string // correlation_id
	header Header
	expiry deadline
	resent bool // made by the client itself after one whose fate is unknown
	ended  bool // its error has been told; guarded by the call's lock

	state atomic.Int32 // attemptQueued …
	epoch atomic.Int64 // that it was written in
	acked atomic.Bool  // confirmed by the broker
}

const (
	attemptQueued    = iota // waits for the publisher
	attemptWritten          // handed to the driver: the broker may have it
	attemptAbandoned        // its caller gave up before it was written
)

// result ends an attempt: by a reply, by the broker's confirm (of a
// notification), or by an error that the client makes.
type result struct {
	reply wireReply
	err   *Error
}

// wireReply is what of a delivery to the reply queue matters to its call.
type wireReply struct {
	contentType string
	headers     amqp.Table
	body        []byte
	bounced     bool // it is the request itself, come back
}

// delivered says what became of a reply.
type delivered int

const (
	deliveredFirst delivered = iota
	deliveredRepeated
	deliveredStale // the answer to an attempt that no longer counts
)

// deliver hands a reply to attempt n to the caller. A reply to an earlier attempt
// counts if it tells of an execution.
func (oc *outCall) deliver(n int, r wireReply) delivered {
	oc.mu.Lock()
	defer oc.mu.Unlock()
	switch {
	case oc.over || oc.current == nil || n > oc.current.n:
		return deliveredStale
	case n <= oc.answered:
		return deliveredRepeated
	case n < oc.current.n && !r.toldOfExecution():
		return deliveredStale
	}
	oc.answered = n
	if oc.has {
		return deliveredRepeated // another answer came first
	}
	oc.put(result{reply: r})
	return deliveredFirst
}

// put stores a result for take, and wakes the caller. The lock is held.
func (oc *outCall) put(r result) {
	oc.result, oc.has = r, true
	oc.wake()
}

// wake has the caller look at what there is to see.
func (oc *outCall) wake() { signal(oc.woken) }

// take returns the result if there is one.
func (oc *outCall) take() (r result, ok bool) {
	oc.mu.Lock()
	defer oc.mu.Unlock()
	r, ok = oc.result, oc.has
	oc.result, oc.has = result{}, false
	return r, ok
}

// isAnswered reports whether there is a result to take.
func (oc *outCall) isAnswered() bool {
	oc.mu.Lock()
	defer oc.mu.Unlock()
	return oc.has
}

// settled says that nothing counts any more; woken is then free for another call,
// which it may wake for nothing.
func (oc *outCall) settled() {
	oc.mu.Lock()
	oc.over = true
	oc.mu.Unlock()
	select {
	case <-oc.woken:
	default:
	}
}

// toldOfExecution reports whether a reply is a result, or an error that a
// handler returned.
func (r *wireReply) toldOfExecution() bool {
	if r.bounced {
		return false
	}
	if _, isError := r.headers[headerCode]; !isError {
		return true
	}
	o, _ := r.headers[headerOutcome].(string)
	return outcomeFromWire(o) == OutcomeExecuted
}

// settle ends an attempt with err, or with the broker's confirm if that is nil,
// if it is still the current one and nothing came before.
func (a *attempt) settle(err *Error) {
	oc := a.call
	oc.mu.Lock()
	defer oc.mu.Unlock()
	if oc.current == a && !oc.has && !oc.over && (err == nil || !a.ended) {
		oc.put(result{err: err})
	}
}

// wanted reports whether somebody still waits for what becomes of the attempt.
func (a *attempt) wanted() bool {
	oc := a.call
	oc.mu.Lock()
	defer oc.mu.Unlock()
	return oc.current == a && !a.ended && !oc.over
}

// failed says that the attempt that counts has ended with err. Its answer, should
// there be one, still settles the call; that its connection is lost does not. The
// outcome becomes the call's: that a repetition did not run says nothing of what
// it repeats.
func (oc *outCall) failed(err *Error) {
	oc.mu.Lock()
	defer oc.mu.Unlock()
	if oc.current != nil {
		oc.current.ended = true
	}
	if err.outcome != OutcomeNotSent && err.outcome != OutcomeNotExecuted {
		oc.doubt = true
	} else if oc.doubt {
		err.outcome = OutcomeUnknown
	}
}

// begin makes the attempt whose fate counts from now on; or none, if the answer to
// an earlier one came meanwhile, for take to return. Both happen under one lock:
// what is said of an earlier attempt must not be taken for the fate of a later one
// that is on its way.
func (oc *outCall) begin(prefix string, h Header, expiry deadline) *attempt {
	oc.mu.Lock()
	defer oc.mu.Unlock()
	if oc.has && oc.result.err == nil {
		return nil
	}
	if oc.has { // an error that came too late to be told
		oc.result, oc.has = result{}, false
	}
	return oc.add(prefix, h, expiry)
}

// beat notes a sign of life of attempt n's handler. Those of an earlier attempt
// say nothing of the one that counts, whose handler may not have started.
func (oc *outCall) beat(n int) {
	oc.mu.Lock()
	defer oc.mu.Unlock()
	if oc.current != nil && oc.current.n == n {
		oc.lastBeat.Store(time.Now().UnixNano())
	}
}

func (oc *outCall) add(prefix string, h Header, expiry deadline) *attempt {
	a := &oc.first
	if oc.attempts > 0 {
		a = &attempt{}
	}
	oc.attempts++
	oc.lastBeat.Store(0)
	a.call, a.n, a.header, a.expiry = oc, oc.attempts, h, expiry
	if a.n == 1 && oc.ownID {
		a.id = oc.req.id
	} else {
		a.id = correlationID(prefix, oc.number, a.n)
	}
	oc.current = a
	return a
}

// next returns a further attempt like a, whose fate cannot be known any more, or
// nil if a does not count or its answer has come.
func (a *attempt) next(prefix string) *attempt {
	oc := a.call
	oc.mu.Lock()
	defer oc.mu.Unlock()
	if oc.current != a || a.ended || oc.has || oc.over {
		return nil
	}
	b := oc.add(prefix, a.header, a.expiry)
	b.resent = true
	return b
}

// inFlight returns the attempt that counts now.
func (oc *outCall) inFlight() *attempt {
	oc.mu.Lock()
	defer oc.mu.Unlock()
	return oc.current
}

// correlationID names attempt n at call number: the client's prefix, which
// nobody else can guess, the number, and from the second attempt on the attempt.
func correlationID(prefix string, number uint64, n int) string {
	var room [80]byte
	b := append(room[:0], prefix...)
	b = strconv.AppendUint(b, number, 36)
	if n > 1 {
		b = append(b, '.')
		b = strconv.AppendInt(b, int64(n), 10)
	}
	return string(b)
}

// parseCorrelationID undoes correlationID; false if id is not of this prefix.
func parseCorrelationID(prefix string, id []byte) (number uint64, n int, ok bool) {
	if len(id) < len(prefix) || string(id[:len(prefix)]) != prefix {
		return 0, 0, false
	}
	rest, attempt, several := bytes.Cut(id[len(prefix):], []byte{'.'})
	number, err := strconv.ParseUint(string(rest), 36, 64)
	if err != nil {
		return 0, 0, false
	}
	n = 1
	if several {
		if n, err = strconv.Atoi(string(attempt)); err != nil || n < 2 {
			return 0, 0, false
		}
	}
	return number, n, true
}
