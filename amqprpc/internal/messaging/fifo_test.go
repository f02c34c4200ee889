package messaging

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Random calls do to a fifo what they do to a plain slice, and leave nothing behind that
// keeps a value alive.
func TestFifo(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var f fifo[int]
		var want []int
		next := 1 // 0 is what nothing is
		some := func() (vs []int) {
			for range r.IntN(20) {
				vs = append(vs, next)
				next++
			}
			return vs
		}
		for range 200 {
			switch r.IntN(7) {
			case 0, 1:
				vs := some()
				f.push(vs...)
				want = append(want, vs...)
			case 2:
				vs := some()
				f.pushFront(vs)
				want = append(vs, want...)
			case 3:
				if len(want) > 0 {
					require.Equal(t, want[0], f.pop())
					want = want[1:]
				}
			case 4:
				n := r.IntN(30)
				m := min(n, len(want))
				require.Equal(t, append([]int{-1}, want[:m]...), f.popUpTo(n, []int{-1}))
				want = want[m:]
			case 5:
				n := r.IntN(len(want) + 1)
				f.dropLast(n)
				want = want[:len(want)-n]
			case 6:
				even := func(n int) bool { return n%2 == 0 }
				f.keep(even)
				want = slices.DeleteFunc(slices.Clone(want), func(n int) bool { return !even(n) })
			}
			require.Equal(t, len(want), f.len())
			require.True(t, slices.Equal(want, f.all()), "%v is not %v", f.all(), want)
			memory := f.values[:cap(f.values)]
			for i, v := range memory {
				require.True(t, v == 0 || f.head <= i && i < len(f.values), "value %d is kept", v)
			}
		}
	}
}

// A fifo that is never empty does not grow beyond what waits in it.
func TestFifoMemory(t *testing.T) {
	t.Parallel()
	var f fifo[int]
	f.push(1, 2, 3)
	for range 100_000 {
		f.push(4)
		f.pop()
	}
	require.LessOrEqual(t, cap(f.values), 16)
}
