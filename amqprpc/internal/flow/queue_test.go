package flow

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// A queue gives back what it got, whatever its length did before.
func TestQueue(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var q queue[int]
	in, out := 0, 0
	for range 2000 {
		for range r.IntN(100) {
			q.add(in)
			in++
		}
		for range min(r.IntN(100), q.len()) {
			require.Equal(t, out+q.len()-1, q.at(q.len()-1))
			require.Equal(t, out, q.take())
			out++
		}
		require.Equal(t, in-out, q.len())
	}
}

// A queue takes little more memory than its values, also when it was long once, and keeps
// nothing alive that has left it.
func TestQueueMemory(t *testing.T) {
	t.Parallel()
	var q queue[[]byte]
	for range 3 {
		for range 10_000 {
			q.add(make([]byte, 1))
			require.Less(t, len(q.blocks)*blockLong, q.len()+blockLong)
		}
		for q.len() > 0 {
			q.take()
			require.Less(t, len(q.blocks)*blockLong, q.len()+2*blockLong)
		}
		require.Len(t, q.blocks, 1)
		require.LessOrEqual(t, cap(q.blocks), blockLong)
		for _, v := range q.blocks[0] {
			require.Nil(t, v)
		}
	}
	// What is added and taken at once needs no new memory each time.
	room := q.blocks[0]
	for range 100 {
		for range blockLong {
			q.add(nil)
		}
		for q.len() > 0 {
			q.take()
		}
	}
	require.Same(t, room, q.blocks[0])
}
