package amqprpc

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Each call is woken when it asked for, not before, whatever others ask for, change, or
// drop meanwhile.
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
			oc := &outCall{number: uint64(i), woken: make(chan struct{}, 1)}
			require.True(t, table.add(oc, n))
			// What was asked for first does not count.
			table.wakeAt(oc, begun.Add(time.Duration(1+rng.IntN(2000))*time.Millisecond))
			at := begun.Add(time.Duration(1+rng.IntN(2000)) * time.Millisecond)
			table.wakeAt(oc, at)
			if i%3 == 0 {
				table.remove(oc)
				go func() {
					time.Sleep(3 * time.Second)
					if len(oc.woken) > 0 {
						t.Error("a call that is over was woken")
					}
					woken <- struct{}{}
				}()
				continue
			}
			again := rng.IntN(2)
			go func() {
				<-oc.woken
				if !time.Now().Equal(at) {
					t.Errorf("woken at %v, not at %v", time.Now(), at)
				}
				for range again {
					at = at.Add(time.Second)
					table.wakeAt(oc, at)
					<-oc.woken
					if !time.Now().Equal(at) {
						t.Errorf("woken at %v, not at %v", time.Now(), at)
					}
				}
				table.remove(oc)
				woken <- struct{}{}
			}()
		}
		for range n {
			<-woken
		}
		require.Zero(t, table.count.Load())
		for i := range table.shards {
			require.Empty(t, table.shards[i].alarms.calls)
		}
	})
}
