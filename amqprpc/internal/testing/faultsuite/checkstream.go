package faultsuite

import (
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Told is how soon a handler must be told that its caller is gone.
const Told = time.Second

func serverSends(q Queue) bool {
	return q.Kind == amqprpc.KindServerStream || q.Kind == amqprpc.KindBidiStream
}

// streamed checks what both sides of a stream have received.
func (c *checker) streamed(call *Call) {
	if !call.Queue.Kind.IsStream() {
		return
	}
	runs := c.runs[call.ID]
	if serverSends(call.Queue) {
		senders := make(map[string]*Flow)
		for _, e := range runs {
			senders[e.Run] = &e.Flow
			if e.End.IsZero() { // killed, so nobody knows what it has sent
				senders[e.Run] = nil
			}
		}
		c.received(call, "the caller", &call.Flow, senders)
		if call.Err == "" && !call.Left && !call.End.IsZero() && !call.Flow.Clean {
			c.broken(CleanEnd, call.ID, "the call succeeded without an end of its stream")
		}
	}
	if call.Queue.Kind != amqprpc.KindServerStream {
		for _, e := range runs {
			c.received(call, e.Run, &e.Flow, map[string]*Flow{call.ID: &call.Flow})
		}
	}
}

// received checks what one side has received. A sender without a flow may have sent anything.
func (c *checker) received(call *Call, who string, got *Flow, senders map[string]*Flow) {
	if len(got.Got) == 0 {
		for _, s := range senders {
			if got.Clean && s != nil && s.Done && s.Sent == 0 {
				return
			}
		}
		if got.Clean {
			c.broken(CleanEnd, call.ID, "%s has a clean end without an item, and nobody has ended a stream so", who)
		}
		return
	}
	first := got.Got[0]
	for _, s := range got.Got[1:] {
		if s.Of != first.Of {
			c.broken(OneExecution, call.ID, "%s has items of %q and of %q", who, first.Of, s.Of)
			return
		}
	}
	if len(got.Got) > 1 || first.First != 0 {
		c.broken(OnceInOrder, call.ID, "%s has items in this order: %+v", who, got.Got)
		return
	}
	sender, known := senders[first.Of]
	switch {
	case !known:
		c.broken(NothingInvented, call.ID, "%s has items of %q, which has sent none", who, first.Of)
	case sender == nil:
		if got.Clean {
			c.broken(CleanEnd, call.ID, "%s has a clean end of %s, which did not end", who, first.Of)
		}
	case first.Count > sender.Sent:
		c.broken(OnceInOrder, call.ID, "%s has %d items of %s, which has sent %d", who, first.Count, first.Of, sender.Sent)
	case got.Clean && (!sender.Done || first.Count != sender.Sent):
		c.broken(CleanEnd, call.ID, "%s has a clean end after %d items of %s, which has sent %d (ended: %v)", who, first.Count, first.Of, sender.Sent, sender.Done)
	}
}

// broadcast checks the answers to a broadcast and its executions.
func (c *checker) broadcast(call *Call) {
	if !call.Queue.Broadcast {
		return
	}
	ran := make(map[string]*Execution)
	for _, e := range c.runs[call.ID] {
		if ran[e.Instance] != nil {
			c.broken(OncePerInstance, call.ID, "%s and %s are of one instance", ran[e.Instance].Run, e.Run)
		}
		ran[e.Instance] = e
	}
	answered := make(map[string]bool)
	for _, a := range call.Answers {
		if answered[a.Instance] {
			c.broken(OncePerInstance, call.ID, "the instance %s has answered twice", a.Instance)
		}
		answered[a.Instance] = true
		if e := ran[a.Instance]; a.Run != "" && (e == nil || e.Run != a.Run || a.ID != call.ID) {
			c.broken(RightAnswer, call.ID, "the instance %s answers for %q with %q, which did not run there", a.Instance, a.ID, a.Run)
		}
	}
}

// callerGone checks that no handler outlives its caller when nothing keeps it from being
// told. The caller of a unary call is known to be gone only if it has cancelled the call.
func (c *checker) callerGone(call *Call) {
	knows := call.Queue.Kind.IsStream() || call.Code == amqprpc.CodeCanceled
	if c.h.Calm.IsZero() || call.End.IsZero() || !knows {
		return
	}
	for _, e := range c.runs[call.ID] {
		from := call.End
		for _, t := range []time.Time{c.h.Calm, e.Start} {
			if t.After(from) {
				from = t
			}
		}
		last := from.Add(Told + c.h.Scheduling + c.stalled(from, e.End))
		if killed := e.End.IsZero() && e.Start.Before(c.h.Calm); killed {
			continue
		}
		if e.End.IsZero() || e.End.After(last) {
			c.broken(CallerGone, call.ID, "%s ended %v after its caller", e.Run, e.End.Sub(from))
		}
	}
}
