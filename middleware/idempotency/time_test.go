package idempotency_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware/idempotency"
)

// inBubble runs a server and a client in virtual time.
func inBubble(t *testing.T, register func(*amqprpc.Server), test func(context.Context, *testing.T, *amqprpc.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := amqptest.NewBroker(amqptest.WithoutListener())
		t.Cleanup(func() { require.NoError(t, b.Close()) })
		dialer := amqprpc.WithDialer(b.Dial)
		srv := amqprpc.NewServer(b.URL(), amqprpc.WithLogger(nil), dialer)
		register(srv)
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		t.Cleanup(cancel)
		serving, stop := context.WithCancel(ctx)
		served := make(chan error, 1)
		go func() { served <- srv.Serve(serving) }()
		t.Cleanup(func() {
			stop()
			require.NoError(t, <-served)
		})
		<-srv.Ready()
		cli, err := amqprpc.Dial(ctx, b.URL(), amqprpc.WithLogger(nil), dialer)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, cli.Close()) })
		test(ctx, t, cli)
	})
}

// An execution that dies with its process leaves a claim, which expires.
func TestWaitsForTheLeaseOfTheDead(t *testing.T) {
	t.Parallel()
	store := idempotency.NewMemoryStore(100, time.Hour)
	n := new(numbered)
	inBubble(t, func(s *amqprpc.Server) { amqprpc.Register(s, "q", n.handle, idempotentOn(store)) },
		func(ctx context.Context, t *testing.T, cli *amqprpc.Client) {
			_, err := store.Begin(ctx, "1:q:id", newClaim("the dead", 10*time.Second))
			require.NoError(t, err)
			start := time.Now()
			got, err := amqprpc.Call[int, int32](ctx, cli, "q", 1, amqprpc.WithCallID("id"))
			require.NoError(t, err)
			require.EqualValues(t, 1, got)
			require.GreaterOrEqual(t, time.Since(start), 10*time.Second)
			require.LessOrEqual(t, time.Since(start), 11*time.Second)
		})
}

// The claim of a handler that takes longer than a lease is renewed.
func TestRenewsItsClaim(t *testing.T) {
	t.Parallel()
	n := new(numbered)
	slow := func(ctx context.Context, i int) (int32, error) {
		time.Sleep(5 * time.Minute)
		return n.handle(ctx, i)
	}
	inBubble(t, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", slow, idempotent(idempotency.WithLease(time.Second)))
	}, func(ctx context.Context, t *testing.T, cli *amqprpc.Client) {
		start := time.Now()
		first := amqprpc.Go[int, int32](ctx, cli, "q", 1, amqprpc.WithCallID("id"))
		time.Sleep(2 * time.Minute)
		second, err := amqprpc.Call[int, int32](ctx, cli, "q", 1, amqprpc.WithCallID("id"))
		require.NoError(t, err)
		require.EqualValues(t, 1, second)
		got, err := first.Await(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, got)
		require.LessOrEqual(t, time.Since(start), 5*time.Minute+time.Second)
		require.EqualValues(t, 1, n.runs.Load())
	})
}

// An answer expires when its TTL has passed since it was stored.
func TestForgets(t *testing.T) {
	t.Parallel()
	n := new(numbered)
	inBubble(t, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", n.handle, idempotentOn(idempotency.NewMemoryStore(100, time.Minute)))
	}, func(ctx context.Context, t *testing.T, cli *amqprpc.Client) {
		for _, want := range []int32{1, 1, 2} {
			got, err := amqprpc.Call[int, int32](ctx, cli, "q", 1, amqprpc.WithCallID("id"))
			require.NoError(t, err)
			require.Equal(t, want, got)
			time.Sleep(40 * time.Second)
		}
	})
}

// A handler that returns an error at its deadline releases the claim. A handler that
// returns a late result still stores it.
func TestAfterTheDeadline(t *testing.T) {
	t.Parallel()
	var runs atomic.Int32
	inBubble(t, func(s *amqprpc.Server) {
		amqprpc.Register(s, "heeds", func(ctx context.Context, _ int) (int32, error) {
			if runs.Add(1) == 1 {
				<-ctx.Done()
				time.Sleep(time.Millisecond) // the caller's deadline is the same
				return 0, errors.New("a driver's words for a query that was cancelled")
			}
			return runs.Load(), nil
		}, idempotent())
		amqprpc.Register(s, "late", func(context.Context, int) (int32, error) {
			time.Sleep(2 * time.Second)
			return runs.Add(1), nil
		}, idempotent())
	}, func(ctx context.Context, t *testing.T, cli *amqprpc.Client) {
		for _, queue := range []string{"heeds", "late"} {
			runs.Store(0)
			short, cancel := context.WithTimeout(ctx, time.Second)
			_, err := amqprpc.Call[int, int32](short, cli, queue, 1, amqprpc.WithCallID("id"))
			cancel()
			require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded)
			got, err := amqprpc.Call[int, int32](ctx, cli, queue, 1, amqprpc.WithCallID("id"))
			require.NoError(t, err)
			want := map[string]int32{"heeds": 2, "late": 1}[queue]
			require.Equal(t, want, got, queue)
			require.Equal(t, want, runs.Load(), queue)
		}
	})
}
