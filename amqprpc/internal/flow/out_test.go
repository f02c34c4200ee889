package flow

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

const noLimit = math.MaxInt64

// outOf makes an Out that has written n empty items, from number 1 on.
func outOf(n int) *Out {
	o := NewOut(1, 1<<20)
	o.Grant(noLimit)
	for range n {
		o.Add(Item, nil)
	}
	numbers(&o)
	return &o
}

// numbers writes all frames that are ready.
func numbers(o *Out) (all []uint64) {
	for f, ok := o.Next(); ok; f, ok = o.Next() {
		all = append(all, f.Number)
	}
	return all
}

// probe writes the probe, which must be due.
func probe(t *testing.T, o *Out) uint64 {
	t.Helper()
	require.True(t, o.ProbeDue())
	number, _ := o.Probe()
	require.False(t, o.ProbeDue())
	return number
}

// A sender whose own window is full asks the peer at once, which may acknowledge late.
func TestAskForRoom(t *testing.T) {
	t.Parallel()
	o := NewOut(0, 2*ItemCost)
	o.Grant(3 * ItemCost)
	require.False(t, o.AskForRoom(), "there is room")
	o.Add(Accept, nil)
	o.Add(Item, nil)
	o.Add(Item, nil)
	require.True(t, o.AskForRoom(), "before the accept is written: the probe comes behind it")
	require.False(t, o.AskForRoom(), "it was asked for")
	require.Equal(t, []uint64{0, 1, 2}, numbers(&o))
	number := probe(t, &o)
	require.False(t, o.AskForRoom(), "the probe is on its way")
	require.True(t, o.State(1, 0, 0, false))
	require.True(t, o.State(2, 0, number, false))
	require.True(t, o.Room())
	require.False(t, o.AskForRoom())
	o.Add(Item, nil)
	require.False(t, o.Room())
	require.False(t, o.AskForRoom(), "only the peer can grant more")
}

func TestRoom(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limit, window int64
		size          int
		want          int // items
	}{
		"no limit was granted":               {0, 100 * ItemCost, 0, 0},
		"the limit":                          {3 * ItemCost, 100 * ItemCost, 0, 3},
		"the last item exceeds the limit":    {2*ItemCost + 1, 100 * ItemCost, 0, 3},
		"the window":                         {noLimit, 3 * ItemCost, 0, 3},
		"an item larger than the window":     {noLimit, 1, 1 << 20, 1},
		"an item larger than the limit":      {1, noLimit, 1 << 20, 1},
		"the window is larger than can be":   {2 * Cost(18), noLimit, 18, 2},
		"neither window nor limit are there": {0, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := NewOut(1, c.window)
			o.Grant(c.limit)
			o.Grant(c.limit - 1) // out of date
			n := 0
			for ; o.Room() && n < 100; n++ {
				o.Add(Item, make([]byte, c.size))
			}
			require.Equal(t, c.want, n)
			o.Add(End, nil) // needs no room
			require.False(t, o.Room())
			require.Len(t, numbers(&o), n+1)
			require.True(t, o.State(uint64(n)+2, 0, 0, false))
			require.True(t, o.Settled())
			require.False(t, o.Room())
		})
	}
}

func TestStatesOutOfDate(t *testing.T) {
	t.Parallel()
	o := outOf(5)
	require.True(t, o.State(4, noLimit, 0, false))
	require.True(t, o.State(2, 0, 0, true)) // missing, but overtaken
	require.False(t, o.Ready())
	require.EqualValues(t, 4, o.base)
	for _, never := range []uint64{7, 1 << 62, math.MaxInt64, math.MaxUint64} {
		require.False(t, o.State(never, noLimit, 0, true))
	}
	require.EqualValues(t, 4, o.base)
	require.True(t, o.Unacknowledged())
	require.True(t, o.State(6, 0, 0, false))
	require.False(t, o.Unacknowledged())
}

// After a loss nothing is written before the answer, and then only what is lost.
func TestLost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		expected uint64
		again    []uint64
	}{
		"all":     {1, []uint64{1, 2, 3, 4}},
		"some":    {3, []uint64{3, 4}},
		"nothing": {4, []uint64{4}}, // was not written before
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := outOf(3)
			require.True(t, o.Ask())
			old := probe(t, o)
			o.Lost()
			o.Add(Item, nil)
			require.Empty(t, numbers(o))
			number, sent := o.Probe()
			require.Greater(t, number, old)
			require.EqualValues(t, 4, sent)
			require.True(t, o.State(1, noLimit, old, true)) // the answer to what was asked before
			require.Empty(t, numbers(o))
			require.True(t, o.State(c.expected, noLimit, number, false))
			require.Equal(t, c.again, numbers(o))
			if c.expected < 4 {
				number = probe(t, o) // for what was written again
				require.True(t, o.State(c.expected, noLimit, number, true))
				require.Equal(t, c.again, numbers(o))
			}
		})
	}
}

