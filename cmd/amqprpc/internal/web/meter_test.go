package web

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

// fleet answers for its instances, and counts how often it was asked.
type fleet struct {
	docs  []describe.Stats
	err   error
	asked int
}

func (f *fleet) ask(context.Context) iter.Seq2[describe.Stats, error] {
	f.asked++
	return func(yield func(describe.Stats, error) bool) {
		for _, d := range f.docs {
			d.Time = time.Now()
			if !yield(d, nil) {
				return
			}
		}
		if f.err != nil {
			yield(describe.Stats{}, f.err)
		}
	}
}

func statsOf(id string, ok, bad int64, handler time.Duration) describe.Stats {
	depth := 3
	return describe.Stats{Identity: describe.Identity{Instance: id}, Methods: []describe.MethodStats{{
		Queue: "q", Calls: map[string]int64{"ok": ok, "internal": bad}, InFlight: 2, Waiting: 1, Depth: &depth,
		Handler:  describe.Histogram{Count: ok + bad, Buckets: []describe.Bucket{{Bound: int64(handler), Count: ok + bad}}},
		Failures: []describe.Failure{{Code: "internal", Message: "broken", Count: bad, Last: time.Now()}},
	}}}
}

// next moves on by a second and returns the newest sample.
func next(t *testing.T, m *meter) (*statsReply, sample) {
	t.Helper()
	time.Sleep(time.Second) // of the bubble
	r, err := m.since(t.Context(), m.seq)
	require.NoError(t, err)
	require.Contains(t, r.Methods, "q")
	require.Len(t, r.Methods["q"].Samples, 1)
	return r, r.Methods["q"].Samples[0]
}

func TestRates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{docs: []describe.Stats{statsOf("a", 1000, 10, time.Millisecond), statsOf("b", 500, 0, time.Millisecond)}}
		m := newMeter(f.ask)
		first, s := next(t, m)
		require.Zero(t, s.OK, "one answer has no rate")
		require.Nil(t, s.P50)
		require.Equal(t, map[string]int64{"ok": 1500, "internal": 10}, first.Methods["q"].Calls)

		f.docs = []describe.Stats{statsOf("a", 1020, 15, time.Millisecond), statsOf("b", 530, 0, time.Millisecond)}
		r, s := next(t, m)
		require.InDelta(t, 50, s.OK, 0.01)
		require.InDelta(t, 5, s.Errors, 0.01)
		require.InDelta(t, 1, *s.P99, 0.01)
		require.EqualValues(t, 4, s.InFlight)
		require.EqualValues(t, 2, s.Waiting)
		require.EqualValues(t, 3, r.Methods["q"].Depth, "all instances see the same queue")
		require.Equal(t, first.Members, r.Members)

		f.docs = []describe.Stats{statsOf("a", 4, 0, time.Millisecond), statsOf("c", 9000, 0, time.Millisecond)}
		r, s = next(t, m)
		require.Zero(t, s.OK, "one was restarted, and the other is new")
		require.NotEqual(t, first.Members, r.Members)

		f.docs = nil
		r, s = next(t, m)
		require.Zero(t, s.OK)
		require.Zero(t, r.Methods["q"].Instances)
		for range maxSamples {
			time.Sleep(time.Second)
			var err error
			r, err = m.since(t.Context(), 0)
			require.NoError(t, err)
		}
		require.Empty(t, r.Methods, "a method that is gone for two minutes is forgotten")
	})
}

// However many pages ask, the servers are asked once a second, and each page gets each sample.
func TestOneQuestionForAllPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{docs: []describe.Stats{statsOf("a", 1, 0, time.Millisecond)}}
		m := newMeter(f.ask)
		for range 10 {
			next(t, m)
			for range 5 {
				r, err := m.since(t.Context(), m.seq-2)
				require.NoError(t, err)
				require.LessOrEqual(t, len(r.Methods["q"].Samples), 2)
			}
		}
		require.Equal(t, 10, f.asked)
		r, err := m.since(t.Context(), 1_000_000)
		require.NoError(t, err)
		require.Len(t, r.Methods["q"].Samples, 10, "the numbers of an earlier program mean nothing")
	})
}

func TestMeterFails(t *testing.T) {
	t.Parallel()
	f := &fleet{err: errors.New("no control")}
	m := newMeter(f.ask)
	_, err := m.since(t.Context(), 0)
	require.ErrorContains(t, err, "no control")
	f.docs = []describe.Stats{statsOf("a", 1, 0, time.Millisecond)}
	r, err := m.since(t.Context(), 0)
	require.NoError(t, err, "some have answered")
	require.Equal(t, 1, r.Instances)
}

// Instances that say too much, or nonsense, do not make the meter keep more than its bounds.
func TestHostileStats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{}
		for i := range 4_000 {
			s := describe.Stats{Identity: describe.Identity{Instance: fmt.Sprint(i)}}
			for j := range 3 {
				ms := describe.MethodStats{Queue: fmt.Sprintf("%d.%d", i, j), Waiting: -5, InFlight: -1, Calls: make(map[string]int64), Handler: describe.Histogram{Count: -1}}
				for k := range 30 {
					ms.Calls[fmt.Sprint(k)] = -1
				}
				s.Methods = append(s.Methods, ms)
			}
			f.docs = append(f.docs, s)
		}
		large := describe.MethodStats{Queue: "q", Failures: make([]describe.Failure, 100_000), Handler: describe.Histogram{Count: 1, Buckets: make([]describe.Bucket, 1_000_000)}}
		large.Failures[0].Message = strings.Repeat("x", 1<<20)
		f.docs = append([]describe.Stats{{Methods: []describe.MethodStats{large, {Queue: strings.Repeat("x", 1<<20)}}}}, f.docs...)
		m := newMeter(f.ask)
		next(t, m)
		r, s := next(t, m)
		require.Equal(t, 4_001, r.Instances)
		require.Positive(t, r.Unlisted)
		require.LessOrEqual(t, len(r.Methods), maxMethods)
		require.LessOrEqual(t, len(m.last), maxMeasured)
		require.Nil(t, s.P50)
		require.LessOrEqual(t, len(r.Methods["q"].Failures), maxFailures)
		for queue, g := range r.Methods {
			require.GreaterOrEqual(t, g.Samples[0].Waiting, int64(0), queue)
			require.LessOrEqual(t, len(g.Calls), maxFaults)
		}
	})
}
