package bench

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRatioIsWithinRounds(t *testing.T) {
	t.Parallel()
	// A disturbance doubled every time of the second round.
	base := &Series{Samples: []Sample{{P50: 100}, {P50: 200}, {P50: 100}}}
	s := &Series{Samples: []Sample{{P50: 90}, {P50: 180}, {P50: 80}}}
	ratio, ok := s.Ratio(base, P50)
	require.True(t, ok)
	require.InDelta(t, 0.9, ratio, 1e-9)
	low, high := s.Spread(base, P50)
	require.InDelta(t, 0.8, low, 1e-9)
	require.InDelta(t, 0.9, high, 1e-9)

	_, ok = s.Ratio(base, P99)
	require.False(t, ok, "a metric that nobody measured")
	_, ok = s.Ratio(nil, P50)
	require.False(t, ok, "no base")
	_, ok = (*Series)(nil).Median(P50)
	require.False(t, ok, "no series")
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		of   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{3, 1}, 2}, {[]float64{5, 1, 3}, 3}, {[]float64{4, 1, 3, 2}, 2.5}} {
		got, ok := median(tt.of)
		require.True(t, ok)
		require.InDelta(t, tt.want, got, 1e-9, "%v", tt.of)
	}
	_, ok := median(nil)
	require.False(t, ok)
}

// The test makes up results that just reach and then just miss each goal, so it proves that
// each goal reads the series that it names.
func TestJudge(t *testing.T) {
	t.Parallel()
	require.Empty(t, Judge(nil), "nothing was measured")
	all := goals()
	for _, g := range fleetGoals() {
		all = append(all, g.Goal)
	}
	for _, g := range all {
		v := Verdict{Goal: g, Value: g.Must}
		require.True(t, v.Met(g.Must), g.Measure)
		if g.Aim != g.Must { // some have one bound
			require.False(t, v.Met(g.Aim), "%s: the aim is no harder than the must", g.Measure)
		}
		if g.AtMost {
			v.Value = 1.01*v.Value + 0.01
		} else {
			v.Value *= 0.99
		}
		require.False(t, v.Met(g.Must), g.Measure)
	}
	verdicts := Judge(Results{"throughput": {Series: []Series{
		{Name: "baseline", Case: "64 callers", Samples: []Sample{{CallsPerSecond: 1000}}},
		{Name: "amqprpc", Case: "64 callers", Samples: []Sample{{CallsPerSecond: 1200}}},
		{Name: "amqprpc", Case: "1024 callers", Samples: []Sample{{CallsPerSecond: 600}}},
	}}})
	require.Len(t, verdicts, 2)
	require.InDelta(t, 1.2, verdicts[0].Value, 1e-9)
	require.InDelta(t, 0.5, verdicts[1].Value, 1e-9)
}

// A goal of the fleet that is missed is beyond the broker if least misses it, too.
func TestBeyondTheBroker(t *testing.T) {
	t.Parallel()
	shape := fleetShapes()[0].name
	fleet := func(least float64) Results {
		of := func(name string, ratio float64) Series {
			return Series{Name: name, Case: shape, Samples: []Sample{{CallsPerSecond: 1000 * ratio, CPUPerCall: 100 / ratio}}}
		}
		return Results{"fleet": {Series: []Series{
			of("baseline", 1), of("amqprpc", 0.9), of(unconfirmed, 1.1), of("least", least), of(leastUnconfirmed, least),
		}}}
	}
	for _, tt := range []struct {
		least  float64
		beyond []bool // calls/s, calls/s without confirms, CPU
	}{
		{0.95, []bool{true, true, true}},
		{1.1, []bool{false, true, true}},
		{1.22, []bool{false, false, true}},
		{1.3, []bool{false, false, false}},
	} {
		verdicts := Judge(fleet(tt.least))
		require.Len(t, verdicts, 3)
		for i, v := range verdicts {
			require.False(t, v.Met(v.Must), v.Measure)
			require.Equal(t, tt.beyond[i], v.BeyondBroker, "%s, least at %v", v.Measure, tt.least)
		}
	}
	r := fleet(0.95)
	r["fleet"].Series = r["fleet"].Series[:3]
	require.False(t, Judge(r)[0].BeyondBroker, "least did not run")
	r = fleet(0.95)
	r["fleet"].Series[1].Samples[0] = Sample{CallsPerSecond: 1100}
	require.False(t, Judge(r)[0].BeyondBroker, "the goal is met")
}
