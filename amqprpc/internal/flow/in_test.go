package flow

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func item(number uint64, size int) Frame { return Frame{number, Item, make([]byte, size)} }

func TestVerdicts(t *testing.T) {
	t.Parallel()
	i := NewIn(0, 100*ItemCost)
	for _, c := range []struct {
		frame   Frame
		want    Verdict
		due     bool
		missing bool
	}{
		{Frame{0, Accept, nil}, Taken, false, false},
		{Frame{0, Accept, nil}, Duplicate, false, false},
		{item(2, 0), Gap, true, true}, // told once
		{item(3, 0), Gap, false, true},
		{item(1<<63-1, 0), Gap, false, true},
		{item(math.MaxUint64, 0), Gap, false, true},
		{item(1, 0), Taken, false, false},
		{item(4, 0), Gap, true, true},
		{item(1, 0), Duplicate, false, true},
		{Frame{2, End, []byte("x")}, Taken, false, false},
		{Frame{2, End, []byte("y")}, Duplicate, false, false},
		{Frame{3, End, []byte("z")}, Duplicate, false, false}, // there is one end
		{item(3, 0), Duplicate, false, false},
	} {
		got, err := i.Frame(c.frame)
		require.NoError(t, err)
		require.Equal(t, c.want, got, "%+v", c.frame)
		require.Equal(t, c.due, i.Due(), "%+v", c.frame)
		require.Equal(t, c.due || c.want != Gap, i.Pending(), "%+v", c.frame)
		_, _, _, missing := i.State()
		require.Equal(t, c.missing, missing, "%+v", c.frame)
		require.False(t, i.Pending())
	}
	_, ok := i.End()
	require.False(t, ok, "an item comes before")
	require.True(t, i.Ended())
	_, ok = i.Take()
	require.True(t, ok)
	final, ok := i.End()
	require.True(t, ok)
	require.Equal(t, "x", string(final))
	_, ok = i.Take()
	require.False(t, ok)
}

// Nothing but the accept has the number 0, and the accept has no other.
func TestNumberZero(t *testing.T) {
	t.Parallel()
	for _, expected := range []uint64{0, 1} {
		i := NewIn(expected, 1000)
		for _, f := range []Frame{item(0, 1), {0, End, nil}, {1, Accept, nil}, {2, Accept, nil}} {
			got, err := i.Frame(f)
			require.NoError(t, err)
			require.Equal(t, Duplicate, got)
		}
		e, _, _, missing := i.State()
		require.Equal(t, expected, e)
		require.False(t, missing || i.Ended())
	}
}

func TestBeyondTheWindow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		window int64
		sizes  []int
		ok     bool
	}{
		"within":                  {2 * Cost(18), []int{18, 18}, true},
		"the last one exceeds it": {2*Cost(18) + 1, []int{18, 18, 1 << 20}, true},
		"one that is larger":      {1, []int{1 << 20}, true},
		"one more":                {2 * Cost(18), []int{18, 18, 0}, false},
		"behind a larger one":     {1, []int{1 << 20, 0}, false},
		"nothing was granted":     {0, []int{0}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := NewIn(1, c.window)
			var err error
			for n, size := range c.sizes {
				require.NoError(t, err)
				_, err = i.Frame(item(uint64(n)+1, size))
			}
			if !c.ok {
				require.ErrorIs(t, err, ErrBeyondWindow)
				return
			}
			require.NoError(t, err)
			_, err = i.Frame(Frame{uint64(len(c.sizes)) + 1, End, nil})
			require.NoError(t, err, "an end needs no room")
		})
	}
}

// The window moves with what was taken, and what was granted is never taken back.
func TestResize(t *testing.T) {
	t.Parallel()
	i := NewIn(1, 4*ItemCost)
	number := uint64(0)
	receive := func(n int) {
		for range n {
			number++
			_, err := i.Frame(item(number, 0))
			require.NoError(t, err)
		}
	}
	limit := func() int64 {
		_, limit, _, _ := i.State()
		require.Equal(t, limit, i.Granted())
		return limit / ItemCost
	}
	take := func(n int) {
		for range n {
			_, ok := i.Take()
			require.True(t, ok)
		}
	}
	receive(4)
	require.EqualValues(t, 4*ItemCost, i.Held())
	require.EqualValues(t, 4, limit())
	take(2)
	require.EqualValues(t, 6, limit())
	i.Resize(ItemCost)
	require.EqualValues(t, 6, limit())
	receive(2) // was granted
	take(3)
	require.EqualValues(t, 6, limit())
	take(1) // all
	require.True(t, i.Due())
	require.EqualValues(t, 7, limit())
	i.Resize(8 * ItemCost)
	require.EqualValues(t, 14, limit())
}

// The peer is told after each half of the window, received or taken.
func TestHalves(t *testing.T) {
	t.Parallel()
	i := NewIn(1, 16*ItemCost)
	told := 0
	tell := func() {
		if i.Due() {
			told++
			i.State()
		}
	}
	for n := range 16 {
		_, err := i.Frame(item(uint64(n)+1, 0))
		require.NoError(t, err)
		tell()
	}
	require.Equal(t, 2, told)
	for _, ok := i.Take(); ok; _, ok = i.Take() {
		tell()
	}
	require.Equal(t, 4, told)
}

func TestProbed(t *testing.T) {
	t.Parallel()
	i := NewIn(1, 1000)
	for _, c := range []struct{ number, echo uint64 }{{2, 2}, {1, 2}, {2, 2}, {1<<63 - 1, 1<<63 - 1}, {3, 1<<63 - 1}} {
		i.Probed(c.number)
		require.True(t, i.Due())
		_, _, echo, missing := i.State()
		require.Equal(t, c.echo, echo)
		require.False(t, missing)
	}
	i.Tell()
	require.True(t, i.Due())
}

func TestDrop(t *testing.T) {
	t.Parallel()
	in, out := NewIn(0, 1<<20), NewOut(1, 1<<20)
	_, err := in.Frame(Frame{Number: 0, Kind: Accept})
	require.NoError(t, err)
	_, err = in.Frame(Frame{Number: 1, Kind: Item, Payload: []byte("x")})
	require.NoError(t, err)
	in.Drop()
	_, ok := in.Take()
	require.False(t, ok)
	require.True(t, in.Pending(), "the state is still sent")
	expected, _, _, _ := in.State()
	require.EqualValues(t, 2, expected)
	out.Grant(100)
	out.Add(Item, []byte("x"))
	out.Drop()
	require.False(t, out.Ready())
	require.Zero(t, out.NextSize())
	require.Zero(t, out.Largest())
}