func TestLostWithNothingUnacknowledged(t *testing.T) {
	t.Parallel()
	o := outOf(1)
	require.True(t, o.Ask())
	probe(t, o)
	require.True(t, o.State(2, noLimit, 0, false)) // an older state than the answer
	o.Lost()
	require.False(t, o.ProbeDue())
	o.Add(Item, nil)
	require.Equal(t, []uint64{2}, numbers(o))
}

// What has come before a probe is not missing from its answer, what has come behind may be.
func TestMissing(t *testing.T) {
	t.Parallel()
	o := outOf(5)
	require.True(t, o.State(2, noLimit, 0, true))
	require.True(t, o.State(2, noLimit, 0, true)) // told twice
	f, _ := o.Next()
	require.EqualValues(t, 2, f.Number)
	require.False(t, o.ProbeDue(), "the rest is to be written again before")
	require.Equal(t, []uint64{3, 4, 5}, numbers(o))
	number := probe(t, o)
	for range 100 {
		require.True(t, o.State(2, noLimit, 0, true)) // a storm
	}
	require.False(t, o.Ready() || o.ProbeDue())
	o.Add(Item, nil)
	require.Equal(t, []uint64{6}, numbers(o))
	require.True(t, o.State(6, noLimit, number, true)) // the last one is lost
	require.Equal(t, []uint64{6}, numbers(o))
	require.True(t, o.State(6, noLimit, number, true)) // doubled
	require.False(t, o.Ready())
	require.True(t, o.State(7, noLimit, probe(t, o), false))
	require.False(t, o.Ready() || o.ProbeDue() || o.Unacknowledged())
}

// An acknowledgement of what was written first means that it need not be written again.
func TestAcknowledgedWhileWritingAgain(t *testing.T) {
	t.Parallel()
	o := outOf(5)
	require.True(t, o.State(1, noLimit, 0, true))
	require.True(t, o.State(4, noLimit, 0, false))
	require.Equal(t, []uint64{4, 5}, numbers(o))
}

func TestAsk(t *testing.T) {
	t.Parallel()
	fresh := NewOut(0, 1000)
	fresh.Add(Accept, nil)
	require.False(t, fresh.Ask(), "nothing comes before the accept")
	require.True(t, fresh.Fresh())

	o := outOf(0)
	require.False(t, o.Ask())
	o.Add(Item, nil)
	require.False(t, o.Ask(), "not written yet")
	numbers(o)
	require.True(t, o.Ask())
	number := probe(t, o)
	o.Add(Item, nil)
	numbers(o)
	require.True(t, o.Ask())
	again, sent := o.Probe()
	require.Equal(t, number, again, "the first one may be answered yet")
	require.EqualValues(t, 2, sent)
	require.True(t, o.State(2, noLimit, number, false))
	require.True(t, o.Unacknowledged())
	require.True(t, o.Ask())
	require.Greater(t, probe(t, o), number)
}

// A probe is sent although there are always frames to write.
func TestAskOfABusySender(t *testing.T) {
	t.Parallel()
	o := outOf(3)
	o.Add(Item, nil)
	o.Ask()
	require.True(t, o.Ready())
	require.True(t, o.ProbeDue())
	_, sent := o.Probe()
	require.EqualValues(t, 4, sent)
}

// Who waits for a higher limit asks for it, since it may have been told in vain.
func TestAskForALimit(t *testing.T) {
	t.Parallel()
	o := NewOut(1, 1000)
	o.Grant(ItemCost)
	o.Add(Item, nil)
	numbers(&o)
	require.True(t, o.State(2, ItemCost, 0, false))
	require.False(t, o.Room() || o.Unacknowledged())
	o.Lost()
	number := probe(t, &o)
	require.True(t, o.State(2, 2*ItemCost, number, false))
	require.True(t, o.Room())
	require.False(t, o.Ask())
	o.Add(Item, nil)
	numbers(&o)
	require.True(t, o.State(3, 2*ItemCost, number, false))
	o.Add(End, nil)
	numbers(&o)
	require.True(t, o.State(4, 2*ItemCost, number, false))
	require.False(t, o.Ask(), "no more is to be sent")
}

func TestLargest(t *testing.T) {
	t.Parallel()
	o := outOf(0)
	require.Zero(t, o.Largest())
	for _, n := range []int{1, 9, 3} {
		o.Add(Item, make([]byte, n))
	}
	require.Equal(t, 9, o.Largest())
	numbers(o)
	require.True(t, o.State(3, noLimit, 0, false))
	require.Equal(t, 3, o.Largest())
}
