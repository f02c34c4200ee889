package idempotency_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware/idempotency"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
)

// Each instance runs a broadcast once, though all share a store.
func TestBroadcastsRunOnEachInstance(t *testing.T) {
	t.Parallel()
	url, store := amqptest.Start(t).URL(), idempotency.NewMemoryStore(1000, time.Minute)
	ids := make(map[string]bool)
	for range 2 {
		harness.Serve(t, url, func(s *amqprpc.Server) {
			ids[s.Instance()] = true
			amqprpc.Register(s, "q", func(context.Context, int) (string, error) { return s.Instance(), nil },
				amqprpc.WithBroadcast(), amqprpc.WithMiddleware(idempotency.New(store)))
		})
	}
	cli := harness.Dial(t, url)
	all := func(id string) map[string]string {
		got := make(map[string]string)
		for a, err := range amqprpc.All[int, string](context.Background(), cli, "q", 1, amqprpc.WithCallID(id), amqprpc.WithAcceptWait(5*time.Second)) {
			if err == nil {
				got[a.Instance] = a.Value
			}
		}
		return got
	}
	require.Eventually(t, func() bool { return len(all("ping")) == 2 }, 20*time.Second, time.Millisecond)
	for range 2 { // the second time from the store
		got := all("call")
		require.Len(t, got, 2)
		for instance, value := range got {
			require.True(t, ids[instance])
			require.Equal(t, instance, value)
		}
	}
}
