package middleware_test

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
)

// byTenant is the key of requests with a header.
func byTenant(_ context.Context, req *amqprpc.Request) string { return req.Header()["tenant"] }

func tenant(name string) amqprpc.CallOption { return amqprpc.WithHeader("tenant", name) }

// A server refuses what comes too fast, and says when to call again. Callers have limits of
// their own.
func TestRateLimitOnServer(t *testing.T) {
	t.Parallel()
	ran := 0
	harness.InVirtualTime(t, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", func(_ context.Context, n int) (int, error) { ran++; return n, nil },
			amqprpc.WithMiddleware(middleware.RateLimit(2, 3, middleware.WithLimitKey(byTenant), middleware.WithLimitKeys(2))))
	}, func(t *testing.T, cli *amqprpc.Client) {
		call := func(name string, opts ...amqprpc.CallOption) error {
			_, err := amqprpc.Call[int, int](context.Background(), cli, "q", 1, append(opts, tenant(name))...)
			return err
		}
		for range 3 {
			require.NoError(t, call("a"))
		}
		err := call("a")
		require.EqualError(t, err, "q: resource_exhausted: more than 2 requests a second")
		require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
		again, ok := amqprpc.RetryAfter(err)
		require.True(t, ok)
		require.InDelta(t, 0.5, again.Seconds(), 0.01)
		require.NoError(t, call("b"), "another caller")

		// What was refused takes nothing from those who come in time.
		time.Sleep(again)
		require.NoError(t, call("a"))
		require.Error(t, call("a"))

		// Retry waits for so long.
		began := time.Now()
		require.NoError(t, call("a", amqprpc.WithMiddleware(middleware.Retry(middleware.WithRetryPauses(time.Microsecond, time.Microsecond)))))
		require.InDelta(t, 0.5, time.Since(began).Seconds(), 0.01)
		require.Equal(t, 6, ran)

		// Two callers are remembered. The third one makes the first one new.
		require.Error(t, call("a"))
		require.NoError(t, call("b"))
		require.NoError(t, call("c"))
		require.NoError(t, call("a"))
	})
}

// On a client, requests wait for their turn, unless it comes too late.
func TestRateLimitOnClient(t *testing.T) {
	t.Parallel()
	harness.InVirtualTime(t, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", square)
		amqprpc.Register(s, "other", square)
	}, func(t *testing.T, cli *amqprpc.Client) {
		limit := amqprpc.WithMiddleware(middleware.RateLimit(10, 1))
		call := func(ctx context.Context, queue string, opts ...amqprpc.CallOption) error {
			_, err := amqprpc.Call[int, int](ctx, cli, queue, 1, append(opts, limit)...)
			return err
		}
		began := time.Now()
		for range 11 {
			require.NoError(t, call(context.Background(), "q"))
		}
		require.InDelta(t, 1, time.Since(began).Seconds(), 0.01)
		require.NoError(t, call(context.Background(), "other"))
		require.InDelta(t, 1, time.Since(began).Seconds(), 0.01, "another queue has another limit")

		err := call(context.Background(), "q", amqprpc.WithTimeout(50*time.Millisecond))
		require.ErrorIs(t, err, amqprpc.CodeResourceExhausted)
		require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
		require.InDelta(t, 1, time.Since(began).Seconds(), 0.01, "at once")
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(50*time.Millisecond, cancel)
		require.ErrorIs(t, call(ctx, "q"), amqprpc.CodeCanceled)
		require.NoError(t, call(context.Background(), "q"))
		require.InDelta(t, 1.1, time.Since(began).Seconds(), 0.01, "who gave up has left its turn")
	})
}

// Limits of zero let nothing pass, and infinite ones everything.
func TestRateLimitAtTheLimits(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	harness.Serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, "q", square) })
	cli := harness.Dial(t, url)
	for _, c := range []struct {
		perSecond float64
		burst     int
		pass      bool
	}{{0, 5, false}, {-1, 5, false}, {5, 0, false}, {5, -1, false}, {math.MaxFloat64, 0, true}, {math.MaxFloat64, 1, true}} {
		limit := amqprpc.WithMiddleware(middleware.RateLimit(c.perSecond, c.burst))
		for range 3 {
			_, err := amqprpc.Call[int, int](harness.Context(t), cli, "q", 1, limit)
			require.Equal(t, c.pass, err == nil, "%v: %v", c, err)
		}
	}
}

// Refusals take nothing, also if many requests are refused at once.
func TestRateLimitOfManyAtOnce(t *testing.T) {
	t.Parallel()
	harness.InVirtualTime(t, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", square, amqprpc.WithMiddleware(middleware.RateLimit(10, 1)))
	}, func(t *testing.T, cli *amqprpc.Client) {
		for range 20 {
			passed := make(chan error, 200)
			for range cap(passed) {
				go func() {
					_, err := amqprpc.Call[int, int](context.Background(), cli, "q", 1)
					passed <- err
				}()
			}
			refused := 0
			for range cap(passed) {
				if <-passed != nil {
					refused++
				}
			}
			require.Equal(t, cap(passed)-1, refused)
			time.Sleep(100 * time.Millisecond)
		}
	})
}

