package messaging

import (
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// item is an Item that does nothing.
type item struct {
	Item
	n int
}

func TestConfirms(t *testing.T) {
	t.Parallel()
	var c confirms
	r := rand.New(rand.NewPCG(7, 7))
	at := map[uint64]Item{}
	tag := uint64(1)
	for range 20_000 {
		if r.IntN(2) == 0 {
			it := &item{n: int(tag)}
			c.add([]Item{it})
			at[tag] = it
			tag++
			continue
		}
		for tag, it := range at { // in any order
			require.Same(t, it, c.take(tag))
			require.Nil(t, c.take(tag), "taken once")
			delete(at, tag)
			break
		}
	}
	for _, tag := range []uint64{0, tag, tag + 1, 1 << 63, math.MaxUint64} {
		require.Nil(t, c.take(tag))
	}
	require.Equal(t, len(at) == 0, c.empty())
	c.add([]Item{&item{}, &item{}})
	c.undo(2)
	it := &item{}
	c.add([]Item{it})
	require.Same(t, it, c.take(tag))
	for tag, it := range at {
		require.Same(t, it, c.take(tag))
	}
	require.True(t, c.empty())
}

// A confirm of several takes each that was not taken before, in their order.
func TestConfirmsOfMultiple(t *testing.T) {
	t.Parallel()
	var c confirms
	var items []Item
	for n := range 500 {
		items = append(items, &item{n: n})
	}
	c.add(items)
	for _, tag := range []uint64{2, 3, 7} {
		require.NotNil(t, c.take(tag))
	}
	var got []int
	upTo := func(tag uint64) {
		for {
			it, more := c.takeUpTo(tag)
			if !more {
				return
			}
			if it != nil {
				got = append(got, it.(*item).n)
			}
		}
	}
	upTo(0)
	require.Empty(t, got)
	upTo(8)
	require.Equal(t, []int{0, 3, 4, 5, 7}, got)
	upTo(400)
	require.Len(t, got, 5+392)
	c.add([]Item{&item{n: 500}}) // the ring moves
	upTo(1 << 63)
	require.Equal(t, 500, got[len(got)-1])
	require.True(t, c.empty())
}

// A queue is refusing from the first refusal on, until it takes something.
func TestRefusals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r refusals
		r.took("a")
		queue, _ := r.longest()
		require.Empty(t, queue)
		first := time.Now()
		require.True(t, r.refused("a"))
		time.Sleep(time.Second)
		require.False(t, r.refused("a"), "it had begun")
		require.True(t, r.refused("b"))
		queue, since := r.longest()
		require.Equal(t, "a", queue)
		require.Equal(t, first, since)
		r.took("a")
		queue, since = r.longest()
		require.Equal(t, "b", queue)
		require.Equal(t, first.Add(time.Second), since)
		r.took("b")
		queue, _ = r.longest()
		require.Empty(t, queue)
		require.Zero(t, r.count.Load())
		for n := range 2 * refusingMost {
			r.refused(string(rune(n)))
		}
		require.Len(t, r.queues, refusingMost)
	})
}

// Queues that were long once keep little memory when they are empty.
func TestEmptyQueuesAreSmall(t *testing.T) {
	t.Parallel()
	const many = 10 * fifoKept
	var o outbox[Item]
	o.init(nil)
	var batch, bulk confirms
	for range many {
		o.add(&item{})
		batch.add([]Item{&item{}})
		bulk.add([]Item{&item{}})
	}
	for o.len() > 0 {
		o.take(nil)
	}
	for tag := range uint64(many) {
		require.NotNil(t, batch.take(tag+1))
	}
	for _, more := bulk.takeUpTo(many); more; _, more = bulk.takeUpTo(many) {
	}
	require.LessOrEqual(t, cap(o.queue.values), fifoKept)
	require.LessOrEqual(t, cap(batch.items.values), fifoKept)
	require.LessOrEqual(t, cap(bulk.items.values), fifoKept)
	it := &item{}
	for _, c := range []*confirms{&batch, &bulk} {
		require.True(t, c.empty())
		c.add([]Item{it})
		require.Same(t, it, c.take(many+1), "tags go on")
	}
}
