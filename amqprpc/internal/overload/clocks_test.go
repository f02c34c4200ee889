package overload_test

import (
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/overload"
)

func TestWaited(t *testing.T) {
	t.Parallel()
	const ms, s = time.Millisecond, time.Second
	const expires = 500 * ms
	type arrival struct {
		from   string
		at     time.Duration
		lag    time.Duration
		calm   bool
		long   time.Duration // the longest time that it is likely to have waited
		times  int           // how often it comes; 0 is once
		waited time.Duration // wanted
	}
	for name, arrivals := range map[string][]arrival{
		"what exceeds the least was waited": {
			{from: "a", lag: 900 * ms, calm: true},
			{from: "a", at: ms, lag: 950 * ms, waited: 50 * ms},
			{from: "a", at: 2 * ms, lag: 890 * ms},
			{from: "a", at: 3 * ms, lag: 950 * ms, waited: 60 * ms},
		},
		"clocks differ": {
			{from: "a", lag: -700 * ms, calm: true},
			{from: "b", lag: 700 * ms, calm: true},
			{from: "a", lag: -600 * ms, at: s, waited: 100 * ms},
			{from: "b", lag: 800 * ms, at: s, waited: 100 * ms},
		},
		"a new sender's did not wait if the server is merely busy": {
			{from: "a", lag: 5 * s},
			{from: "a", at: 100 * ms, lag: 5 * s, long: 200 * ms},
			{from: "a", at: 200 * ms, lag: 5*s + 20*ms, long: 400 * ms, waited: 20 * ms},
		},
		"a new sender's waited under a lasting overload": {
			{from: "a", lag: 5 * s, long: 2 * expires},
			{from: "a", lag: 5 * s, long: 2 * expires, times: 16, waited: expires},
			{from: "a", at: 100 * ms, lag: 5*s - 20*ms, long: 2 * expires, waited: expires - 20*ms},
		},
		"but not for longer than until it expired": {
			{from: "a", lag: 5 * s, long: 8 * expires, waited: expires},
			{from: "a", at: ms, lag: 4950 * ms, long: 8 * expires, waited: expires - 50*ms},
			{from: "a", at: 2 * ms, lag: 5010 * ms, long: 8 * expires, waited: expires},
			{from: "a", at: 3 * ms, lag: 4950 * ms, long: 8 * expires, waited: expires - 60*ms},
		},
		"a request that comes to a calm server did not wait": {
			{from: "a", lag: 300 * ms, long: s},
			{from: "a", at: s, lag: 320 * ms, calm: true},
			{from: "a", at: 2 * s, lag: 330 * ms, long: s, waited: 30 * ms},
		},
		"a clock set back by more than a request lives": {
			{from: "a", lag: 0, calm: true},
			{from: "a", at: s, lag: 5 * s},
			{from: "a", at: 2 * s, lag: 5*s + 100*ms, calm: true},
			{from: "a", at: 3 * s, lag: 5*s + 150*ms, waited: 150 * ms},
		},
		"a clock set forward": {
			{from: "a", lag: 0, calm: true},
			{from: "a", at: s, lag: -5 * s, calm: true},
			{from: "a", at: 2 * s, lag: -5*s + 100*ms, waited: 100 * ms},
		},
		"a clock set back a little is believed when the server is calm": {
			{from: "a", lag: 0, calm: true},
			{from: "a", at: s, lag: 300 * ms, waited: 300 * ms},
			{from: "a", at: 2 * s, lag: 300 * ms, calm: true},
			{from: "a", at: 3 * s, lag: 310 * ms, waited: 10 * ms},
		},
		"a clock set back a little is believed in a period, calm or not": {
			{from: "a", lag: 0, calm: true},
			{from: "a", at: s, lag: 300 * ms, waited: 300 * ms},
			{from: "a", at: 16 * s, lag: 300 * ms, waited: 300 * ms},
			{from: "a", at: 31 * s, lag: 300 * ms, long: 40 * ms},
		},
		"who calls seldom is remembered": {
			{from: "a", lag: 0, calm: true},
			{from: "a", at: time.Hour, lag: 300 * ms, long: s, waited: 300 * ms},
		},
		"an overload is not the measure, however long": {
			{from: "a", lag: 0, calm: true},
			{from: "a", at: 40 * s, lag: 480 * ms, long: 40 * s, waited: 480 * ms},
			{from: "a", at: 80 * s, lag: 490 * ms, long: 80 * s, times: 16, waited: expires},
			{from: "a", at: 120 * s, lag: 470 * ms, long: 120 * s, waited: 480 * ms},
		},
		"nothing is known of a sender without a name": {
			{lag: 0, calm: true},
			{at: s, lag: 300 * ms, long: s},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clocks, begin := new(overload.Clocks), time.Now()
			for i, a := range arrivals {
				got := time.Duration(0)
				for range max(1, a.times) {
					got = clocks.Waited(overload.Arrival{Sender: overload.Sender{Address: a.from}, Lag: a.lag, Expires: expires,
						At: begin.Add(a.at), Calm: a.calm, Longest: a.long})
				}
				require.Equal(t, a.waited, got, "arrival %d", i)
			}
		})
	}
}