// A caller at its limit is refused. Others are not, and memory is bounded by what runs.
func TestConcurrencyLimit(t *testing.T) {
	t.Parallel()
	harness.InVirtualTime(t, func(s *amqprpc.Server) {
		limit := middleware.ConcurrencyLimit(2, middleware.WithLimitKey(byTenant))
		amqprpc.Register(s, "q", func(_ context.Context, n int) (int, error) {
			time.Sleep(time.Second)
			if n < 0 {
				panic("boom")
			}
			return n, nil
		}, amqprpc.WithMiddleware(limit))
		amqprpc.Register(s, "none", square, amqprpc.WithMiddleware(middleware.ConcurrencyLimit(0)))
	}, func(t *testing.T, cli *amqprpc.Client) {
		call := func(name string, n int, opts ...amqprpc.CallOption) *amqprpc.Future[int] {
			return amqprpc.Go[int, int](context.Background(), cli, "q", n, append(opts, tenant(name))...)
		}
		ends := func(fs ...*amqprpc.Future[int]) (failed []error) {
			for _, f := range fs {
				if _, err := f.Await(context.Background()); err != nil {
					failed = append(failed, err)
				}
			}
			return failed
		}
		require.Len(t, ends(call("a", 1), call("a", -1)), 1, "a panic")
		failed := ends(call("a", 1), call("a", 1), call("a", 1), call("b", 1), call("b", 1))
		require.Len(t, failed, 1, "what ended has made room, and a third is too many")
		require.EqualError(t, failed[0], "q: resource_exhausted: 2 requests run at once already")
		require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(failed[0]))
		again, ok := amqprpc.RetryAfter(failed[0])
		require.True(t, ok)
		require.InDelta(t, 1, again.Seconds(), 0.01, "what a request takes")

		retry := amqprpc.WithMiddleware(middleware.Retry())
		require.Empty(t, ends(call("a", 1, retry), call("a", 1, retry), call("a", 1, retry)))

		_, err := amqprpc.Call[int, int](context.Background(), cli, "none", 1)
		require.ErrorIs(t, err, amqprpc.CodeResourceExhausted)
	})
}

// Limits hold for requests that come at once.
func TestLimitsConcurrently(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	var mu sync.Mutex
	running, most := make(map[string]int), 0
	harness.Serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", func(ctx context.Context, n int) (int, error) {
			r, _ := amqprpc.RequestFromContext(ctx)
			count := func(by int) {
				mu.Lock()
				defer mu.Unlock()
				running[r.Header()["tenant"]] += by
				most = max(most, running[r.Header()["tenant"]])
			}
			count(1)
			defer count(-1)
			time.Sleep(time.Millisecond)
			return n, nil
		}, amqprpc.WithMiddleware(
			middleware.RateLimit(1e6, 1e6, middleware.WithLimitKey(byTenant), middleware.WithLimitKeys(1)),
			middleware.ConcurrencyLimit(3, middleware.WithLimitKey(byTenant))))
	})
	cli := harness.Dial(t, url)
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for range 30 {
				_, err := amqprpc.Call[int, int](context.Background(), cli, "q", 1, tenant(fmt.Sprint(i%4)))
				if err != nil && amqprpc.CodeOf(err) != amqprpc.CodeResourceExhausted {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, 3, most)
}

// On a client, a broadcast passes. On a server, it is a request as any other.
func TestLimitsOfBroadcasts(t *testing.T) {
	t.Parallel()
	for name, nothing := range map[string]amqprpc.Middleware{"rate": middleware.RateLimit(0, 0), "concurrency": middleware.ConcurrencyLimit(0)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := amqptest.Start(t).URL()
			harness.Serve(t, url, func(s *amqprpc.Server) {
				amqprpc.Register(s, "free", answer, amqprpc.WithBroadcast())
				amqprpc.Register(s, "limited", answer, amqprpc.WithBroadcast(), amqprpc.WithMiddleware(nothing))
			})
			cli := harness.Dial(t, url)
			ask := func(queue string, opts ...amqprpc.CallOption) (code amqprpc.Code) {
				for _, err := range amqprpc.All[string, string](harness.Context(t), cli, queue, "", opts...) {
					code = amqprpc.CodeOf(err)
				}
				return code
			}
			require.Eventually(t, func() bool { // a server binds its queues after it has begun to serve
				return ask("free") == amqprpc.CodeOK && ask("limited") != amqprpc.CodeUnavailable
			}, harness.Patience, time.Millisecond)
			require.Equal(t, amqprpc.CodeOK, ask("free", amqprpc.WithMiddleware(nothing)))
			require.Equal(t, amqprpc.CodeResourceExhausted, ask("limited"))
		})
	}
}
