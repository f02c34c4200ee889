package messaging

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// job is Work that does f. It belongs to a subscription without a channel.
type job struct {
	Delivery
	f func()
}

func (j *job) Handle() { j.f() }

// jobs has jobs of a subscription that was told of each.
func jobs(s *subscription) func(f func()) Work {
	return func(f func()) Work {
		s.hold(false)
		return &job{Delivery: Delivery{sub: s}, f: f}
	}
}

func newSubscription() *subscription {
	return &subscription{open: 1, cancelled: make(chan struct{}), drained: make(chan struct{})}
}

// As many handlers run at once as the bound allows, and no more goroutines than work.
func TestWorkersAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w workers
		w.init(3)
		sub := newSubscription()
		work := jobs(sub)
		var running, peak, ran atomic.Int64
		gate := make(chan struct{})
		wait := func() {
			now := running.Add(1)
			for old := peak.Load(); now > old && !peak.CompareAndSwap(old, now); old = peak.Load() {
			}
			<-gate
			running.Add(-1)
			ran.Add(1)
		}
		for n := range 2 {
			w.add(work(wait))
			synctest.Wait()
			require.EqualValues(t, 1, running.Load())
			require.Equal(t, 1, len(w.current), "round %d: an idle worker is used again", n)
			gate <- struct{}{}
			synctest.Wait()
		}
		for range 50 {
			w.add(work(wait))
		}
		synctest.Wait()
		require.EqualValues(t, 3, running.Load())
		require.Equal(t, 3, len(w.current))
		close(gate)
		synctest.Wait()
		require.EqualValues(t, 52, ran.Load())
		require.EqualValues(t, 3, peak.Load())
		require.False(t, isClosed(sub.drained))
		sub.deafen()
		require.True(t, isClosed(sub.drained), "each job was released once")
		<-w.stop()
	})
}

// Work is begun in the order in which it came.
func TestWorkersOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w workers
		w.init(1)
		work := jobs(newSubscription())
		var got []int
		n := 0
		for round := range 20 { // rounds of different lengths move the queue's head
			for range round % 7 * 10 {
				i := n
				w.add(work(func() { got = append(got, i) }))
				n++
			}
			if round%3 == 0 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		require.Equal(t, count(0, n), got)
		<-w.stop()
	})
}

// A handler that ends its goroutine does not take the worker with it.
func TestHandlersThatEndTheirGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w workers
		w.init(2)
		sub := newSubscription()
		work := jobs(sub)
		var ran int
		for range 10 {
			w.add(work(runtime.Goexit))
		}
		w.add(work(func() { ran++ }))
		synctest.Wait()
		require.Equal(t, 1, ran)
		sub.deafen()
		require.True(t, isClosed(sub.drained))
		w.add(jobs(newSubscription())(runtime.Goexit))
		<-w.stop()
	})
}

// To stop waits for what was added before, and for what runs.
func TestWorkersStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w workers
		w.init(1)
		work := jobs(newSubscription())
		gate, ran := make(chan struct{}), 0
		for range 3 {
			w.add(work(func() { <-gate; ran++ }))
		}
		done := w.stop()
		synctest.Wait()
		require.False(t, isClosed(done))
		close(gate)
		<-done
		require.Equal(t, 3, ran)
		var none workers
		none.init(5)
		<-none.stop()
	})
}
