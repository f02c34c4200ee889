package middleware

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// share is the part of the durations that the quantile has below it, in the long run.
func share(q *quantile, n int, draw func() time.Duration) float64 {
	below := 0
	for range n {
		d := draw()
		if at, _ := q.get(); d <= at {
			below++
		}
		q.add(d, false)
	}
	return float64(below) / float64(n)
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for name, draw := range map[string]func() time.Duration{
		"uniform":     func() time.Duration { return time.Duration(rng.Float64() * float64(time.Second)) },
		"exponential": func() time.Duration { return time.Duration(rng.ExpFloat64() * float64(time.Millisecond)) },
		"log-normal":  func() time.Duration { return time.Duration(math.Exp(rng.NormFloat64()) * float64(time.Millisecond)) },
		"two values": func() time.Duration {
			if rng.IntN(100) == 0 {
				return time.Second
			}
			return time.Millisecond + time.Duration(rng.IntN(1000))
		},
	} {
		for _, p := range []float64{0.5, 0.9, 0.95} {
			q := &quantile{p: p}
			share(q, 1000, draw)
			require.InDelta(t, p, share(q, 20_000, draw), 0.02, "%s, %v", name, p)
		}
	}
}

// The quantile follows a change of the durations.
func TestQuantileFollows(t *testing.T) {
	t.Parallel()
	q := &quantile{p: 0.95}
	_, ok := q.get()
	require.False(t, ok)
	for range quantileWarm {
		_, ok = q.get()
		require.False(t, ok)
		q.add(time.Millisecond, false)
	}
	at, ok := q.get()
	require.True(t, ok)
	require.InDelta(t, time.Millisecond, at, float64(200*time.Microsecond))
	for range 200 {
		q.add(100*time.Millisecond, false)
	}
	at, _ = q.get()
	require.Greater(t, at, 90*time.Millisecond)
	for range 5000 {
		q.add(time.Millisecond, false)
	}
	at, _ = q.get()
	require.Less(t, at, 2*time.Millisecond)
}

// An attempt that was given up counts only if it had taken longer than the quantile.
func TestQuantileOfWhatWasGivenUp(t *testing.T) {
	t.Parallel()
	q := &quantile{p: 0.95}
	for range quantileWarm {
		q.add(time.Second, false)
	}
	before, _ := q.get()
	q.add(time.Millisecond, true)
	at, _ := q.get()
	require.Equal(t, before, at)
	q.add(2*time.Second, true)
	at, _ = q.get()
	require.Greater(t, at, before)
	q.add(-time.Second, false)
	q.add(math.MaxInt64, false)
	at, _ = q.get()
	require.Positive(t, at)
}
