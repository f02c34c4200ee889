// Package overload decides which requests a busy server refuses, because it would not
// finish them in time. A queue under overload is first in first out and drops only what
// has expired, so it delivers requests that are about to expire. A server that begins
// each of them answers none in time.
//
// A [Gauge] knows how busy the server is. [Clocks] estimate how long a request was in
// its queue. Values go in, a verdict comes out; the package knows no broker.
package overload

import (
	"math"
	"sync"
	"time"
)

const (
	// calmAfter is how long a server must have had room before it is certain that the
	// queue is empty: the broker would have delivered what waits.
	calmAfter = time.Second

	// roundTrip is what the broker usually needs to fill a place that has become free.
	// A place that stays free for longer shows that the queue is empty, most likely.
	roundTrip = 10 * time.Millisecond

	// replyMargin is what a reply needs to reach its caller.
	replyMargin = 2 * time.Millisecond
)

// Gauge is how busy a server is with one queue. It is safe for concurrent use. All
// durations are those of the monotonic clock, if the times that it gets have readings
// of it.
type Gauge struct {
	bound int

	mu      sync.Mutex
	n       int           // requests at the last report
	busyAt  time.Time     // when more than half of the places were last taken
	fullAt  time.Time     // when more than three quarters were last taken
	emptyAt time.Time     // when the queue was last known to be empty
	typical time.Duration // what a handler takes, a moving average; 0 is unknown
}

// NewGauge returns the gauge of a server that can have bound requests of the queue at
// once. The server counts as calm until the first report.
func NewGauge(bound int) *Gauge {
	return &Gauge{bound: min(max(bound, 1), math.MaxInt/4)}
}

// Consuming reports that the server begins to consume, or begins again. The queue may
// hold any number of requests, of any age.
func (g *Gauge) Consuming(at time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busyAt, g.fullAt, g.emptyAt = later(g.busyAt, at), later(g.fullAt, at), later(g.emptyAt, at)
}

// Load reports that the server has n requests now. Call it whenever a request arrives
// (after Calm and Longest) or is done.
func (g *Gauge) Load(n int, at time.Time) {
	n = min(max(n, 0), math.MaxInt/4)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.empty(at) {
		g.emptyAt = later(g.emptyAt, at)
	}
	most := max(n, g.n) // the server had g.n until now
	if 2*most > g.bound {
		g.busyAt = later(g.busyAt, at)
	}
	if g.full(most) {
		g.fullAt = later(g.fullAt, at)
	}
	g.n = n
}

// Calm reports that a request which arrives at that time cannot have waited in its
// queue: the server has had room for long enough.
func (g *Gauge) Calm(at time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return 2*g.n <= g.bound && at.Sub(g.busyAt) >= calmAfter
}

// Longest returns the longest time that a request which arrives at that time is likely
// to have waited: the time since the queue was last empty.
func (g *Gauge) Longest(at time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.empty(at) {
		return 0
	}
	return max(at.Sub(g.emptyAt), 0)
}

func (g *Gauge) empty(at time.Time) bool { return !g.full(g.n) && at.Sub(g.fullAt) >= roundTrip }

func (g *Gauge) full(n int) bool { return n > g.bound-(g.bound+3)/4 }

// Took reports how long a handler took.
func (g *Gauge) Took(d time.Duration) {
	d = max(d, 1)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.typical == 0 {
		g.typical = d
	}
	g.typical = max(g.typical+(d-g.typical)/16, 1)
}

// Typical returns what a handler takes at present, 0 if it is not known.
func (g *Gauge) Typical() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.typical
}

// Hopeless reports whether a request is better refused than begun: the server has load
// requests and its handlers are busy, less than half of the request's budget is left,
// and handlers take longer than what is left, which may be less than nothing if the
// request waited for as long as it could. The budget is the whole time that the request
// was given; 0 is no limit. A request whose deadline has certainly passed is another
// matter: do not ask for it.
func (g *Gauge) Hopeless(load int, left, budget time.Duration) bool {
	typical := g.Typical()
	if typical == 0 || load < g.bound-g.bound/4 {
		return false
	}
	needs := min(typical, math.MaxInt64/2)
	return left < min(needs+needs/2+replyMargin, budget/2)
}

// later returns the later of two times: goroutines report out of order.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
