package amqprpc

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Clone returns a request for a further attempt at the same call, for client middleware
// that calls next while another next of the call runs:
//
//	second := req.Clone() // before next: the request belongs to the next that it is given to
//	go func() { next(ctx2, second) }()
//	resp, err := next(ctx1, req)
//
// Both attempts have the same [Request.ID]. Each next returns its own answer or error, and
// ends with its own ctx; a request whose ctx is cancelled is cancelled on its server, too.
// Each clone in flight counts for [WithMaxPending]. Metadata is copied, and each attempt may
// change its own. The message is encoded now, and shared: it must not be changed any more.
//
// Call Clone on the goroutine that has the request, and not while a next of it runs. A clone
// may be passed to next again when its last next has returned. What still runs when the
// chain returns is ended with the code canceled. Clone panics on a server, where a request
// runs once.
func (r *Request) Clone() *Request {
	if r.out == nil {
		panic("amqprpc: Clone of a request that is not a client's")
	}
	r.encode()
	of := &r.out.call
	o := &outgoing{req: *r}
	req, pc := &o.req, &o.call
	req.out, req.header, req.replyHeader = o, r.header.clone(), nil
	if t, ok := r.respType.(interface{ apart() messageType }); ok {
		req.respType = t.apart()
	}
	o.ctx.deadline = r.out.ctx.deadline
	pc.client, pc.number, pc.req = of.client, of.client.numbers.Add(1), req
	pc.prefix, pc.send = of.prefix, of.send
	pc.woken = of.client.wakes.get()
	pc.alarm.target = pc
	pc.family = of.toFamily()
	pc.over = !pc.family.add(pc)
	return req
}

// family is a call whose request was cloned, with all its pending calls: one for the
// request, and one for each clone. The methods take a nil family for that of a call whose
// request was not cloned.
type family struct {
	call     uint64       // the number of the request's own pending call, which names the call
	attempts atomic.Int64 // of all

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
		pc.family.attempts.Store(int64(pc.attempts))
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

// number returns the number of the next attempt, for a pending call whose last one is known.
func (f *family) number(last int) int {
	if f == nil {
		return last + 1
	}
	return int(f.attempts.Add(1))
}

// sure returns err, an error of the call that is or wraps e, with the outcome that holds for
// all attempts: that one did not run says nothing of the others.
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
