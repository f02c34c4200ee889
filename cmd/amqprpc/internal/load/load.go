// Package load makes calls at a rate, or by a number of callers, and measures them.
package load

import (
	"context"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Plan says which load to make.
type Plan struct {
	Rate     float64       `json:"rate,omitempty"`    // calls per second; 0 is as fast as the callers can
	Callers  int           `json:"callers,omitempty"` // calls in flight at most; 0 is maxInFlight
	Warmup   time.Duration `json:"warmup_ns"`         // calls that are due in it are not counted
	Duration time.Duration `json:"duration_ns"`       // after the warm-up
}

// maxInFlight is the most calls in flight if the plan does not say otherwise.
const maxInFlight = 10_000

// The range of the histogram, in nanoseconds, and its digits. Longer calls count as the longest.
const (
	shortest = int64(time.Microsecond)
	longest  = int64(time.Hour)
	digits   = 3
)

// recorder collects what calls report. It is safe for concurrent use.
type recorder struct {
	mu     sync.Mutex
	times  *hdrhistogram.Histogram
	errors map[string]int64
	late   int64 // calls that began more than a tenth of a second late
	ended  time.Time
}

// late is when a call counts as begun late.
const lateAfter = 100 * time.Millisecond

func (r *recorder) record(due, began time.Time, label string) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.times.RecordValue(min(max(int64(now.Sub(due)), shortest), longest)) // in range, so that it cannot fail
	if label != "" {
		r.errors[label]++
	}
	if began.Sub(due) > lateAfter {
		r.late++
	}
	r.ended = now
}

// done returns how many calls were counted.
func (r *recorder) done() (calls int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.times.TotalCount()
}

// Run makes the load and returns its report. call makes one call, and returns "" or a label of
// its error, such as a code. progress is called a few times a second with the calls so far. If ctx
// ends, Run waits for the calls in flight, whose ctx ends as well, and returns what there is.
//
// With a rate, each call has a time at which it is due, and its latency counts from this time:
// also if it could not begin then, because the calls before it were slow. So a stall of the server
// counts for all the calls that it delays (coordinated omission). Without a rate, a caller makes a
// call when its last one has ended, and latency counts from the beginning of the call.
func Run(ctx context.Context, p Plan, call func(context.Context) (label string), progress func(calls int64)) *Report {
	r := &recorder{times: hdrhistogram.New(shortest, longest, digits), errors: make(map[string]int64)}
	start := time.Now()
	measured := start.Add(p.Warmup)
	end := measured.Add(p.Duration)
	one := func(due time.Time) {
		began := time.Now()
		label := call(ctx)
		if !due.Before(measured) && (ctx.Err() == nil || label == "") {
			r.record(due, began, label)
		}
	}
	stop := make(chan struct{})
	var reporter sync.WaitGroup
	reporter.Go(func() { report(stop, r, progress) })
	if p.Rate > 0 {
		open(ctx, p, start, end, one)
	} else {
		closed(ctx, p, end, one)
	}
	close(stop)
	reporter.Wait()
	out := newReport(p, r, measured)
	if ctx.Err() == nil { // the time in which no call was due any more counts for the rate, too
		out.Elapsed = max(out.Elapsed, p.Duration)
	}
	return out
}

// open makes each call when it is due, on a goroutine of its own.
func open(ctx context.Context, p Plan, start, end time.Time, one func(due time.Time)) {
	room := p.Callers
	if room <= 0 {
		room = maxInFlight
	}
	slots := make(chan struct{}, room)
	var calls sync.WaitGroup
	defer calls.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := 0; ; n++ {
		due := start.Add(time.Duration(float64(n) / p.Rate * float64(time.Second)))
		if !due.Before(end) {
			return
		}
		if wait := time.Until(due); wait > 0 {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
		}
		select {
		case <-ctx.Done():
			return
		case slots <- struct{}{}:
		}
		calls.Go(func() {
			defer func() { <-slots }()
			one(due)
		})
	}
}

// closed has callers that make one call after the other.
func closed(ctx context.Context, p Plan, end time.Time, one func(due time.Time)) {
	var callers sync.WaitGroup
	for range max(p.Callers, 1) {
		callers.Go(func() {
			for now := time.Now(); now.Before(end) && ctx.Err() == nil; now = time.Now() {
				one(now)
			}
		})
	}
	callers.Wait()
}

func report(stop <-chan struct{}, r *recorder, progress func(int64)) {
	if progress == nil {
		return
	}
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			progress(r.done())
		}
	}
}
