package faultsuite

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// The tolerances of the guarantees.
const (
	// Promptness is how soon after its context ends a call must return, if the machine
	// has time to run the call (see [Stall]).
	Promptness = 50 * time.Millisecond
	// Skew is how much clocks may differ, and so how long after its deadline a request
	// may still start. It is the default of WithClockSkew.
	Skew = time.Second
	// grace is how long after its deadline a handler of a stream may still wait for an item.
	// Meanwhile it may answer by itself.
	grace = 250 * time.Millisecond
)

// Guarantee is a promise of docs/guarantees.md that the checker verifies.
type Guarantee string

// The guarantees, in the words of docs/guarantees.md.
const (
	ReturnsInTime    Guarantee = "a call returns no later than its ctx ends"
	RightAnswer      Guarantee = "a success is the answer of a handler that ran for this call's id"
	NotExecuted      Guarantee = "NotSent and NotExecuted: no handler has run or will run for this attempt"
	WasExecuted      Guarantee = "Executed: a handler ran and answered with this error"
	AtMostOnce       Guarantee = "at most once: it never runs twice for one attempt"
	AtLeastOnce      Guarantee = "at least once: a confirmed request on a queue that survives is delivered until it is answered, expires, or is refused"
	NotSentAgain     Guarantee = "only an idempotent call is sent again by the client itself"
	NotAfterDeadline Guarantee = "after the deadline, within the allowed clock skew, no handler is started, and a running one has a cancelled ctx"
	ErrorIsTyped     Guarantee = "every error has a code that says what happened"
	OneExecution     Guarantee = "all items of a stream are of one execution"
	OnceInOrder      Guarantee = "each item of a stream comes once and in order"
	CleanEnd         Guarantee = "a clean end of a stream means that the sender has ended it, and that every item came"
	CallerGone       Guarantee = "a handler ends within a second of the end of its caller, unless faults keep it from being told"
	OncePerInstance  Guarantee = "an instance runs a broadcast at most once, and answers it at most once"
	NothingInvented  Guarantee = "every execution is of a request that was made"
	NothingLeft      Guarantee = "nothing is left behind: no pending call, no server that does not end"
)

// Violation is a guarantee that a history breaks.
type Violation struct {
	Guarantee Guarantee
	Call      string // the call's ID; empty if the violation is of no call
	What      string
}

// Check returns the violations in a history, in the order of the calls. It does not
// change the history.
func Check(h *History) []Violation {
	c := &checker{h: h, runs: make(map[string][]*Execution)}
	for i := range h.Executions {
		e := &h.Executions[i]
		c.runs[e.ID] = append(c.runs[e.ID], e)
	}
	known := make(map[string]bool, len(h.Calls))
	for i := range h.Calls {
		call := &h.Calls[i]
		if known[call.ID] {
			c.broken(NothingInvented, call.ID, "two calls have this id: the history itself is wrong")
			continue
		}
		known[call.ID] = true
		c.returns(call)
		c.outcome(call)
		c.executions(call)
		c.streamed(call)
		c.broadcast(call)
		c.callerGone(call)
	}
	for i := range h.Executions {
		if e := &h.Executions[i]; !known[e.ID] {
			c.broken(NothingInvented, e.ID, "%s ran for a call that nobody made", e.Run)
		}
	}
	for _, l := range h.Leftovers {
		c.broken(NothingLeft, "", "%s", l)
	}
	return c.found
}

type checker struct {
	h     *History
	runs  map[string][]*Execution // by the call's id
	found []Violation
}

func (c *checker) broken(g Guarantee, id, format string, args ...any) {
	c.found = append(c.found, Violation{g, id, fmt.Sprintf(format, args...)})
}

// returns checks that a call returned in time after its context had ended.
func (c *checker) returns(call *Call) {
	if call.End.IsZero() {
		c.broken(ReturnsInTime, call.ID, "it has not returned")
		return
	}
	late := call.End.Sub(call.Limit)
	if allowed := Promptness + c.h.Contention + c.stalled(call.Limit, call.End); late > allowed {
		c.broken(ReturnsInTime, call.ID, "it returned %v after its ctx had ended; %v are allowed", late, allowed)
	}
}

// stalled returns how much later a call may return because the process stalled between
// from and to. It is twice the duration of the stalls: a call that waits through a
// stall then waits behind everything else that was held up.
func (c *checker) stalled(from, to time.Time) time.Duration {
	var d time.Duration
	for _, s := range c.h.Stalls {
		if s.From.Before(to) && s.To.After(from.Add(-Promptness)) {
			d += 2 * s.To.Sub(s.From)
		}
	}
	return d
}

