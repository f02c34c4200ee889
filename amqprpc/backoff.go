package amqprpc

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff spaces attempts to reach the broker: exponentially, so that a broker
// that is down is left alone, and with jitter, so that a fleet does not return
// to it in step. The zero value is ready; it is not safe for concurrent use.
type backoff struct{ failures int }

const (
	backoffFirst = 50 * time.Millisecond
	backoffMost  = 10 * time.Second
)

// next returns how long to wait now: between half and all of a span that
// doubles with each call.
func (b *backoff) next() time.Duration {
	span := backoffMost
	if b.failures < 8 {
		span = min(backoffFirst<<b.failures, backoffMost)
	}
	b.failures++
	return span/2 + rand.N(span/2+1)
}

func (b *backoff) reset() { b.failures = 0 }

// sleep waits for d or for ctx, whose error it returns.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
