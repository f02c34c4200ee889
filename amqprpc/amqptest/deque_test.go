package amqptest

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDequeIsASlice(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var d deque[int]
	var model []int
	for i := range 20_000 {
		switch op := r.IntN(10); {
		case op < 4:
			d.pushBack(i)
			model = append(model, i)
		case op < 5:
			d.pushFront(i)
			model = slices.Insert(model, 0, i)
		case op < 6:
			at := r.IntN(len(model) + 1)
			d.insert(at, i)
			model = slices.Insert(model, at, i)
		case op < 9 && len(model) > 0:
			require.Equal(t, model[0], d.popFront())
			model = model[1:]
		case i%100 == 0:
			odd := func(v int) bool { return v%2 == 1 }
			d.removeFunc(odd)
			model = slices.DeleteFunc(model, odd)
		}
		require.Equal(t, len(model), d.n)
		if n := len(model); n > 0 {
			at := r.IntN(n)
			require.Equal(t, model[at], *d.at(at))
		}
	}
}

func TestDequeThatDrainsKeepsNothing(t *testing.T) {
	t.Parallel()
	var d deque[int]
	for i := range 5000 {
		d.pushBack(i)
	}
	for range 5000 {
		d.popFront()
	}
	require.Empty(t, d.ring)
}

// Whatever goes out and comes back, a classic queue keeps the order of arrival.
func TestReadyListKeepsItsOrder(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		l := newReadyList(3)
		var seq uint64
		var out []entry
		for range 200 {
			switch op := r.IntN(3); {
			case op == 0:
				seq++
				l.push(entry{seq: seq, msg: &message{priority: uint8(r.IntN(5)), body: make([]byte, r.IntN(9))}})
			case op == 1 && l.n > 0:
				out = append(out, l.pop())
			case op == 2 && len(out) > 0:
				i := r.IntN(len(out))
				l.putBack(out[i])
				out = slices.Delete(out, i, i+1)
			}
		}
		n, bytes := 0, int64(0)
		l.each(func(e *entry) { n, bytes = n+1, bytes+int64(len(e.msg.body)) })
		require.Equal(t, []any{l.n, l.bytes}, []any{n, bytes})
		last := map[uint8]uint64{}
		priority := uint8(255)
		for l.n > 0 {
			require.Same(t, l.head().msg, l.first().at(0).msg)
			e := l.pop()
			p := min(e.msg.priority, 3)
			require.LessOrEqual(t, p, priority)
			require.Greater(t, e.seq, last[p])
			priority, last[p] = p, e.seq
		}
		require.Nil(t, l.head())
		require.Zero(t, l.bytes)
	}
}
