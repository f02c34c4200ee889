package faultsuite

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// before and after are how long before and after a call a fault belongs to its story.
const (
	before = 250 * time.Millisecond
	after  = time.Second
)

// Story describes the call of a violation: its events, and the faults between them, in
// order.
func Story(h *History, v Violation) []string {
	type line struct {
		at   time.Time
		text string
	}
	var lines []line
	var call *Call
	for i := range h.Calls {
		if h.Calls[i].ID == v.Call {
			call = &h.Calls[i]
		}
	}
	var first, last time.Time
	add := func(at time.Time, format string, args ...any) {
		if at.IsZero() {
			return
		}
		lines = append(lines, line{at, fmt.Sprintf(format, args...)})
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	if call != nil {
		add(call.Start, "%s calls %s (%s), as %s", call.Client, call.Queue.Name, call.kind(), call.ID)
		add(call.Limit, "its ctx ends")
		switch {
		case call.Err != "":
			add(call.End, "it fails: %s [%v]", call.Err, call.Outcome)
		case call.Notification:
			add(call.End, "it is confirmed")
		default:
			add(call.End, "it succeeds with the answer of %s", call.Answer.Run)
		}
	}
	for _, e := range h.Executions {
		if e.ID != v.Call || v.Call == "" {
			continue
		}
		add(e.Start, "%s starts %s: attempt %d, redelivered %v", e.Server, e.Run, e.Attempt, e.Redelivered)
		add(e.End, "%s has %s", e.Run, e.Result)
	}
	if v.Guarantee == AtLeastOnce && len(h.Faults) > 0 {
		last = h.Faults[len(h.Faults)-1].Time // the call could have run at any time until now
	}
	for _, f := range h.Faults {
		if !first.IsZero() && f.Time.After(first.Add(-before)) && f.Time.Before(last.Add(after)) {
			lines = append(lines, line{f.Time, "-- " + f.What})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	told := make([]string, len(lines))
	for i, l := range lines {
		told[i] = fmt.Sprintf("%9.3f s  %s", l.at.Sub(first).Seconds(), l.text)
	}
	return told
}

// kind describes the options of a call.
func (c *Call) kind() string {
	what := []string{"call"}
	if c.Notification {
		what[0] = "notification"
	}
	for _, o := range []struct {
		is   bool
		name string
	}{
		{c.Idempotent, "idempotent"}, {c.Persistent, "persistent"},
		{c.Queue.AtMostOnce, "at most once"}, {c.Queue.Quorum, "quorum"},
	} {
		if o.is {
			what = append(what, o.name)
		}
	}
	return strings.Join(what, ", ")
}

// Report describes all violations in a history, with the shortest story for each
// guarantee. It is empty if there is no violation.
func Report(h *History, seed uint64) string {
	vs := Check(h)
	if len(vs) == 0 {
		return ""
	}
	count := make(map[Guarantee]int)
	for _, v := range vs {
		count[v.Guarantee]++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d (AMQPRPC_FAULTS_SEED=%d) breaks %d of the guarantees:\n", seed, seed, len(count))
	for _, v := range Shortest(h, vs) {
		fmt.Fprintf(&b, "\n%s\n    broken %d times, for example by %s: %s\n", v.Guarantee, count[v.Guarantee], v.Call, v.What)
		for _, line := range Story(h, v) {
			fmt.Fprintf(&b, "    %s\n", line)
		}
	}
	return b.String()
}