// outcome checks the result that a call returned.
func (c *checker) outcome(call *Call) {
	runs := c.runs[call.ID]
	switch {
	case call.End.IsZero():
	case call.Err == "" && call.Notification:
		if len(runs) == 0 && !call.Queue.AtMostOnce && !call.Queue.Broadcast && !c.lossExcuses(call) {
			c.broken(AtLeastOnce, call.ID, "the broker confirmed it, and it never ran")
		}
	case call.Err == "" && (call.Left || call.Queue.Broadcast || serverSends(call.Queue)):
	case call.Err == "":
		c.rightAnswer(call, Answered, RightAnswer)
	default:
		if !expected(call.Code) {
			c.broken(ErrorIsTyped, call.ID, "its error has the code %q: %s", call.Code, call.Err)
		}
		switch call.Outcome {
		case amqprpc.OutcomeNotSent, amqprpc.OutcomeNotExecuted:
			if len(runs) > 0 {
				c.broken(NotExecuted, call.ID, "its outcome is %v, and it ran %d times", call.Outcome, len(runs))
			}
		case amqprpc.OutcomeExecuted:
			c.rightAnswer(call, Failed, WasExecuted)
		}
	}
}

// expected reports whether a call of the workload may fail with code. The handlers of
// the workload fail with data_loss, a code that the framework never uses.
func expected(code amqprpc.Code) bool {
	switch code {
	case amqprpc.CodeUnavailable, amqprpc.CodeDeadlineExceeded, amqprpc.CodeCanceled,
		amqprpc.CodeResourceExhausted, amqprpc.CodeAborted, amqprpc.CodeDataLoss:
		return true
	default:
		return false
	}
}

// rightAnswer checks that the execution that an answer names fits the answer.
func (c *checker) rightAnswer(call *Call, want Result, g Guarantee) {
	if call.Answer.ID != call.ID {
		c.broken(g, call.ID, "the answer is for %q", call.Answer.ID)
		return
	}
	for _, e := range c.runs[call.ID] {
		if e.Run == call.Answer.Run {
			if e.Start.After(call.End) {
				c.broken(g, call.ID, "%s began after the answer was there", e.Run)
			}
			// A journal may lack an end if the server was killed before it wrote the end.
			sound := e.Result == want || e.Result == "" && e.End.IsZero() || want == Failed && e.Result == Cancelled
			if !sound {
				c.broken(g, call.ID, "the answer names %s, which has %s", e.Run, e.Result)
			}
			return
		}
	}
	c.broken(g, call.ID, "the answer names %q, which did not run", call.Answer.Run)
}

// lossExcuses reports whether a fault of the broker may have lost a message of the
// call.
func (c *checker) lossExcuses(call *Call) bool {
	return slices.ContainsFunc(c.h.Losses, func(l Loss) bool {
		return !l.Time.Before(call.Start) && (l.Queue == "" || l.Queue == call.Queue.Name) &&
			(l.Persistent || !call.Persistent)
	})
}

// executions checks the executions of a call against the call's options.
func (c *checker) executions(call *Call) {
	attempts := make(map[int]*Execution)
	for _, e := range c.runs[call.ID] {
		if e.Attempt > 1 && !call.Idempotent {
			c.broken(NotSentAgain, call.ID, "%s is of attempt %d", e.Run, e.Attempt)
		}
		if first := attempts[e.Attempt]; first != nil && call.Queue.AtMostOnce {
			c.broken(AtMostOnce, call.ID, "attempt %d ran as %s and as %s", e.Attempt, first.Run, e.Run)
		}
		attempts[e.Attempt] = e
		if e.Start.Before(call.Start) {
			c.broken(NothingInvented, call.ID, "%s began before the call", e.Run)
		}
		if call.Expiry.IsZero() {
			continue
		}
		last := call.Expiry.Add(Skew + c.h.Scheduling)
		if call.Queue.Kind.IsStream() {
			last = last.Add(grace)
		}
		if e.Start.After(last) {
			c.broken(NotAfterDeadline, call.ID, "%s began %v after the deadline", e.Run, e.Start.Sub(call.Expiry))
		} else if e.End.After(last) {
			c.broken(NotAfterDeadline, call.ID, "%s still ran %v after the deadline", e.Run, e.End.Sub(call.Expiry))
		}
	}
}

// Shortest returns one violation of each guarantee: the one with the shortest story.
func Shortest(h *History, vs []Violation) []Violation {
	length := make(map[Violation]int, len(vs))
	for _, v := range vs {
		length[v] = len(Story(h, v))
	}
	vs = slices.Clone(vs)
	slices.SortStableFunc(vs, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Guarantee, b.Guarantee), cmp.Compare(length[a], length[b]))
	})
	return slices.CompactFunc(vs, func(a, b Violation) bool { return a.Guarantee == b.Guarantee })
}
