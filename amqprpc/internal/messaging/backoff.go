package messaging

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff spaces attempts to reach the broker: exponentially, so that a broker that
// is down is left alone, and with jitter, so that a fleet does not return to it in
// step. The zero value is ready; it is not safe for concurrent use.
type backoff struct{ failures int }

const (
	backoffFirst = 50 * time.Millisecond
	backoffMost  = 10 * time.Second
)

// next returns how long to wait now: between half and all of a span that doubles
// with each call.
func (b *backoff) next() time.Duration {
	span := backoffMost
	if b.failures < 8 {
		span = min(backoffFirst<<b.failures, backoffMost)
	}
	b.failures++
	return span/2 + rand.N(span/2+1)
}

// lasted says how long the last success lasted. A long one starts the backoff
// afresh; one that is lost again and again does not.
func (b *backoff) lasted(d time.Duration) {
	if d > backoffMost {
		b.failures = 0
	}
}

// sleep waits for d or for ctx.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// signal has a channel with room for one hold a signal. It never waits.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// isClosed reports whether a channel on which nothing is sent is closed.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
