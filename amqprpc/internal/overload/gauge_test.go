package overload_test

import (
	"math"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/overload"
)

func TestGaugeCalm(t *testing.T) {
	t.Parallel()
	const ms, s = time.Millisecond, time.Second
	type report struct {
		n  int
		at time.Duration
	}
	for name, c := range map[string]struct {
		bound   int
		reports []report
		at      time.Duration
		calm    bool
		longest time.Duration
	}{
		"it has begun to consume":            {bound: 4, at: 9 * ms, longest: 9 * ms},
		"nothing has come for a while":       {bound: 4, at: 10 * ms},
		"nothing has come for a second":      {bound: 4, at: s, calm: true},
		"half is not busy":                   {bound: 4, reports: []report{{2, s}}, at: s + ms, calm: true},
		"more than half is":                  {bound: 4, reports: []report{{3, s}}, at: s + ms},
		"still busy, without another report": {bound: 4, reports: []report{{3, s}}, at: 9 * s},
		"busy until now":                     {bound: 4, reports: []report{{3, s}, {0, 9 * s}}, at: 9*s + 999*ms},
		"busy until a second ago":            {bound: 4, reports: []report{{3, s}, {0, 9 * s}}, at: 10 * s, calm: true},
		"full since it was empty":            {bound: 4, reports: []report{{3, s}, {4, 2 * s}}, at: 3 * s, longest: s},
		"a place was free for a moment":      {bound: 4, reports: []report{{4, s}, {3, 2 * s}, {4, 2*s + 9*ms}}, at: 3 * s, longest: 2 * s},
		"a place was free for longer":        {bound: 4, reports: []report{{4, s}, {3, 2 * s}, {4, 2*s + 10*ms}}, at: 3 * s, longest: 990 * ms},
		"one place":                          {bound: 1, reports: []report{{1, s}, {0, 2 * s}, {1, 2*s + 10*ms}}, at: 3 * s, longest: 990 * ms},
		"reports out of order":               {bound: 1, reports: []report{{1, 2 * s}, {0, s}}, at: 2*s + 5*ms, longest: 5 * ms},
		"no place":                           {bound: 0, reports: []report{{-1, s}}, at: 2 * s, calm: true},
		"no bound":                           {bound: math.MaxInt, reports: []report{{math.MaxInt, s}}, at: 2 * s, longest: s},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			g := overload.NewGauge(c.bound)
			require.True(t, g.Calm(begin))
			g.Load(0, begin)
			g.Consuming(begin)
			for _, r := range c.reports {
				g.Load(r.n, begin.Add(r.at))
			}
			require.Equal(t, c.calm, g.Calm(begin.Add(c.at)), "calm")
			require.Equal(t, c.longest, g.Longest(begin.Add(c.at)), "longest")
		})
	}
}

// setClock returns what time.Now would return if the wall clock had been set.
func setClock(t *testing.T, at time.Time, seconds int64) time.Time {
	t.Helper()
	set := at
	wall := (*uint64)(unsafe.Pointer(&set)) // a bit, 33 bits of seconds, 30 bits of nanoseconds
	*wall = uint64(int64(*wall) + seconds<<30)
	require.Equal(t, seconds, set.Unix()-at.Unix())
	require.Zero(t, set.Sub(at))
	return set
}

func TestGaugeIgnoresTheWallClock(t *testing.T) {
	t.Parallel()
	for _, seconds := range []int64{-3600, 3600} {
		g, begin := overload.NewGauge(1), time.Now()
		g.Load(0, begin)
		g.Load(1, begin)
		g.Load(0, setClock(t, begin.Add(time.Second), seconds))
		require.False(t, g.Calm(setClock(t, begin.Add(1999*time.Millisecond), -seconds)))
		require.Equal(t, 1005*time.Millisecond, g.Longest(setClock(t, begin.Add(1005*time.Millisecond), -seconds)))
		require.True(t, g.Calm(setClock(t, begin.Add(2*time.Second), -seconds)))
		require.Zero(t, g.Longest(setClock(t, begin.Add(1010*time.Millisecond), seconds)))
	}
}

func TestHopeless(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		typical, left, budget time.Duration
		load                  int
		hopeless              bool
	}{
		"less is left than handlers take":    {typical: 20 * ms, left: 15 * ms, budget: 100 * ms, load: 4, hopeless: true},
		"a little more":                      {typical: 20 * ms, left: 31 * ms, budget: 100 * ms, load: 4, hopeless: true},
		"enough is left":                     {typical: 20 * ms, left: 32 * ms, budget: 100 * ms, load: 4},
		"more than half is left":             {typical: 200 * ms, left: 51 * ms, budget: 100 * ms, load: 4},
		"a handler is free":                  {typical: 20 * ms, left: 15 * ms, budget: 100 * ms, load: 2},
		"the last one":                       {typical: 20 * ms, left: 15 * ms, budget: 100 * ms, load: 3, hopeless: true},
		"what handlers take is not known":    {left: 15 * ms, budget: 100 * ms, load: 4},
		"no limit":                           {typical: 20 * ms, left: 15 * ms, load: 4},
		"nothing is left":                    {typical: 20 * ms, budget: 100 * ms, load: 4, hopeless: true},
		"handlers take almost for ever":      {typical: math.MaxInt64, left: math.MaxInt64/2 - 1, budget: math.MaxInt64, load: math.MaxInt, hopeless: true},
		"handlers take less than no time":    {typical: math.MinInt64, left: ms, budget: 100 * ms, load: 4, hopeless: true},
		"it seems to have ended long ago":    {typical: 20 * ms, left: math.MinInt64, budget: 100 * ms, load: 4, hopeless: true},
		"a budget of less than nothing":      {typical: 20 * ms, left: ms, budget: math.MinInt64, load: 4},
		"a load of less than nothing":        {typical: 20 * ms, left: ms, budget: 100 * ms, load: math.MinInt},
		"less is left than a reply's margin": {typical: 1, left: ms, budget: 100 * ms, load: 4, hopeless: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := overload.NewGauge(4)
			if c.typical != 0 {
				g.Took(c.typical)
			}
			require.Equal(t, c.hopeless, g.Hopeless(c.load, c.left, c.budget))
		})
	}
}

// What handlers take is a moving average.
func TestTook(t *testing.T) {
	t.Parallel()
	g := overload.NewGauge(1)
	g.Took(time.Second)
	require.True(t, g.Hopeless(1, time.Second, time.Hour))
	for range 100 {
		g.Took(10 * time.Millisecond)
	}
	require.False(t, g.Hopeless(1, 30*time.Millisecond, time.Hour))
	require.True(t, g.Hopeless(1, 15*time.Millisecond, time.Hour))
}
