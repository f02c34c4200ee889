package amqprpc_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/faultproxy"
)

// A handler may wait for another request, on its own queue or on another queue of the same
// connection. The server still handles that other request.
func TestHandlerThatWaitsForOthers(t *testing.T) {
	t.Parallel()
	url, queue, other := brokerURL(t), queueName(t), queueName(t)
	came := make(chan struct{}, 1)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			if n == 1 {
				came <- struct{}{}
				return n, nil
			}
			select {
			case <-came:
				return n, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		})
		amqprpc.Register(s, other, func(context.Context, int) (int, error) { came <- struct{}{}; return 0, nil })
	})
	cli, ctx := dial(t, url), testContext(t)
	for _, from := range []string{queue, other} {
		first := amqprpc.Go[int, int](ctx, cli, queue, 2)
		_, err := amqprpc.Call[int, int](ctx, cli, from, 1)
		require.NoError(t, err)
		got, err := first.Await(ctx)
		require.NoError(t, err)
		require.Equal(t, 2, got)
	}
}

// The server runs as many handlers as the concurrency allows, and no more.
func TestHandlersAreBounded(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	const most = 3
	var running, peak atomic.Int64
	release := make(chan struct{})
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			now := running.Add(1)
			defer running.Add(-1)
			for old := peak.Load(); now > old && !peak.CompareAndSwap(old, now); old = peak.Load() {
			}
			<-release
			return n, nil
		}, amqprpc.WithConcurrency(most), amqprpc.WithPrefetch(4*most))
	})
	cli, ctx := dial(t, url), testContext(t)
	for range 3 {
		var calls []*amqprpc.Future[int]
		for n := range 4 * most {
			calls = append(calls, amqprpc.Go[int, int](ctx, cli, queue, n))
		}
		eventually(t, "all workers are taken", func() bool { return running.Load() == most })
		for range calls {
			release <- struct{}{}
		}
		for n, f := range calls {
			got, err := f.Await(ctx)
			require.NoError(t, err)
			require.Equal(t, n, got)
		}
		require.EqualValues(t, most, peak.Load())
	}
}

// A handler may end its goroutine, as a test's FailNow does. The server answers as for a
// panic and continues to serve the queue.
func TestHandlerThatEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	var log testLog
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(_ context.Context, n int) (int, error) {
			if n < 0 {
				runtime.Goexit()
			}
			return n, nil
		}, amqprpc.WithConcurrency(2))
	}, amqprpc.WithLogger(log.logger()))
	cli, ctx := dial(t, url), testContext(t)
	for range 5 { // more than the number of workers
		_, err := amqprpc.Call[int, int](ctx, cli, queue, -1)
		require.ErrorIs(t, err, amqprpc.CodeInternal)
		require.Equal(t, amqprpc.OutcomeExecuted, amqprpc.OutcomeOf(err))
		require.True(t, amqprpc.IsRemote(err))
		got, err := amqprpc.Call[int, int](ctx, cli, queue, 4)
		require.NoError(t, err)
		require.Equal(t, 4, got)
	}
	require.Contains(t, log.String(), "runtime.Goexit")
	require.EqualValues(t, 5, srv.Stats().Panics)
	require.Zero(t, srv.Stats().InFlight)
}

// A worker survives a panic of its handler.
func TestHandlersThatPanic(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(_ context.Context, n int) (int, error) {
			if n < 0 {
				panic("at the disco")
			}
			return n, nil
		}, amqprpc.WithConcurrency(2))
	})
	cli, ctx := dial(t, url), testContext(t)
	for range 5 { // more than the number of workers
		_, err := amqprpc.Call[int, int](ctx, cli, queue, -1)
		require.ErrorIs(t, err, amqprpc.CodeInternal)
		require.Equal(t, amqprpc.OutcomeExecuted, amqprpc.OutcomeOf(err))
		require.NotContains(t, err.Error(), "disco")
		got, err := amqprpc.Call[int, int](ctx, cli, queue, 4)
		require.NoError(t, err)
		require.Equal(t, 4, got)
	}
	require.EqualValues(t, 5, srv.Stats().Panics)
	require.Zero(t, srv.Stats().InFlight)
}

