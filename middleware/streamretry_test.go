package middleware_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
)

// numbers is a stream of the numbers below n.
const numbers amqprpc.ServerStream[int, int] = "numbers"

// below serves numbers, and counts how often its handler runs.
func below(runs *atomic.Int32) amqprpc.ServerStreamHandler[int, int] {
	return func(_ context.Context, n int, out *amqprpc.Sender[int]) error {
		runs.Add(1)
		for i := range n {
			if err := out.Send(i); err != nil {
				return err
			}
		}
		return nil
	}
}

// collect returns the items of a stream, and its error.
func collect(t *testing.T, cli *amqprpc.Client, n int, opts ...amqprpc.CallOption) (got []int, err error) {
	for v, err := range numbers.Call(harness.Context(t), cli, n, opts...) {
		if err != nil {
			return got, err
		}
		got = append(got, v)
	}
	return got, nil
}

// Retry opens a stream again that no handler has seen: nobody served its queue, or a server
// has refused it.
func TestRetryOpensAStream(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	var runs, refusals atomic.Int32
	var serve atomic.Bool
	start := func(context.Context, *amqprpc.Request, error, time.Duration) {
		if serve.Swap(true) {
			return
		}
		harness.Serve(t, url, func(s *amqprpc.Server) {
			numbers.Register(s, below(&runs), amqprpc.WithMiddleware(refuse(func() error {
				if refusals.Add(1) == 1 {
					return amqprpc.CodeUnavailable
				}
				return nil
			})))
		})
	}
	var attempts []amqprpc.Attempt
	look := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			resp, err := next(ctx, req)
			attempts = req.Attempts()
			return resp, err
		}
	}
	got, err := collect(t, harness.Dial(t, url), 3, amqprpc.WithMiddleware(look,
		quick(middleware.WithRetryObserver(start), middleware.WithAttemptTimeout(time.Nanosecond))))
	require.NoError(t, err)
	require.Equal(t, []int{0, 1, 2}, got)
	require.EqualValues(t, 1, runs.Load())
	require.Len(t, attempts, 3)
	require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(attempts[0].Err))
	require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(attempts[1].Err))
	require.NoError(t, attempts[2].Err)
}

// A stream that was accepted is not opened again, whatever its error and its options are.
func TestAcceptedStreamIsNotRetried(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	cli := harness.Dial(t, url) // closed after the server, which waits for the client's acknowledgement
	var runs atomic.Int32
	harness.Serve(t, url, func(s *amqprpc.Server) {
		numbers.Register(s, func(ctx context.Context, n int, out *amqprpc.Sender[int]) error {
			if err := below(&runs)(ctx, n, out); err != nil {
				return err
			}
			return amqprpc.CodeUnavailable
		})
	})
	got, err := collect(t, cli, 2, amqprpc.WithIdempotent(),
		amqprpc.WithMiddleware(quick(middleware.WithRetryCodes(amqprpc.CodeUnavailable))))
	require.ErrorIs(t, err, amqprpc.CodeUnavailable)
	require.Equal(t, amqprpc.OutcomeExecuted, amqprpc.OutcomeOf(err))
	require.Equal(t, []int{0, 1}, got)
	require.EqualValues(t, 1, runs.Load())
}

// Hedge and the limits let streams pass.
func TestStreamsPass(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	hedge := middleware.Hedge(middleware.WithHedgeDelay(time.Millisecond), middleware.WithHedgeBudget(1))
	cli := harness.Dial(t, url, amqprpc.WithMiddleware(hedge, middleware.RateLimit(0, 0)))
	var runs atomic.Int32
	harness.Serve(t, url, func(s *amqprpc.Server) {
		numbers.Register(s, below(&runs), amqprpc.WithMiddleware(middleware.RateLimit(0, 0), middleware.ConcurrencyLimit(0)))
	})
	for i := range 5 {
		got, err := collect(t, cli, 3, amqprpc.WithIdempotent())
		require.NoError(t, err)
		require.Equal(t, []int{0, 1, 2}, got)
		require.EqualValues(t, i+1, runs.Load())
	}
}
