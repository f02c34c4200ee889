package amqprpc

import (
	"cmp"
	"slices"
	"time"
)

// Attempt is one attempt at a call, as [Request.Attempts] returns it.
type Attempt struct {
	Number int       // 1 for the first
	Start  time.Time // when it began; zero for the first, which begins with the call
	End    time.Time // when it failed, or was repeated because its fate is unknown; zero if neither has happened
	Err    error     // what it failed with, or nil
	Resent bool      // the client made it by itself, because the fate of the one before is unknown
}

// Attempts returns the attempts at the call so far, oldest first: those that middleware has
// made by calling next, and those that the client makes by itself for a [WithIdempotent]
// call while next runs. A request and its clones ([Request.Clone]) are one call: each of them
// returns the attempts of all. Attempts returns nil on a server.
func (r *Request) Attempts() []Attempt {
	if r.out == nil {
		return nil
	}
	pc := &r.out.call
	if pc.family == nil {
		return pc.attempts()
	}
	var all []Attempt
	for _, member := range pc.family.all() {
		all = append(all, member.attempts()...)
	}
	slices.SortFunc(all, func(a, b Attempt) int { return cmp.Compare(a.Number, b.Number) })
	return all
}

// attempts returns the attempts of one request, without those of its clones.
func (pc *pendingCall) attempts() []Attempt {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	if pc.current == nil {
		return nil
	}
	return slices.Clone(*pc.logged())
}

// logged returns the log of a call with an attempt. A call of one attempt that does not fail
// has none before somebody asks, since most calls are such. The lock is held.
func (pc *pendingCall) logged() *[]Attempt {
	if pc.log == nil {
		pc.log = &[]Attempt{}
		if pc.first.n == 1 { // not so if another request of the family was first
			*pc.log = append(*pc.log, Attempt{Number: 1})
		}
	}
	return pc.log
}

// logEnd notes the end of the latest attempt. The lock is held.
func (pc *pendingCall) logEnd(err error) {
	l := *pc.logged()
	last := &l[len(l)-1]
	last.End, last.Err = time.Now(), err
}
