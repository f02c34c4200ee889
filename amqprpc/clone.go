package amqprpc

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Clone returns a request for another attempt at the same call. It is for client middleware
// that calls next while another next of the call runs:
//
//	second := req.Clone() // before next: the request belongs to the next that it is given to
//	go func() { next(ctx2, second) }()
//	resp, err := next(ctx1, req)
//
// Both attempts have the same [Request.ID], and [Request.Attempts] returns both. Each next
// returns its own answer or error, and ends with its own ctx. If this ctx is cancelled, the
// attempt is cancelled on its server, too. Each clone in flight counts for [WithMaxPending].
// Metadata are copied, and each attempt may change its own. Clone encodes the message, and the
// attempts share it. Do not change the message afterwards.
//
// Call Clone on the goroutine that has the request, and not while a next of the request runs.
// A clone may be passed to next again after its last next has returned. If an attempt still
// runs when the chain returns, the client ends it with the code canceled.
//
// Clone panics on a server, where a request runs once. It also panics for a stream
// ([Kind.IsStream]), because a stream cannot be open twice.
func (r *Request) Clone() *Request {
	switch {
	case r.out == nil:
		panic("amqprpc: Clone of a request that is not a client's")
	case r.kind.IsStream():
		panic("amqprpc: Clone of the request of a " + r.kind.String() + ", which cannot be open twice")
	}
	r.encode()
	of := &r.out.call
	o := &outgoing{}
	req, pc := &o.call.req, &o.call
	*req = *r
	req.out, req.header, req.replyHeader = o, r.header.clone(), nil
	if t, ok := r.respType.(interface{ apart() messageType }); ok {
		req.respType = t.apart()
	}
	o.ctx.deadline = r.out.ctx.deadline
	pc.client, pc.number = of.client, of.client.numbers.Add(1)
	pc.prefix, pc.send, pc.expiry = of.prefix, of.send, of.expiry
	pc.woken = of.client.wakes.get()
	pc.alarm.target = pc
	pc.family = of.toFamily()
	pc.over = !pc.family.add(pc)
	return req
}

// family is a call whose request was cloned, with all its pending calls: one for the
// request, and one for each clone. A call whose request was not cloned has no family. The
// methods that are called for such a call accept a nil family.
type family struct {
	call     uint64       // the number of the request's own pending call, which names the call
	attempts atomic.Int32 // of all

	mu      sync.Mutex
	members []*pendingCall // the request's own comes first
	over    bool
	header  Header // of the last error that a server answered with
}

// toFamily returns the call's family. It makes one if there is none.
func (pc *pendingCall) toFamily() *family {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	if pc.family == nil {
		pc.family = &family{call: pc.number, members: []*pendingCall{pc}, over: pc.over}
		if pc.current != nil {
			pc.family.attempts.Store(pc.current.n)
		}
	}
	return pc.family
}

// add takes a clone in, unless the call is over.
func (f *family) add(clone *pendingCall) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.over {
		f.members = append(f.members, clone)
	}
	return !f.over
}

// end says that the call is over, and returns the clones.
func (f *family) end() []*pendingCall {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	return f.members[1:]
}

func (f *family) all() []*pendingCall {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.members)
}

// number returns the number of the next attempt of a pending call. last is the number of its
// last one, or 0.
func (f *family) number(last int32) int32 {
	if f == nil {
		return last + 1
	}
	return f.attempts.Add(1)
}

// sure returns err with the outcome of all attempts. err is or wraps e, an error of the call.
// If one attempt did not run, another one may have run.
func (f *family) sure(err error, e *Error) error {
	if f == nil || e.outcome == OutcomeExecuted {
		return err
	}
	mayRun := slices.ContainsFunc(f.all(), func(pc *pendingCall) bool {
		pc.mu.Lock()
		defer pc.mu.Unlock()
		return pc.doubt || pc.current != nil && !pc.current.ended
	})
	own := *e
	switch {
	case mayRun:
		own.outcome = OutcomeUnknown
	case e.outcome == OutcomeUnknown: // the others ran when it was said
		own.outcome = OutcomeNotExecuted
	}
	if own.outcome == e.outcome {
		return err
	}
	if err != error(e) {
		own.message, own.cause = textOf(err), err
	}
	return &own
}

// answered notes the metadata of an error that a server answered with.
func (f *family) answered(h Header) {
	if f == nil || h == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.header = h
}

// lastHeader returns the metadata of the last such error. It is own where there is no family.
func (f *family) lastHeader(own Header) Header {
	if f == nil {
		return own
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.header
}

// isUnsent reports whether no attempt at the call has reached the wire.
func (r *Request) isUnsent() bool {
	if f := r.out.call.family; f != nil {
		return f.attempts.Load() == 0
	}
	return r.attempt == 0
}
