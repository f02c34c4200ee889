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

// A queue's handlers are run where the connection is read once they have shown that
// they are quick. What the tests here say of them holds all the same when they are not.

// switchable is a handler of a queue that does what the test says, and nothing at first.
type switchable struct {
	now    atomic.Pointer[func(ctx context.Context, n int) (int, error)]
	inline atomic.Int64 // how often it ran where the connection is read
}

func (h *switchable) handle(ctx context.Context, n int) (int, error) {
	if amqprpc.IsInline(ctx) {
		h.inline.Add(1)
	}
	if do := h.now.Load(); do != nil {
		return (*do)(ctx, n)
	}
	return n, nil
}

func (h *switchable) do(f func(ctx context.Context, n int) (int, error)) { h.now.Store(&f) }

// warm calls the handler, which is quick, until it is run where the connection is read.
func (h *switchable) warm(t *testing.T, cli *amqprpc.Client, queue string) {
	t.Helper()
	h.now.Store(nil)
	before, ctx := h.inline.Load(), testContext(t)
	for n := 0; h.inline.Load() < before+10; n++ {
		got, err := amqprpc.Call[int, int](ctx, cli, queue, n)
		require.NoError(t, err, "the handler was not run where the connection is read so far")
		require.Equal(t, n, got)
	}
}

// inlineOnce has do make a call that is handled where the connection is read: on a busy
// machine the last one before may have taken long, and the next goes to a worker.
func (h *switchable) inlineOnce(t *testing.T, cli *amqprpc.Client, queue string, handler func(ctx context.Context, n int) (int, error), do func()) {
	t.Helper()
	for tries := 0; ; tries++ {
		require.Less(t, tries, 100)
		h.warm(t, cli, queue)
		before := h.inline.Load()
		h.do(handler)
		do()
		if h.inline.Load() > before {
			return
		}
	}
}

// A handler that waits for another request, of its queue or of another one on the same
// connection, does not keep it from being read.
func TestInlineHandlerThatWaitsForOthers(t *testing.T) {
	t.Parallel()
	url, queue, other := brokerURL(t), queueName(t), queueName(t)
	var h switchable
	came := make(chan struct{}, 1)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, h.handle)
		amqprpc.Register(s, other, func(context.Context, int) (int, error) { came <- struct{}{}; return 0, nil })
	})
	cli, ctx := dial(t, url), testContext(t)
	for _, from := range []string{queue, other} {
		h.warm(t, cli, queue)
		h.do(func(ctx context.Context, n int) (int, error) {
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
		first := amqprpc.Go[int, int](ctx, cli, queue, 2)
		second := amqprpc.Go[int, int](ctx, cli, from, 1)
		_, err := second.Await(ctx)
		require.NoError(t, err)
		got, err := first.Await(ctx)
		require.NoError(t, err)
		require.Equal(t, 2, got)
	}
}

// Handlers in flight are as many as the concurrency allows, wherever they run.
func TestInlineHandlersAreBounded(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	const most = 3
	var h switchable
	startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, h.handle, amqprpc.WithConcurrency(most)) })
	cli, ctx := dial(t, url), testContext(t)
	var running, peak atomic.Int64
	release := make(chan struct{})
	for range 3 {
		h.warm(t, cli, queue)
		h.do(func(ctx context.Context, n int) (int, error) {
			now := running.Add(1)
			defer running.Add(-1)
			for old := peak.Load(); now > old && !peak.CompareAndSwap(old, now); old = peak.Load() {
			}
			<-release
			return n, nil
		})
		var calls []*amqprpc.Future[int]
		for n := range 4 * most {
			calls = append(calls, amqprpc.Go[int, int](ctx, cli, queue, n))
		}
		eventually(t, "all slots are taken", func() bool { return running.Load() == most })
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

// A handler that ends its goroutine, as a test's FailNow does, is answered for like one
// that panics; and the queue goes on being served.
func TestHandlerThatEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	var h switchable
	var log testLog
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, h.handle, amqprpc.WithConcurrency(2))
	}, amqprpc.WithLogger(log.logger()))
	cli, ctx := dial(t, url), testContext(t)
	for _, warm := range []bool{false, true} {
		if warm {
			h.warm(t, cli, queue)
		}
		for range 5 { // more than there are workers
			h.do(func(context.Context, int) (int, error) { runtime.Goexit(); return 0, nil })
			_, err := amqprpc.Call[int, int](ctx, cli, queue, 1)
			require.ErrorIs(t, err, amqprpc.CodeInternal)
			require.True(t, amqprpc.IsRemote(err))
			h.do(func(_ context.Context, n int) (int, error) { return n, nil })
			got, err := amqprpc.Call[int, int](ctx, cli, queue, 4)
			require.NoError(t, err)
			require.Equal(t, 4, got)
		}
	}
	require.Contains(t, log.String(), "runtime.Goexit")
	require.EqualValues(t, 10, srv.Stats().Panics)
	require.Zero(t, srv.Stats().InFlight)
}

