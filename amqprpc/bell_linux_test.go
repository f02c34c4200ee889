package amqprpc

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBell(t *testing.T) {
	t.Parallel()
	rung := make(chan time.Time, 10)
	b := newBell(func() { rung <- time.Now() })
	require.NotNil(t, b)
	defer b.close()

	start := time.Now()
	b.set(time.Hour)
	b.set(time.Millisecond)
	require.GreaterOrEqual(t, (<-rung).Sub(start), time.Millisecond)

	b.set(20 * time.Millisecond)
	b.set(0)
	time.Sleep(50 * time.Millisecond)
	require.Empty(t, rung, "it rings once, and not when it was muted")
}

// In haste it is the bell that has the turn taken: here nothing ticks.
func TestTurnWithBell(t *testing.T) {
	t.Parallel()
	taken := make(chan uint64, 1)
	var tn turn
	tn.init(func(now uint64) bool { taken <- now; return true }, newBell)
	defer tn.end()
	next := func() uint64 {
		select {
		case now := <-taken:
			return now
		case <-time.After(10 * time.Second):
			require.Fail(t, "nobody took the turn")
			return 0
		}
	}
	tn.lend(0, time.Now())
	now := next()
	tn.mu.Lock()
	tn.timer.Stop()
	tn.mu.Unlock()
	for range 3 {
		tn.hasty.Store(int64(time.Since(tn.epoch) + time.Hour))
		tn.lend(now, time.Now())
		now = next() // nothing else looks
		require.False(t, tn.rings.Load(), "until it is lent again")
	}

	// What is lent late, when the bell has been set for a while, is watched like that.
	tn.hasty.Store(int64(time.Since(tn.epoch) + time.Hour))
	for at := time.Now(); time.Since(at) < 4*turnHaste; {
		tn.lend(now, time.Now())
		if !tn.reclaim(&now) {
			now = next() // the machine was busy
		}
	}
	tn.lend(now, time.Now())
	now = next()

	for tn.lend(now, time.Now()); !tn.reclaim(&now); tn.lend(now, time.Now()) {
		now = next()
	}
	require.True(t, tn.rings.Load())
	tn.idle()
	require.False(t, tn.rings.Load())
	tn.hasty.Store(0)
	tn.lend(now, time.Now())
	require.False(t, tn.rings.Load(), "without haste there is no bell")
}
