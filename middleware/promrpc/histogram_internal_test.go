package promrpc

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
)

var advised = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

func histogramOf(bounds []float64) *histogram {
	return with(newHistograms(newScale(bounds), "h", "A histogram.", "l"), "v")
}

// written returns what a histogram shows, without the time when it was made.
func written(t *testing.T, m prometheus.Metric) *dto.Metric {
	t.Helper()
	out := new(dto.Metric)
	require.NoError(t, m.Write(out))
	require.NotNil(t, out.GetHistogram().GetCreatedTimestamp())
	out.Histogram.CreatedTimestamp = nil
	return out
}

// durations are of all lengths, and those next to the bounds of buckets. The neighbours are shorter
// than an hour: beyond, the last bit of a bound, which may be rounded either way, decides.
func durations(bounds []float64) []time.Duration {
	all := []time.Duration{0, 1, 2, 3, math.MaxInt64, math.MaxInt64 - 1}
	for range 20_000 {
		all = append(all, time.Duration(math.Exp2(rand.Float64()*63)))
	}
	for key := -30 << schema; key < 11<<schema; key++ {
		bounds = append(bounds, math.Exp2(float64(key)/8))
	}
	for _, bound := range bounds {
		for near := time.Duration(-3); near <= 3; near++ {
			if d := time.Duration(min(bound, 3600)*1e9) + near; d >= 0 {
				all = append(all, d)
			}
		}
	}
	return all
}

// A histogram shows the same as one of client_golang.
func TestHistogramShowsWhatClientGolangShows(t *testing.T) {
	t.Parallel()
	for name, bounds := range map[string][]float64{
		"advised": advised, "native only": nil, "with +Inf": {0.1, math.Inf(1)},
		"strange": {-1, 0, 1e-9, 1.5e-9, 3e-7, 0.125, 0.1250000001, 1e4, 1e9, 1e10, 1e300},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const octaves = 16 // for each histogram, so that neither joins buckets
			var want, got [64 / octaves]prometheus.Metric
			for i := range got {
				want[i] = prometheus.NewHistogramVec(prometheus.HistogramOpts{
					Name: "h", Help: "A histogram.", ConstLabels: prometheus.Labels{"rpc_system_name": "amqprpc"}, Buckets: bounds,
					NativeHistogramBucketFactor: 1.1, NativeHistogramZeroThreshold: zeroThreshold,
				}, []string{"l"}).WithLabelValues("v").(prometheus.Metric)
				got[i] = histogramOf(bounds)
				require.True(t, proto.Equal(written(t, want[i]), written(t, got[i])), "without observations")
			}
			for _, d := range durations(bounds) {
				i := bits.Len64(uint64(d)) / octaves
				want[i].(prometheus.Observer).Observe(d.Seconds())
				got[i].(*histogram).observe(d, "")
			}
			for i := range got {
				w, g := written(t, want[i]), written(t, got[i])
				require.EqualValues(t, schema, g.GetHistogram().GetSchema())
				require.True(t, proto.Equal(w, g), "%v\n%v", w, g)
			}
		})
	}
}

// Observations at the same time as scrapes are all counted, and each scrape is consistent.
func TestHistogramIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	h := histogramOf(advised)
	const writers, each = 4, 5000
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for i := range each {
				h.observe(time.Duration(i)*time.Millisecond, "trace")
			}
		})
	}
	done := make(chan struct{})
	go func() { defer close(done); wg.Wait() }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		got := written(t, h).GetHistogram()
		var last uint64
		for _, b := range got.GetBucket() {
			require.GreaterOrEqual(t, b.GetCumulativeCount(), last)
			last = b.GetCumulativeCount()
		}
		require.GreaterOrEqual(t, got.GetSampleCount(), last)
	}
	got := written(t, h).GetHistogram()
	require.EqualValues(t, writers*each, got.GetSampleCount())
	require.InDelta(t, float64(writers*each*(each-1)/2)/1e3, got.GetSampleSum(), 1e-3)
}

// A negative duration counts as none. Many buckets are joined.
func TestHistogramLimits(t *testing.T) {
	t.Parallel()
	h := histogramOf(nil)
	h.observe(-time.Second, "")
	require.EqualValues(t, 1, written(t, h).GetHistogram().GetZeroCount())
	for key := zeroKey + 1; key < 32<<schema; key++ {
		h.observe(longest(math.Exp2(float64(key)/(1<<schema))), "")
	}
	got := written(t, h).GetHistogram()
	require.EqualValues(t, 1+52<<schema-1, got.GetSampleCount())
	require.EqualValues(t, 1, got.GetSchema())
	require.Len(t, got.GetPositiveDelta(), 52<<1, "416 buckets, by four")
}

// The newest trace of a bucket is its exemplar.
func TestHistogramExemplars(t *testing.T) {
	t.Parallel()
	h := histogramOf(advised)
	h.observe(time.Millisecond, "old")
	h.observe(2*time.Millisecond, "new")
	h.observe(time.Minute, "long")
	h.observe(3*time.Millisecond, "")
	h.observe(3*time.Millisecond, strings.Repeat("x", prometheus.ExemplarMaxRunes))
	h.observe(3*time.Millisecond, "\xff")
	got := written(t, h).GetHistogram()
	require.Len(t, got.GetExemplars(), 2)
	buckets := got.GetBucket()
	require.Len(t, buckets, len(advised)+1, "with +Inf, which has an exemplar")
	require.Equal(t, "new", buckets[0].GetExemplar().GetLabel()[0].GetValue())
	require.Equal(t, "trace_id", buckets[0].GetExemplar().GetLabel()[0].GetName())
	require.InDelta(t, 0.002, buckets[0].GetExemplar().GetValue(), 0)
	require.Nil(t, buckets[1].GetExemplar())
	require.Equal(t, "long", buckets[len(advised)].GetExemplar().GetLabel()[0].GetValue())

	h = histogramOf(nil)
	h.observe(time.Millisecond, "short")
	h.observe(time.Minute, "long")
	h.observe(0, "zero")
	h.observe(math.MaxInt64, "longest")
	require.Len(t, written(t, h).GetHistogram().GetExemplars(), 4)
}

func TestBoundsMustIncrease(t *testing.T) {
	t.Parallel()
	for _, bounds := range [][]float64{{1, 1}, {2, 1}, {math.NaN()}, {1, math.NaN()}, {math.Inf(1), 1}} {
		require.Panics(t, func() { New(WithBuckets(bounds)) }, "%v", bounds)
	}
}
