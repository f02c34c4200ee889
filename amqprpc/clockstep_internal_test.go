package amqprpc

import (
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// hourAgo is what time.Now returned a moment ago if the wall clock has been set forward by an
// hour since. The monotonic clock is not set.
func hourAgo() time.Time {
	t := time.Now()
	wall := (*uint64)(unsafe.Pointer(&t)) // its lowest 30 bits are nanoseconds
	*wall -= 3600 << 30
	return t
}

// deaf does not mind an alarm.
type deaf struct{}

func (deaf) ring() {}

// Deadlines without a monotonic reading, as read from a header or a file, are right though
// the wall clock was set while the client lived.
func TestDeadlinesAfterAStepOfTheWallClock(t *testing.T) {
	t.Parallel()
	c := &clientState{born: hourAgo()}
	clock := &alarmClock{began: c.born}
	defer clock.stop()
	for _, left := range []time.Duration{-time.Hour, time.Minute, 24 * time.Hour} {
		deadline := time.Now().Add(left)
		for _, d := range []time.Time{deadline, deadline.Round(0)} {
			if left > 0 {
				require.WithinDuration(t, deadline, time.Now().Add(time.Until(c.timeOf(c.moment(d)))), time.Second)
			} else {
				require.EqualValues(t, 1, c.moment(d), "it has passed")
			}
			a := alarm{target: deaf{}} // one whose time has passed may ring at once
			clock.set(&a, d)
			require.InDelta(t, int64(left), int64(a.at), float64(time.Second))
			clock.drop(&a)
		}
	}
	far := c.moment(time.Unix(1<<60, 0))
	require.InDelta(t, int64(forever), int64(far), float64(time.Second), "no overflow")
}
