package faultsuite

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// A handler that only waits is told that its caller has given up, although the reset is lost
// and the two processes have other streams.
func TestLostReset(t *testing.T) {
	t.Parallel()
	onStreamStage(t, nil, func(t *testing.T, ss *streamStage) {
		other, err := stageDouble.Open(t.Context(), ss.client)
		require.NoError(t, err)
		up, err := stageSum.Open(t.Context(), ss.client)
		require.NoError(t, err)
		require.NoError(t, up.Send(0))
		time.Sleep(time.Second)
		var drop atomic.Bool
		drop.Store(true)
		ss.broker.Tamper(func(m amqptest.Message) amqptest.Fate {
			return amqptest.Fate{Drop: drop.Load() && m.ContentType == "application/vnd.amqprpc.stream"}
		})
		up.Cancel()
		time.Sleep(time.Second)
		drop.Store(false)
		require.Error(t, ss.handlerEnds(2*time.Minute))
		require.NoError(t, other.Close())
	})
}
