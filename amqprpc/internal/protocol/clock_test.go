package protocol

import (
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// stepped is what time.Now would have returned at t if the wall clock had been set
// forward by so many seconds before, or back. The monotonic clock is not set.
func stepped(t time.Time, seconds int64) time.Time {
	wall := (*uint64)(unsafe.Pointer(&t)) // its lowest 30 bits are nanoseconds
	*wall = uint64(int64(*wall) + seconds<<30)
	return t
}

func TestStepped(t *testing.T) {
	t.Parallel()
	now := time.Now()
	require.Zero(t, stepped(now, 3600).Sub(now))
	require.EqualValues(t, 3600, stepped(now, 3600).Unix()-now.Unix())
}

// Steps of the wall clock change neither what is left of a request's time, nor the
// deadline of a request that has arrived.
func TestStepsOfTheWallClock(t *testing.T) {
	t.Parallel()
	for _, step := range []int64{-3600, -5, 5, 3600} {
		now := time.Now()
		millis, stated := timeLeft(now.Add(10*time.Second), stepped(now, step))
		require.EqualValues(t, 10_000, millis)
		require.EqualValues(t, now.UnixMilli()+step*1000+10_000, stated, "by the clock that servers compare with")

		end := (&Request{Expires: -1, Stated: now.UnixMilli() + 10_000}).End(now, time.Second)
		require.InDelta(t, 11*time.Second, end.Sub(stepped(now, step)), float64(2*time.Millisecond))
	}
}
