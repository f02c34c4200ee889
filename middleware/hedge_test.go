package middleware_test

import (
	"context"
	"errors"
	"net/url"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
)

// stuck is a handler whose first attempts wait until they are told to end, and whose others
// answer at once.
type stuck struct {
	attempts atomic.Int64
	ended    chan error
}

func newStuck() *stuck { return &stuck{ended: make(chan error, 1000)} }

func (s *stuck) handle(ctx context.Context, n int) (int, error) {
	s.attempts.Add(1)
	if r, _ := amqprpc.RequestFromContext(ctx); r.Attempt() == 1 {
		<-ctx.Done()
		s.ended <- ctx.Err()
		return 0, ctx.Err()
	}
	return n * n, nil
}

// The second attempt answers for the first, which is cancelled.
func TestHedge(t *testing.T) {
	t.Parallel()
	s := newStuck()
	harness.InVirtualTime(t, func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "q", s.handle)
		amqprpc.Register(srv, "told", square)
	}, func(t *testing.T, cli *amqprpc.Client) {
		time.Sleep(time.Second) // the server consumes cancels
		var won []bool
		hedge := amqprpc.WithMiddleware(middleware.Hedge(middleware.WithHedgeDelay(100*time.Millisecond), middleware.WithHedgeBudget(1),
			middleware.WithHedgeObserver(func(_ context.Context, req *amqprpc.Request, secondWon bool) {
				require.Equal(t, "q", req.Queue())
				won = append(won, secondWon)
			})))
		for range 5 {
			began := time.Now()
			got, err := amqprpc.Call[int, int](context.Background(), cli, "q", 3, hedge, amqprpc.WithIdempotent())
			require.NoError(t, err)
			require.Equal(t, 9, got)
			require.InDelta(t, 0.1, time.Since(began).Seconds(), 0.05)
			require.ErrorIs(t, <-s.ended, context.Canceled, "the loser is cancelled")
		}
		require.Equal(t, []bool{true, true, true, true, true}, won)
		require.EqualValues(t, 10, s.attempts.Load())

		// A call that must not run twice is left alone.
		_, err := amqprpc.Call[int, int](context.Background(), cli, "q", 3, hedge, amqprpc.WithTimeout(time.Second))
		require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded)
		require.EqualValues(t, 11, s.attempts.Load())
		require.NoError(t, amqprpc.Notify(context.Background(), cli, "told", 3, hedge, amqprpc.WithIdempotent()))
	})
}

// The first attempt may still win. Then the second is cancelled.
func TestHedgeThatLoses(t *testing.T) {
	t.Parallel()
	var cancelled atomic.Int64
	harness.InVirtualTime(t, func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "q", func(ctx context.Context, n int) (int, error) {
			r, _ := amqprpc.RequestFromContext(ctx)
			select {
			case <-time.After(time.Duration(r.Attempt()*r.Attempt()) * time.Second):
				if n < 0 {
					return 0, amqprpc.CodeNotFound
				}
				return r.Attempt(), nil
			case <-ctx.Done():
				cancelled.Add(1)
				return 0, ctx.Err()
			}
		})
	}, func(t *testing.T, cli *amqprpc.Client) {
		time.Sleep(time.Second)
		hedge := amqprpc.WithMiddleware(middleware.Hedge(middleware.WithHedgeDelay(100*time.Millisecond), middleware.WithHedgeBudget(1)))
		began := time.Now()
		got, err := amqprpc.Call[int, int](context.Background(), cli, "q", 3, hedge, amqprpc.WithIdempotent())
		require.NoError(t, err)
		require.Equal(t, 1, got)
		require.InDelta(t, 1, time.Since(began).Seconds(), 0.05)
		time.Sleep(time.Second)
		require.EqualValues(t, 1, cancelled.Load())

		// An error of the handler is an answer, too.
		_, err = amqprpc.Call[int, int](context.Background(), cli, "q", -1, hedge, amqprpc.WithIdempotent())
		require.ErrorIs(t, err, amqprpc.CodeNotFound)
		require.Equal(t, amqprpc.OutcomeExecuted, amqprpc.OutcomeOf(err))
		time.Sleep(time.Second)
		require.EqualValues(t, 2, cancelled.Load())
	})
}

