package messaging

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// written is a preparer that remembers what goes in which write.
type written struct {
	gathers  bool // others
	pending  []int
	writes   [][]int
	prepared chan int // if not nil, receives each entry
}

func (w *written) prepare(n int) {
	w.pending = append(w.pending, n)
	if w.prepared != nil {
		w.prepared <- n
	}
}
func (w *written) flush()       { w.writes = append(w.writes, w.pending); w.pending = nil }
func (w *written) others() bool { return w.gathers }
func (w *written) all() (all []int) {
	for _, one := range w.writes {
		all = append(all, one...)
	}
	return all
}

func count(from, to int) (ns []int) {
	for n := from; n < to; n++ {
		ns = append(ns, n)
	}
	return ns
}

// What is added is written in its order, together where it is at hand together, and
// what is put back goes first.
func TestOutboxOrder(t *testing.T) {
	t.Parallel()
	for _, gathers := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var o outbox[int]
			o.init(nil)
			for n := range 150 {
				o.add(n + 3)
			}
			o.putBack(count(0, 3))
			require.Equal(t, 153, o.len())
			w, done, ended := &written{gathers: gathers}, make(chan struct{}), make(chan struct{})
			go func() { o.run(done, w); close(ended) }()
			synctest.Wait()
			require.Equal(t, count(0, 153), w.all())
			require.Len(t, w.writes, 3, "%d entries a write", batchCount)
			require.Zero(t, o.len())
			o.add(153)
			synctest.Wait()
			o.putBack([]int{154})
			synctest.Wait()
			require.Equal(t, count(0, 155), w.all())
			close(done)
			<-ended
			o.add(155)
			require.Equal(t, 1, o.len(), "it waits for the next run")
			done = make(chan struct{})
			close(done)
			o.run(done, w)
			require.Equal(t, count(0, 156), w.all(), "a run takes what is there, though it is over")
		})
	}
}

// Nothing is lost or doubled, whoever adds and whichever runs come and go.
func TestOutboxRuns(t *testing.T) {
	t.Parallel()
	var o outbox[int]
	o.init(nil)
	const adders, each = 8, 300
	var adding sync.WaitGroup
	for a := range adders {
		adding.Go(func() {
			for i := range each {
				o.add(a*each + i)
			}
		})
	}
	w := &written{gathers: true, prepared: make(chan int)}
	done := make(chan struct{})
	var runs sync.WaitGroup
	runs.Go(func() {
		for i := 0; ; i++ {
			if isClosed(done) {
				return
			}
			run, over := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(over)
				select { // some runs end at once
				case <-done:
				default:
					if i%2 == 0 {
						close(run)
						return
					}
					<-done
				}
				close(run)
			}()
			o.run(run, w)
			<-over
		}
	})
	var last [adders]int
	for range adders * each {
		n := next(t, w.prepared)
		a := n / each
		require.Equal(t, last[a], n%each, "the order of one adder")
		last[a]++
	}
	close(done)
	adding.Wait()
	runs.Wait()
	require.Zero(t, o.len())
}

// While nothing is written, entries that nobody wants any more do not pile up, and
// those that are wanted keep their order.
func TestOutboxCompaction(t *testing.T) {
	t.Parallel()
	var o outbox[int]
	var asked atomic.Int64
	o.init(func(n int) bool { asked.Add(1); return n%100 == 0 })
	const all = 100_000
	for n := range all {
		o.add(n)
		require.LessOrEqual(t, o.len(), 2*(n/100)+outboxLeast+1)
	}
	require.Less(t, asked.Load(), int64(5*all), "the work is spread")
	w, done := &written{}, make(chan struct{})
	close(done)
	var wanted []int
	for o.len() > 0 {
		o.run(done, w)
	}
	for _, n := range w.all() {
		if n%100 == 0 {
			wanted = append(wanted, n)
		}
	}
	require.Len(t, wanted, all/100)
	for i, n := range wanted {
		require.Equal(t, i*100, n)
	}
}
