package messaging

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBackoff(t *testing.T) {
	t.Parallel()
	var b backoff
	span := backoffFirst
	for range 100 {
		d := b.next()
		require.GreaterOrEqual(t, d, span/2)
		require.LessOrEqual(t, d, span)
		span = min(span*2, backoffMost)
	}
	b.lasted(backoffMost)
	require.Greater(t, b.next(), backoffFirst, "what is lost again and again is not begun afresh")
	b.lasted(backoffMost + 1)
	require.LessOrEqual(t, b.next(), backoffFirst)
}

func TestSleep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		sleep(t.Context(), -time.Hour)
		require.Zero(t, time.Since(start))
		sleep(t.Context(), time.Hour)
		require.Equal(t, time.Hour, time.Since(start))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		sleep(ctx, time.Hour)
		require.Equal(t, time.Hour+time.Minute, time.Since(start))
	})
}