// There is no second attempt while requests wait in the queue.
func TestHedgeDoesNotLengthenAQueue(t *testing.T) {
	t.Parallel()
	var ran atomic.Int64
	harness.InVirtualTime(t, func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "q", func(context.Context, int) (int, error) {
			ran.Add(1)
			time.Sleep(time.Second)
			return 1, nil
		}, amqprpc.WithConcurrency(1), amqprpc.WithPrefetch(1))
	}, func(t *testing.T, cli *amqprpc.Client) {
		hedge := amqprpc.WithMiddleware(middleware.Hedge(middleware.WithHedgeDelay(10*time.Millisecond), middleware.WithHedgeBudget(1)))
		var calls []*amqprpc.Future[int]
		for range 5 {
			calls = append(calls, amqprpc.Go[int, int](context.Background(), cli, "q", 1, hedge, amqprpc.WithIdempotent()))
		}
		for _, c := range calls {
			_, err := c.Await(context.Background())
			require.NoError(t, err)
		}
		require.EqualValues(t, 5, ran.Load())
	})
}

// The time after which an attempt is late is learned from the calls before.
func TestHedgeLearnsTheLatency(t *testing.T) {
	t.Parallel()
	s := newStuck()
	harness.InVirtualTime(t, func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "q", func(ctx context.Context, n int) (int, error) {
			if n < 0 {
				return s.handle(ctx, n)
			}
			time.Sleep(time.Duration(n) * time.Millisecond)
			return n, nil
		})
	}, func(t *testing.T, cli *amqprpc.Client) {
		hedge := amqprpc.WithMiddleware(middleware.Hedge())
		call := func(n int) (time.Duration, error) {
			began := time.Now()
			_, err := amqprpc.Call[int, int](context.Background(), cli, "q", n, hedge, amqprpc.WithIdempotent(), amqprpc.WithTimeout(2*time.Second))
			return time.Since(began), err
		}
		_, err := call(-1)
		require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded, "nothing is known yet")
		for i := range 1000 {
			_, err := call(1 + i*37%100) // from 1 ms to 100 ms
			require.NoError(t, err)
		}
		before := s.attempts.Load()
		took, err := call(-1)
		require.NoError(t, err)
		require.InDelta(t, 0.095, took.Seconds(), 0.03)
		require.EqualValues(t, before+2, s.attempts.Load())
	})
}

// A share of the calls is hedged, and no more.
func TestHedgeBudget(t *testing.T) {
	t.Parallel()
	s := newStuck()
	harness.InVirtualTime(t, func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "q", s.handle)
	}, func(t *testing.T, cli *amqprpc.Client) {
		time.Sleep(time.Second)
		for share, want := range map[float64]int{0.1: 4, 0: 0, -1: 0} {
			hedge := amqprpc.WithMiddleware(middleware.Hedge(middleware.WithHedgeDelay(time.Millisecond), middleware.WithHedgeBudget(share)))
			answered := 0
			for range 45 {
				_, err := amqprpc.Call[int, int](context.Background(), cli, "q", 3, hedge, amqprpc.WithIdempotent(), amqprpc.WithTimeout(50*time.Millisecond))
				if err == nil {
					answered++
				}
			}
			require.InDelta(t, want, answered, 1)
		}
	})
}

// If both attempts fail, the outcome is that of both.
func TestHedgeOfTwoFailures(t *testing.T) {
	t.Parallel()
	harness.InVirtualTime(t, func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "q", square, amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker {
			return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
				time.Sleep(time.Duration(3-req.Attempt()) * time.Second)
				return nil, amqprpc.Errorf(amqprpc.CodeUnavailable, "attempt %d", req.Attempt())
			}
		}))
	}, func(t *testing.T, cli *amqprpc.Client) {
		hedge := amqprpc.WithMiddleware(middleware.Hedge(middleware.WithHedgeDelay(100*time.Millisecond), middleware.WithHedgeBudget(1)))
		_, err := amqprpc.Call[int, int](context.Background(), cli, "q", 3, hedge, amqprpc.WithIdempotent())
		require.EqualError(t, err, "q: unavailable: attempt 1")
		require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
	})
}

