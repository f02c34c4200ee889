package load_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sleep waits, as a call does.
func sleep(ctx context.Context, d time.Duration) string {
	select {
	case <-time.After(d):
		return ""
	case <-ctx.Done():
		return "canceled"
	}
}

func TestOpenLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ticks int
		r := load.Run(t.Context(), load.Plan{Rate: 100, Warmup: time.Second, Duration: 10 * time.Second},
			func(ctx context.Context) string { return sleep(ctx, 20*time.Millisecond) }, func(int64) { ticks++ })
		require.EqualValues(t, 1000, r.Calls)
		require.InDelta(t, 100, r.Rate(), 1)
		quick := load.Run(t.Context(), load.Plan{Rate: 2, Duration: time.Second}, func(context.Context) string { return "" }, nil)
		require.InDelta(t, 2, quick.Rate(), 0, "the time after the last call counts")
		require.InDelta(t, 20e6, float64(r.Latency.P50), 1e5)
		require.InDelta(t, 20e6, float64(r.Latency.Max), 1e5)
		require.Zero(t, r.Failed())
		require.Zero(t, r.Late)
		require.Greater(t, ticks, 30)
	})
}

// A server that stalls for a second delays a hundred calls, and each of them counts.
func TestStallsCountForAllCallsThatTheyDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stalled := time.Now().Add(5 * time.Second)
		over := stalled.Add(time.Second)
		stall := func(ctx context.Context) string {
			if now := time.Now(); !now.Before(stalled) && now.Before(over) {
				return sleep(ctx, over.Sub(now))
			}
			return sleep(ctx, time.Millisecond)
		}
		for _, callers := range []int{0, 1} {
			stalled = time.Now().Add(5 * time.Second)
			over = stalled.Add(time.Second)
			r := load.Run(t.Context(), load.Plan{Rate: 100, Callers: callers, Duration: 10 * time.Second}, stall, nil)
			require.EqualValues(t, 1000, r.Calls)
			require.InDelta(t, 1e9, float64(r.Latency.Max), 1e7)
			require.Greater(t, r.Latency.P99, 800*time.Millisecond, "a tenth of the calls waits")
			if callers == 1 {
				require.Greater(t, r.Late, int64(80))
			}
		}
	})
}

func TestClosedLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var inFlight, most atomic.Int64
		n := 0
		r := load.Run(t.Context(), load.Plan{Callers: 1, Duration: time.Second}, func(ctx context.Context) string {
			most.Store(max(most.Load(), inFlight.Add(1)))
			defer inFlight.Add(-1)
			sleep(ctx, 10*time.Millisecond)
			if n++; n%10 == 0 {
				return "unavailable"
			}
			return ""
		}, nil)
		require.EqualValues(t, 100, r.Calls)
		require.EqualValues(t, map[string]int64{"unavailable": 10}, r.Errors)
		require.EqualValues(t, 1, most.Load())
	})
}

// A bench that is interrupted reports what it has, and the interrupted calls are no errors.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, p := range []load.Plan{{Rate: 100, Duration: time.Hour}, {Callers: 3, Duration: time.Hour}, {Rate: 1000, Callers: 1, Duration: time.Hour}} {
			ctx, stop := context.WithTimeout(t.Context(), 995*time.Millisecond)
			r := load.Run(ctx, p, func(ctx context.Context) string { return sleep(ctx, 50*time.Millisecond) }, nil)
			stop()
			require.Positive(t, r.Calls)
			require.Zero(t, r.Failed())
		}
	})
}

func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	var r *load.Report
	synctest.Test(t, func(t *testing.T) {
		r = load.Run(t.Context(), load.Plan{Rate: 10, Duration: time.Second}, func(ctx context.Context) string { return sleep(ctx, time.Millisecond) }, nil)
	})
	r.Method = "shop.order"
	path := filepath.Join(t.TempDir(), "run.json")
	require.NoError(t, r.Save(path))
	back, err := load.Load(path)
	require.NoError(t, err)
	require.Equal(t, r.Latency, back.Latency)
	require.Equal(t, r.Rate(), back.Rate())
	h, err := hdrhistogram.Decode([]byte(back.HDR))
	require.NoError(t, err)
	require.EqualValues(t, 10, h.TotalCount())

	for _, text := range []string{"", "{}", "[]", `{"type":"amqprpc.bench.v2"}`, `{"type":"amqprpc.bench.v1","calls":"x"}`} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := load.Load(path)
		require.ErrorContains(t, err, path)
	}
	_, err = load.Load(path + ".absent")
	require.Error(t, err)
	_, err = json.Marshal(&load.Report{})
	require.NoError(t, err)
}
