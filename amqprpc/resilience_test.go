package amqprpc_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/middleware"
)

// A call to a queue that does not exist yet is not executed, so that it is retried until its
// server is there.
func TestRetryUntilTheServerIsThere(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	failed := make(chan error, 100)
	retry := middleware.Retry(middleware.WithRetryAttempts(100), middleware.WithRetryPauses(50*time.Millisecond, 200*time.Millisecond),
		middleware.WithRetryBudget(0, 0),
		middleware.WithRetryObserver(func(_ context.Context, _ *amqprpc.Request, err error, _ time.Duration) { failed <- err }))
	f := amqprpc.Go[int, int](testContext(t), dial(t, url), queue, 3, amqprpc.WithMiddleware(retry))
	for range 2 {
		err := <-failed
		require.ErrorIs(t, err, amqprpc.CodeUnavailable)
		require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
	}
	startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) })
	got, err := f.Await(testContext(t))
	require.NoError(t, err)
	require.Equal(t, 9, got)
}

// A second attempt answers for one whose handler hangs, and the handler is told. While
// requests wait in the queue, there is no second attempt.
func TestHedgeOnTheBroker(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	w, g := newWaiting(), newGated()
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			if r, _ := amqprpc.RequestFromContext(ctx); r.Attempt() == 1 {
				return w.handle(ctx, n)
			}
			return n * n, nil
		})
		amqprpc.Register(s, queue+".full", g.handle, amqprpc.WithConcurrency(1), amqprpc.WithPrefetch(1))
	})
	hasInstance(t, url, queue)
	hedge := middleware.Hedge(middleware.WithHedgeDelay(100*time.Millisecond), middleware.WithHedgeBudget(1))
	cli := dial(t, url, amqprpc.WithIdempotent(), amqprpc.WithMiddleware(hedge))
	takesTwo := func() {
		got, err := amqprpc.Call[int, int](testContext(t), cli, queue, 3)
		require.NoError(t, err)
		require.Equal(t, 9, got)
		require.ErrorIs(t, <-w.ended, context.Canceled)
	}
	takesTwo()

	var calls []*amqprpc.Future[int]
	for range 3 {
		calls = append(calls, amqprpc.Go[int, int](testContext(t), cli, queue+".full", 2))
	}
	eventually(t, "two wait in the queue", func() bool { return waitingIn(t, url, queue+".full") == 2 })
	takesTwo() // by now the three would have had their second attempts, too
	require.Equal(t, 2, waitingIn(t, url, queue+".full"))
	close(g.release)
	for _, c := range calls {
		_, err := c.Await(testContext(t))
		require.NoError(t, err)
	}
}