// The loss of the connection ends the handler's ctx, and the request is handled again.
func TestHandlerWhoseConnectionIsLost(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	proxy, proxyURL := proxied(t, url)
	started, cancelled := make(chan struct{}, 2), make(chan struct{})
	once := sync.OnceFunc(func() { close(cancelled) })
	startServer(t, proxyURL, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			started <- struct{}{}
			select {
			case <-ctx.Done():
				once()
				return 0, ctx.Err()
			case <-cancelled: // second delivery
				return n, nil
			}
		})
	})
	ctx := testContext(t)
	f := amqprpc.Go[int, int](ctx, dial(t, url), queue, 7)
	<-started
	proxy.Cut(faultproxy.RST)
	got, err := f.Await(ctx)
	require.NoError(t, err)
	require.Equal(t, 7, got)
}

// A stop during quick handlers loses no answer. Every handled request is answered and not in
// the queue.
func TestDrainOfQuickHandlers(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	cli, p := dial(t, url), newPeer(t, url)
	for range 5 {
		var handled atomic.Int64
		srv, stop := serve(t, url, func(s *amqprpc.Server) {
			amqprpc.Register(s, queue, func(_ context.Context, n int) (int, error) { handled.Add(1); return n, nil })
		})
		ctx, cancel := context.WithCancel(testContext(t))
		var callers sync.WaitGroup
		for range 16 {
			callers.Go(func() {
				for ctx.Err() == nil {
					if _, err := amqprpc.Call[int, int](ctx, cli, queue, 1, amqprpc.WithTimeout(200*time.Millisecond)); err != nil {
						return // no server consumes any more
					}
				}
			})
		}
		eventually(t, "there is traffic", func() bool { return handled.Load() > 500 })
		require.NoError(t, stop())
		cancel()
		callers.Wait()
		require.Zero(t, srv.Stats().InFlight)
		require.Zero(t, srv.Stats().Redelivered)
		for {
			d, ok, err := p.ch.Get(queue, true)
			require.NoError(t, err)
			if !ok {
				break
			}
			require.False(t, d.Redelivered)
		}
	}
}

// If a handler ignores its deadline, the server answers for it and drops its later result.
func TestHandlerPastItsDeadline(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	release := make(chan struct{})
	srv, stop := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(_ context.Context, n int) (int, error) { <-release; return n, nil })
	})
	p := newPeer(t, url)
	// The caller waits longer than the request's time limit, as a foreign caller may do.
	d := p.ask(queue, amqp.Publishing{Body: []byte("1"), CorrelationId: "late", Expiration: "500"})
	require.Equal(t, "late", d.CorrelationId)
	require.Equal(t, "deadline_exceeded", d.Headers["rpc-code"])
	require.Equal(t, "unknown", d.Headers["rpc-outcome"])
	close(release)
	eventually(t, "the handler has returned", func() bool { return srv.Stats().LateResults == 1 })
	stop()
	require.EqualValues(t, 1, srv.Stats().Handled)
	require.Empty(t, p.replies)
}

// If the broker has cancelled a consumer, a drain still waits for the requests on its
// channel.
func TestDrainAfterACancelledConsumer(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	g := newGated()
	_, stop := serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, g.handle) })
	p := newPeer(t, url)
	f := amqprpc.Go[int, int](testContext(t), dial(t, url), queue, 3)
	<-g.started
	_, err := p.ch.QueueDelete(queue, false, false, false)
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- stop() }()
	eventually(t, "nobody consumes", func() bool {
		ch, err := p.conn.Channel()
		require.NoError(t, err)
		defer ch.Close()
		q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		return err != nil || q.Consumers == 0
	})
	require.Empty(t, served)
	close(g.release)
	got, err := f.Await(testContext(t))
	require.NoError(t, err)
	require.Equal(t, 9, got)
	require.NoError(t, <-served)
}