// Where the broker does not say what waits, only a heartbeat allows a second attempt.
func TestHedgeWithoutInspection(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t, amqptest.Follow(amqptest.RabbitMQ43))
	broker.SetUser("caller", "secret")
	require.NoError(t, broker.SetPermissions("/", "caller", "^amqprpc[.]", "^(amq[.]default|amqprpc[.].*)$", "^amqprpc[.]"))
	s := newStuck()
	harness.Serve(t, broker.URL(), func(srv *amqprpc.Server) { amqprpc.Register(srv, "q", s.handle) })
	u, err := url.Parse(broker.URL())
	require.NoError(t, err)
	u.User = url.UserPassword("caller", "secret")
	cli := harness.Dial(t, u.String())
	hedge := middleware.Hedge(middleware.WithHedgeDelay(300*time.Millisecond), middleware.WithHedgeBudget(1))
	opts := []amqprpc.CallOption{amqprpc.WithMiddleware(hedge), amqprpc.WithIdempotent()}
	_, err = amqprpc.Call[int, int](harness.Context(t), cli, "q", 3, append(opts, amqprpc.WithTimeout(time.Second))...)
	require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded)
	got, err := amqprpc.Call[int, int](harness.Context(t), cli, "q", 3, append(opts, amqprpc.WithLiveness(100*time.Millisecond))...)
	require.NoError(t, err)
	require.Equal(t, 9, got)
	require.ErrorIs(t, <-s.ended, context.DeadlineExceeded)
	require.ErrorIs(t, <-s.ended, context.Canceled)
}

// A panic of middleware on the goroutine of the second attempt is the error of the call.
func TestHedgeOfPanics(t *testing.T) {
	t.Parallel()
	s := newStuck()
	harness.InVirtualTime(t, func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "q", s.handle)
	}, func(t *testing.T, cli *amqprpc.Client) {
		time.Sleep(time.Second)
		hedge := middleware.Hedge(middleware.WithHedgeDelay(10*time.Millisecond), middleware.WithHedgeBudget(1))
		for name, explode := range map[string]func(){
			"first": func() { panic("boom") }, "second": func() { panic("boom") }, "exit": runtime.Goexit,
		} {
			var n atomic.Int64
			inner := func(next amqprpc.Invoker) amqprpc.Invoker {
				return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
					if first := n.Add(1) == 1; first == (name == "first") {
						time.Sleep(50 * time.Millisecond)
						explode()
					}
					return next(ctx, req)
				}
			}
			_, err := amqprpc.Call[int, int](context.Background(), cli, "q", 3,
				amqprpc.WithMiddleware(hedge, inner), amqprpc.WithIdempotent(), amqprpc.WithTimeout(time.Second))
			if name == "exit" {
				require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded, "the first attempt goes on")
				continue
			}
			require.ErrorIs(t, err, amqprpc.CodeInternal, name)
			p, ok := errors.AsType[*amqprpc.PanicError](err)
			require.True(t, ok)
			require.Equal(t, "boom", p.Value)
			require.Contains(t, string(p.Stack), "hedge_test.go")
		}
	})
}

// Retry around Hedge makes both attempts again.
func TestRetryAroundHedge(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	var n atomic.Int64
	harness.Serve(t, url, func(srv *amqprpc.Server) {
		amqprpc.Register(srv, "q", func(ctx context.Context, i int) (int, error) {
			if n.Add(1)%3 == 0 {
				select {
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
			return i * i, ctx.Err()
		}, amqprpc.WithMiddleware(refuse(func() error {
			if n.Add(1)%5 == 0 {
				return amqprpc.CodeUnavailable
			}
			return nil
		})))
	})
	cli := harness.Dial(t, url, amqprpc.WithIdempotent(), amqprpc.WithMiddleware(
		quick(middleware.WithRetryAttempts(20), middleware.WithRetryBudget(0, 0)),
		middleware.Hedge(middleware.WithHedgeDelay(5*time.Millisecond), middleware.WithHedgeBudget(1))))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 50 {
				if got, err := amqprpc.Call[int, int](context.Background(), cli, "q", i); err != nil || got != i*i {
					t.Errorf("%d: %d, %v", i, got, err)
				}
			}
		})
	}
	wg.Wait()
}