var extremes = []time.Duration{math.MinInt64, math.MinInt64 + 1, -time.Hour, -1, 0, 1, time.Hour, math.MaxInt64 - 1, math.MaxInt64}

// Whatever other senders claim, a sender's requests are judged as if they were alone.
func TestSendersDoNotInfluenceEachOther(t *testing.T) {
	t.Parallel()
	alone, beside, begin := new(overload.Clocks), new(overload.Clocks), time.Now()
	some := false
	for i := range 1000 {
		at := begin.Add(time.Duration(i) * 100 * time.Millisecond)
		honest := overload.Arrival{Sender: overload.Sender{Address: "honest"}, Lag: time.Duration(i*i%400) * time.Millisecond, Expires: 400 * time.Millisecond,
			At: at, Calm: i < 10, Longest: time.Hour}
		for j, lag := range extremes {
			for k, expires := range extremes {
				beside.Waited(overload.Arrival{Sender: overload.Sender{Address: strconv.Itoa(j % 3)}, Lag: lag, Expires: expires, At: at, Calm: k%2 == 0, Longest: lag})
			}
		}
		waited := alone.Waited(honest)
		require.Equal(t, waited, beside.Waited(honest))
		some = some || waited > 0
	}
	require.True(t, some)
}

// A sender that was forgotten, because there are so many, is new.
func TestClocksAreBounded(t *testing.T) {
	t.Parallel()
	clocks, now := new(overload.Clocks), time.Now()
	second := overload.Arrival{Sender: overload.Sender{Address: "a"}, Lag: time.Second, Expires: time.Minute, At: now, Longest: time.Hour}
	first := second
	first.Lag, first.Calm = 0, true
	others := func(n int) {
		for i := range n {
			clocks.Waited(overload.Arrival{Sender: overload.Sender{Address: strconv.Itoa(i)}, Expires: time.Minute, At: now, Calm: true})
		}
	}
	clocks.Waited(first)
	others(4095)
	require.Equal(t, time.Second, clocks.Waited(second))
	others(4096)
	require.Equal(t, time.Minute, clocks.Waited(second))
}

// No value overflows, and a sender of wild claims is believed again in a period.
func FuzzWaited(f *testing.F) {
	for _, lag := range extremes {
		for _, expires := range extremes {
			f.Add(int64(lag), int64(expires), true, int64(-lag), int64(expires), false, int64(lag))
		}
	}
	f.Fuzz(func(t *testing.T, lag1, expires1 int64, calm1 bool, lag2, expires2 int64, calm2 bool, longest int64) {
		clocks, begin := new(overload.Clocks), time.Now()
		for i := range 4 {
			a := overload.Arrival{Sender: overload.Sender{Address: "a"}, Lag: time.Duration(lag1), Expires: time.Duration(expires1), Calm: calm1}
			if i%2 == 1 {
				a.Lag, a.Expires, a.Calm = time.Duration(lag2), time.Duration(expires2), calm2
			}
			a.At, a.Longest = begin.Add(time.Duration(i)*10*time.Second), time.Duration(longest)
			waited := clocks.Waited(a)
			require.GreaterOrEqual(t, waited, time.Duration(0))
			require.LessOrEqual(t, waited, max(a.Expires, 0))
			if a.Calm {
				require.Zero(t, waited)
			}
		}
		honest := overload.Arrival{Sender: overload.Sender{Address: "a"}, Expires: time.Minute, At: begin.Add(46 * time.Second), Calm: true}
		require.Zero(t, clocks.Waited(honest))
		honest.At = begin.Add(62 * time.Second)
		require.Zero(t, clocks.Waited(honest))
		honest.Lag, honest.Calm, honest.Longest = time.Second, false, time.Hour
		require.Equal(t, time.Second, clocks.Waited(honest))
	})
}
