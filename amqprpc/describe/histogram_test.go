package describe

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHistogramAsJSON(t *testing.T) {
	t.Parallel()
	h := Histogram{Count: 3, Sum: 50, Max: 30, Buckets: []Bucket{{10, 2}, {30, 1}}}
	b, err := json.Marshal(h)
	require.NoError(t, err)
	require.JSONEq(t, `{"count":3,"sum_ns":50,"max_ns":30,"buckets":[[10,2],[30,1]]}`, string(b))
	var back Histogram
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, h, back)
	for _, bad := range []string{`[1]`, `[1,2,3]`, `{}`, `[1,"x"]`, `[]`, `null`} {
		require.Error(t, json.Unmarshal([]byte(`{"buckets":[`+bad+`]}`), &back), bad)
	}
}

func TestHistogramQuantiles(t *testing.T) {
	t.Parallel()
	h := Histogram{Count: 100, Sum: 1000, Max: 35, Buckets: []Bucket{{10, 50}, {20, 49}, {40, 1}}}
	require.Equal(t, time.Duration(10), h.Quantile(0.5))
	require.Equal(t, time.Duration(20), h.Quantile(0.51))
	require.Equal(t, time.Duration(20), h.Quantile(0.99))
	require.Equal(t, time.Duration(35), h.Quantile(1), "no more than the longest")
	require.Equal(t, time.Duration(10), h.Quantile(0))
	require.Equal(t, time.Duration(10), h.Mean())
	var empty Histogram
	require.Zero(t, empty.Quantile(0.5))
	require.Zero(t, empty.Mean())
}

func TestHistogramsMergeAndDiffer(t *testing.T) {
	t.Parallel()
	a := Histogram{Count: 3, Sum: 30, Max: 20, Buckets: []Bucket{{10, 2}, {20, 1}}}
	b := Histogram{Count: 2, Sum: 45, Max: 40, Buckets: []Bucket{{5, 1}, {20, 0}, {40, 1}}}
	sum := a.Merge(b)
	require.Equal(t, Histogram{Count: 5, Sum: 75, Max: 40, Buckets: []Bucket{{5, 1}, {10, 2}, {20, 1}, {40, 1}}}, sum)
	require.Equal(t, []Bucket{{10, 2}, {20, 1}}, a.Buckets, "the parts stay as they are")
	require.Equal(t, Histogram{Count: 2, Sum: 45, Buckets: []Bucket{{5, 1}, {40, 1}}}, sum.Since(a))
	require.Equal(t, a, a.Since(sum), "a restarted server begins anew")
	require.Zero(t, a.Since(a).Count)
	require.Empty(t, a.Since(a).Buckets)
}
