package amqprpc

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Each call wakes at its own time, not before, even while other calls set, change or drop
// their alarms.
func TestAlarms(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var table pendingTable
		defer table.stop()
		begun := time.Now()
		rng := rand.New(rand.NewPCG(1, 2))
		const n = 2000
		woken := make(chan struct{}, n)
		for i := range n {
			pc := &pendingCall{number: uint64(i), woken: make(chan struct{}, 1)}
			pc.alarm.target = pc
			require.True(t, table.add(pc, n))
			require.Same(t, pc, table.get(pc.number))
			// The second wakeAt replaces the first.
			table.wakeAt(pc, begun.Add(time.Duration(1+rng.IntN(2000))*time.Millisecond))
			at := begun.Add(time.Duration(1+rng.IntN(2000)) * time.Millisecond)
			table.wakeAt(pc, at)
			if i%3 == 0 {
				table.remove(pc)
				require.Nil(t, table.get(pc.number))
				go func() {
					time.Sleep(3 * time.Second)
					if len(pc.woken) > 0 {
						t.Error("a call that is over was woken")
					}
					woken <- struct{}{}
				}()
				continue
			}
			again := rng.IntN(2)
			go func() {
				<-pc.woken
				if !time.Now().Equal(at) {
					t.Errorf("woken at %v, not at %v", time.Now(), at)
				}
				for range again {
					at = at.Add(time.Second)
					table.wakeAt(pc, at)
					<-pc.woken
					if !time.Now().Equal(at) {
						t.Errorf("woken at %v, not at %v", time.Now(), at)
					}
				}
				table.remove(pc)
				woken <- struct{}{}
			}()
		}
		for range n {
			<-woken
		}
		require.Zero(t, table.count.Load())
		for i := range table.shards {
			require.Empty(t, table.shards[i].clock.alarms)
		}
	})
}

// The table accepts at most its limit of calls.
func TestPendingTableLimit(t *testing.T) {
	t.Parallel()
	var table pendingTable
	calls := []*pendingCall{{number: 1}, {number: 17}, {number: 3}}
	require.True(t, table.add(calls[0], 2))
	require.True(t, table.add(calls[1], 2))
	require.False(t, table.add(calls[2], 2))
	require.Len(t, table.all(), 2)
	table.remove(calls[0])
	require.True(t, table.add(calls[2], 2))
	require.ElementsMatch(t, calls[1:], table.all())
}
