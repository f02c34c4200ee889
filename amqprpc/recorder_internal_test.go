package amqprpc

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

// Each duration falls into a bucket whose bound is at most an eighth longer.
func TestRecorderBuckets(t *testing.T) {
	t.Parallel()
	for i := range recorderBuckets {
		bound := boundOf(i)
		require.Positive(t, bound)
		require.Equal(t, i, bucketOf(bound), "the bound itself is in")
		if i+1 < recorderBuckets {
			require.Equal(t, i+1, bucketOf(bound+1))
			require.LessOrEqual(t, float64(boundOf(i+1)), float64(bound)*1.125)
		}
	}
	require.Zero(t, bucketOf(0))
	require.Zero(t, bucketOf(1))
	require.Equal(t, recorderBuckets-1, bucketOf(1<<recorderLast-1))

	var r recorder
	for _, d := range []time.Duration{math.MinInt64, -1, 0, 1, time.Second, math.MaxInt64} {
		r.add(d)
	}
	h := r.snapshot()
	require.EqualValues(t, 6, h.Count)
	require.EqualValues(t, 1<<recorderLast-1, h.Max)
}

// The quantiles of what was recorded are right within 13 %, and so are those of the sum of
// several servers.
func TestRecorderQuantiles(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	recorders := make([]recorder, 3)
	var all []time.Duration
	var writers sync.WaitGroup
	for i := range 30_000 {
		d := time.Duration(float64(20*time.Microsecond) * math.Exp(2*random.NormFloat64()))
		all = append(all, d)
		if i%100 == 0 {
			writers.Go(func() { recorders[i%3].add(d) })
		} else {
			recorders[i%3].add(d)
		}
	}
	writers.Wait()
	var h describe.Histogram
	for i := range recorders {
		h = h.Merge(recorders[i].snapshot())
	}
	slices.Sort(all)
	require.EqualValues(t, len(all), h.Count)
	require.EqualValues(t, all[len(all)-1], h.Max)
	for _, q := range []float64{0.5, 0.9, 0.99, 0.999, 1} {
		exact := all[int(q*float64(len(all)-1))]
		got := h.Quantile(q)
		require.GreaterOrEqual(t, got, exact, q)
		require.LessOrEqual(t, float64(got), 1.13*float64(max(exact, 1024)), q)
	}
}

// The last kinds of errors are kept, the latest first, and no more.
func TestFailures(t *testing.T) {
	t.Parallel()
	var f failures
	for i := range 3 * failureKinds {
		f.add("internal", string(rune('a'+i)))
		f.add("internal", "again")
	}
	f.add("unknown", string(make([]byte, failureText))+"\xff and more")
	got := f.snapshot()
	require.Len(t, got, failureKinds)
	require.Equal(t, "unknown", got[0].Code)
	require.Len(t, got[0].Message, failureText)
	require.Equal(t, "again", got[1].Message)
	require.EqualValues(t, 3*failureKinds, got[1].Count)
	require.True(t, slices.IsSortedFunc(got, func(a, b describe.Failure) int { return b.Last.Compare(a.Last) }))
	f.add("internal", "\xffä"+string(make([]byte, failureText-3))+"ö")
	require.Equal(t, "ä"+string(make([]byte, failureText-3)), f.snapshot()[0].Message, "a letter is not cut in two")
}

// To count a request costs no allocation.
func TestTallyDoesNotAllocate(t *testing.T) {
	var c tally
	c.end(Errorf(CodeInternal, "x"), false)
	err := Errorf(CodeInternal, "x")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		c.end(nil, false)
		c.handler.add(time.Millisecond)
		c.queued.add(time.Millisecond)
		c.end(err, true)
	}))
}

func BenchmarkTally(b *testing.B) {
	var c tally
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for d := time.Duration(0); pb.Next(); d += 97 {
			c.running.Add(1)
			c.queued.add(d)
			c.running.Add(-1)
			c.handler.add(d)
			c.end(nil, false)
		}
	})
}
