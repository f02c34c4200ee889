package middleware

import (
	"math"
	"sync"
	"time"
)

const (
	// quantileWarm is how many durations a quantile must have seen to say something.
	quantileWarm = 100
	// quantileStep is how far, as a part of itself, a warm quantile can move at a time. It
	// halves within some hundred shorter durations, and doubles within some dozen longer ones.
	quantileStep = 0.03
)

// quantile is a running quantile of durations. It moves up a little for each duration above
// it, and down for each below it, in such a proportion that it rests where the share p is
// below. So it forgets what is long ago, and needs to know only on which side of it a duration
// is: an attempt that was given up counts, too. It is safe for concurrent use.
type quantile struct {
	p float64

	mu   sync.Mutex
	seen int
	at   float64 // nanoseconds
}

// add takes a duration in. If it is only the least that an attempt would have taken, it says
// something only above the quantile.
func (q *quantile) add(d time.Duration, isLeast bool) {
	x := math.Max(float64(d), 1)
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case isLeast && (x <= q.at || q.seen == 0):
		return
	case q.seen == 0:
		q.at = x
	}
	q.seen++
	step := math.Max(quantileStep, 1/math.Sqrt(float64(q.seen)))
	if x > q.at {
		q.at *= math.Exp(step * q.p)
	} else {
		q.at *= math.Exp(-step * (1 - q.p))
	}
}

// get returns the quantile, and false as long as it has seen too few durations.
func (q *quantile) get() (time.Duration, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return time.Duration(q.at), q.seen >= quantileWarm
}
