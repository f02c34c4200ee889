package top_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/top"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// answer is what an instance says after some seconds.
func answer(instance string, after int, ok, failed int64, buckets ...describe.Bucket) describe.Stats {
	now := start.Add(time.Duration(after) * time.Second)
	depth := 7
	s := describe.Stats{Identity: describe.Identity{Instance: instance, Name: "shop"}, Time: now}
	s.Methods = []describe.MethodStats{{
		Queue: "q", Served: true, InFlight: 2, Depth: &depth,
		Calls:    map[string]int64{"ok": ok, "not_found": failed},
		Handler:  describe.Histogram{Count: ok + failed, Buckets: buckets},
		Failures: []describe.Failure{{Code: "not_found", Message: "no tea", Last: now}},
	}}
	return s
}

func at(after int) time.Time { return start.Add(time.Duration(after) * time.Second) }

func TestRates(t *testing.T) {
	t.Parallel()
	var table top.Table
	rows := table.Update([]describe.Stats{answer("a", 0, 100, 0, describe.Bucket{Bound: 1000, Count: 100})}, at(0))
	require.Zero(t, rows[0].Rate, "one answer has no rate")
	rows = table.Update([]describe.Stats{
		answer("a", 2, 140, 10, describe.Bucket{Bound: 1000, Count: 100}, describe.Bucket{Bound: 5000, Count: 50}),
		answer("b", 2, 0, 0),
	}, at(2))
	top.Sort(rows, "rate")
	require.Len(t, rows, 2)
	require.Equal(t, "a", rows[0].Instance)
	require.InDelta(t, 25, rows[0].Rate, 0.01)
	require.InDelta(t, 5, rows[0].Errors, 0.01)
	require.Equal(t, 5000*time.Nanosecond, rows[0].P50, "of the calls in between")
	require.Equal(t, "not_found: no tea", rows[0].LastError)

	sum := top.ByMethod(rows)
	require.Len(t, sum, 1)
	require.Equal(t, 2, sum[0].Instances)
	require.EqualValues(t, 4, sum[0].InFlight)
	require.Equal(t, 7, sum[0].Depth, "both see the same queue")
	require.InDelta(t, 25, sum[0].Rate, 0.01)
}

// A server that does not answer any more is shown as gone, and then no more.
func TestGone(t *testing.T) {
	t.Parallel()
	var table top.Table
	table.Update([]describe.Stats{answer("a", 0, 0, 0), answer("b", 0, 0, 0)}, at(0))
	rows := table.Update([]describe.Stats{answer("a", 2, 0, 0)}, at(2))
	require.Len(t, rows, 2)
	sum := top.ByMethod(rows)[0]
	require.Equal(t, 1, sum.Instances)
	require.Equal(t, 1, sum.Gone)
	require.True(t, sum.Served)
	sum = top.ByMethod(table.Update(nil, at(4)))[0]
	require.Equal(t, 2, sum.Gone)
	require.False(t, sum.Served)
	require.Empty(t, table.Update(nil, at(100)))
}

// Counters that fall, clocks that go back and figures that make no sense harm nothing.
func TestHostileFigures(t *testing.T) {
	t.Parallel()
	var table top.Table
	negative := -5
	for i, s := range []describe.Stats{
		answer("a", 10, 1<<62, 1<<62, describe.Bucket{Bound: -1, Count: -1}),
		answer("a", 5, -1<<62, -1<<62, describe.Bucket{Bound: 1 << 62, Count: 1 << 62}, describe.Bucket{Bound: 1 << 62, Count: 1 << 62}),
		answer("a", 20, 3, 0),
		{Identity: describe.Identity{Instance: "a"}},
		{Identity: describe.Identity{Instance: "a"}, Time: at(30), Methods: []describe.MethodStats{{Depth: &negative}, {}, {Queue: "q"}}},
	} {
		for _, r := range top.ByMethod(table.Update([]describe.Stats{s, s}, at(i))) {
			require.GreaterOrEqual(t, r.Rate, 0.0)
			require.GreaterOrEqual(t, r.Depth, -1)
		}
	}
	for _, column := range append(top.Columns, "nonsense") {
		top.Sort([]top.Row{{Queue: "b"}, {Queue: "a"}}, column)
	}
}

// Whoever answers with a new name each time fills no memory.
func TestManyServers(t *testing.T) {
	t.Parallel()
	var table top.Table
	var all []describe.Stats
	for i := range 30_000 {
		s := answer(string(rune(i)), 0, 0, 0)
		s.Instance = time.Duration(i).String()
		all = append(all, s)
	}
	require.LessOrEqual(t, len(table.Update(all, at(0))), 20_000)
}