// A panic is the handler's own affair, there as elsewhere.
func TestInlineHandlerThatPanics(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	var h switchable
	startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, h.handle) })
	cli, ctx := dial(t, url), testContext(t)
	panics := func(context.Context, int) (int, error) { panic("at the disco") }
	h.inlineOnce(t, cli, queue, panics, func() {
		_, err := amqprpc.Call[int, int](ctx, cli, queue, 1)
		require.ErrorIs(t, err, amqprpc.CodeInternal)
	})
	h.warm(t, cli, queue)
}

// A handler hears of the loss of the connection that it was reading.
func TestInlineHandlerWhoseConnectionIsLost(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	proxy, proxyURL := proxied(t, url)
	var h switchable
	startServer(t, proxyURL, func(s *amqprpc.Server) { amqprpc.Register(s, queue, h.handle) })
	cli, ctx := dial(t, url), testContext(t)
	h.warm(t, cli, queue)
	started, cancelled := make(chan struct{}, 2), make(chan struct{})
	once := sync.OnceFunc(func() { close(cancelled) })
	h.do(func(ctx context.Context, n int) (int, error) {
		started <- struct{}{}
		select {
		case <-ctx.Done():
			once()
			return 0, ctx.Err()
		case <-cancelled: // the second time
			return n, nil
		}
	})
	f := amqprpc.Go[int, int](ctx, cli, queue, 7)
	<-started
	proxy.Cut(faultproxy.RST)
	got, err := f.Await(ctx)
	require.NoError(t, err)
	require.Equal(t, 7, got)
}

// To stop in the middle of quick handlers loses no answer.
func TestDrainOfInlineHandlers(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	cli := dial(t, url)
	for range 5 {
		var h switchable
		srv, stop := serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, h.handle) })
		h.warm(t, cli, queue)
		ctx, cancel := context.WithCancel(testContext(t))
		var callers sync.WaitGroup
		for range 16 {
			callers.Go(func() {
				for ctx.Err() == nil {
					if _, err := amqprpc.Call[int, int](ctx, cli, queue, 1, amqprpc.WithTimeout(200*time.Millisecond)); err != nil {
						return // nobody serves any more
					}
				}
			})
		}
		eventually(t, "there is traffic", func() bool { return h.inline.Load() > 500 })
		require.NoError(t, stop())
		cancel()
		callers.Wait()
		stats := srv.Stats()
		require.Zero(t, stats.InFlight)
		require.Zero(t, stats.Redelivered)
		p := newPeer(t, url)
		// What was handled is neither unanswered nor there again.
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

// A handler that does not heed its deadline is answered for, though it began where the
// connection is read.
func TestInlineHandlerPastItsDeadline(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	var h switchable
	startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, h.handle) })
	cli, p := dial(t, url), newPeer(t, url)
	release := make(chan struct{})
	defer close(release)
	waits := func(_ context.Context, n int) (int, error) { <-release; return n, nil }
	h.inlineOnce(t, cli, queue, waits, func() {
		// The caller waits for longer than the request may be handled for, as a foreign one may.
		d := p.ask(queue, amqp.Publishing{Body: []byte("1"), CorrelationId: "late", Expiration: "500"})
		require.Equal(t, "late", d.CorrelationId)
		require.Equal(t, "deadline_exceeded", d.Headers["rpc-code"])
		if d.Headers["rpc-outcome"] == "not-executed" {
			return // it expired before it began
		}
		require.Equal(t, "unknown", d.Headers["rpc-outcome"])
	})
}
