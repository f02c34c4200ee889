package middleware_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
)

// untilDone is a handler that waits for its ctx and returns its error.
func untilDone(ctx context.Context, _ amqprpc.None) (amqprpc.None, error) {
	<-ctx.Done()
	return amqprpc.None{}, ctx.Err()
}

func TestTimeoutOnServer(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	deadlines := make(chan time.Duration, 1)
	harness.Serve(t, url, func(s *amqprpc.Server) {
		short := amqprpc.WithMiddleware(middleware.Timeout(30 * time.Millisecond))
		amqprpc.Register(s, "heeds", untilDone, short)
		amqprpc.Register(s, "own_words", func(ctx context.Context, _ amqprpc.None) (amqprpc.None, error) {
			<-ctx.Done()
			return amqprpc.None{}, amqprpc.NewError(amqprpc.CodeUnavailable, context.Cause(ctx))
		}, short)
		amqprpc.Register(s, "late", func(ctx context.Context, _ amqprpc.None) (string, error) {
			<-ctx.Done()
			return "late, but an answer", nil
		}, short)
		amqprpc.Register(s, "longer", func(ctx context.Context, _ amqprpc.None) (amqprpc.None, error) {
			d, _ := ctx.Deadline()
			deadlines <- time.Until(d)
			return amqprpc.None{}, nil
		}, amqprpc.WithMiddleware(middleware.Timeout(time.Hour)))
		amqprpc.Register(s, "none", func(ctx context.Context, _ amqprpc.None) (amqprpc.None, error) {
			return amqprpc.None{}, ctx.Err()
		}, amqprpc.WithMiddleware(middleware.Timeout(0)))
	})
	cli := harness.Dial(t, url)
	ctx := harness.Context(t)
	call := func(queue string) (string, error) {
		resp, err := amqprpc.Call[amqprpc.None, any](ctx, cli, queue, amqprpc.None{})
		s, _ := resp.(string)
		return s, err
	}

	_, err := call("heeds")
	require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded)
	require.EqualError(t, err, "heeds: deadline_exceeded: context deadline exceeded (time limit of 30ms)")
	require.Equal(t, amqprpc.OutcomeExecuted, amqprpc.OutcomeOf(err))

	_, err = call("own_words")
	require.EqualError(t, err, "own_words: unavailable: time limit of 30ms")

	got, err := call("late")
	require.NoError(t, err)
	require.Equal(t, "late, but an answer", got)

	_, err = call("longer")
	require.NoError(t, err)
	require.LessOrEqual(t, <-deadlines, harness.Patience+time.Second, "the caller's earlier deadline was replaced")

	_, err = call("none")
	require.NoError(t, err)
}

func TestTimeoutOnClient(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	deadlines := make(chan time.Duration, 100)
	harness.Serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", func(ctx context.Context, _ amqprpc.None) (amqprpc.None, error) {
			d, _ := ctx.Deadline()
			deadlines <- time.Until(d)
			<-ctx.Done()
			return amqprpc.None{}, ctx.Err()
		})
	})
	cli := harness.Dial(t, url)
	for d := 50 * time.Millisecond; ; d *= 2 { // a longer limit for a request that did not arrive in time
		require.Less(t, d, harness.Patience)
		start := time.Now()
		_, err := amqprpc.Call[amqprpc.None, amqprpc.None](harness.Context(t), cli, "q", amqprpc.None{},
			amqprpc.WithMiddleware(middleware.Timeout(d)))
		require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded)
		require.GreaterOrEqual(t, time.Since(start), d)
		select {
		case left := <-deadlines:
			require.LessOrEqual(t, left, d, "the deadline did not travel")
			return
		default:
		}
	}
}

// If the limit ends a call, the error names the limit.
func TestTimeoutNamesItself(t *testing.T) {
	t.Parallel()
	cli := harness.Dial(t, amqptest.Start(t).URL())
	wait := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			<-ctx.Done()
			return next(ctx, req)
		}
	}
	_, err := amqprpc.Call[int, int](harness.Context(t), cli, "q", 1,
		amqprpc.WithMiddleware(middleware.Timeout(time.Millisecond), wait))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "(time limit of 1ms)")
	require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))

	// The caller's own deadline is not reported as this limit.
	ctx, cancel := context.WithCancel(harness.Context(t))
	cancel()
	_, err = amqprpc.Call[int, int](ctx, cli, "q", 1, amqprpc.WithMiddleware(middleware.Timeout(time.Hour), wait))
	require.ErrorIs(t, err, context.Canceled)
	require.NotContains(t, err.Error(), "middleware.Timeout")
}
