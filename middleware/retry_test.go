package middleware_test

import (
	"context"
	"fmt"
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

// quick are retries without long pauses.
func quick(opts ...middleware.RetryOption) amqprpc.Middleware {
	return middleware.Retry(append([]middleware.RetryOption{middleware.WithRetryPauses(time.Microsecond, time.Millisecond)}, opts...)...)
}

// refuse is server middleware that answers with an error instead of the handler.
func refuse(err func() error) amqprpc.Middleware {
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			if err := err(); err != nil {
				return nil, err
			}
			return next(ctx, req)
		}
	}
}

// What is retried depends on the code, the outcome and the call.
func TestRetryByProof(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	const notSent, refused, executed, unknown = "not-sent", "not-executed", "executed", "unknown"
	idempotent := amqprpc.WithIdempotent()
	type row struct {
		outcome  string
		code     amqprpc.Code
		hint     bool
		opt      amqprpc.CallOption
		codes    []amqprpc.Code
		attempts int
	}
	rows := []row{
		{outcome: notSent, code: amqprpc.CodeUnavailable, attempts: 3},
		{outcome: refused, code: amqprpc.CodeUnavailable, attempts: 3},
		{outcome: unknown, code: amqprpc.CodeUnavailable, attempts: 1},
		{outcome: unknown, code: amqprpc.CodeUnavailable, opt: idempotent, attempts: 3},
		{outcome: executed, code: amqprpc.CodeUnavailable, attempts: 1},
		{outcome: executed, code: amqprpc.CodeUnavailable, opt: idempotent, attempts: 1},
		{outcome: executed, code: amqprpc.CodeUnavailable, codes: []amqprpc.Code{amqprpc.CodeUnavailable}, attempts: 3},
		{outcome: refused, code: amqprpc.CodeDeadlineExceeded, attempts: 3},
		{outcome: unknown, code: amqprpc.CodeDeadlineExceeded, attempts: 1},
		{outcome: unknown, code: amqprpc.CodeDeadlineExceeded, opt: idempotent, attempts: 3},
		{outcome: refused, code: amqprpc.CodeResourceExhausted, attempts: 1},
		{outcome: refused, code: amqprpc.CodeResourceExhausted, hint: true, attempts: 3},
		{outcome: notSent, code: amqprpc.CodeResourceExhausted, hint: true, attempts: 3},
		{outcome: executed, code: amqprpc.CodeResourceExhausted, hint: true, attempts: 1},
		{outcome: refused, code: amqprpc.CodeAborted, attempts: 1},
		{outcome: refused, code: amqprpc.CodeAborted, codes: []amqprpc.Code{amqprpc.CodeAborted}, attempts: 3},
		{outcome: executed, code: amqprpc.CodeAborted, codes: []amqprpc.Code{amqprpc.CodeAborted}, attempts: 3},
		{outcome: unknown, code: amqprpc.CodeAborted, codes: []amqprpc.Code{amqprpc.CodeAborted}, attempts: 1},
		{outcome: unknown, code: amqprpc.CodeAborted, codes: []amqprpc.Code{amqprpc.CodeAborted}, opt: idempotent, attempts: 3},
	}
	for _, code := range []amqprpc.Code{
		amqprpc.CodeCanceled, amqprpc.CodeUnknown, amqprpc.CodeInvalidArgument, amqprpc.CodeNotFound, amqprpc.CodeAlreadyExists,
		amqprpc.CodePermissionDenied, amqprpc.CodeFailedPrecondition, amqprpc.CodeOutOfRange, amqprpc.CodeUnimplemented,
		amqprpc.CodeInternal, amqprpc.CodeDataLoss, amqprpc.CodeUnauthenticated,
	} {
		for _, outcome := range []string{notSent, refused, executed, unknown} {
			rows = append(rows, row{outcome: outcome, code: code, hint: true, opt: idempotent, attempts: 1})
		}
	}
	for _, row := range rows {
		name := fmt.Sprintf("%s %s hint=%v idempotent=%v codes=%v", row.outcome, row.code, row.hint, row.opt != nil, row.codes)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failure := func() error {
				e := amqprpc.Errorf(row.code, "again")
				if row.hint {
					e = e.WithRetryAfter(time.Millisecond)
				}
				return e
			}
			harness.Serve(t, url, func(s *amqprpc.Server) {
				var mws []amqprpc.Middleware
				if row.outcome == refused {
					mws = append(mws, refuse(failure))
				}
				amqprpc.Register(s, name, func(context.Context, int) (int, error) {
					if row.outcome == executed {
						return 0, failure()
					}
					return 1, nil
				}, amqprpc.WithMiddleware(mws...))
			})
			attempts := 0
			inner := func(next amqprpc.Invoker) amqprpc.Invoker {
				return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
					attempts++
					if row.outcome != notSent {
						resp, err := next(ctx, req)
						require.Equal(t, attempts, req.Attempt())
						if row.outcome != unknown {
							return resp, err
						}
					}
					return nil, failure()
				}
			}
			opts := []amqprpc.CallOption{amqprpc.WithMiddleware(quick(middleware.WithRetryCodes(row.codes...)), inner)}
			if row.opt != nil {
				opts = append(opts, row.opt)
			}
			_, err := amqprpc.Call[int, int](harness.Context(t), harness.Dial(t, url), name, 1, opts...)
			require.ErrorIs(t, err, row.code)
			require.Equal(t, row.outcome, amqprpc.OutcomeOf(err).String())
			require.Equal(t, row.attempts, attempts)
		})
	}
}

// A retry is another attempt at the same call, with the same ID. Notifications are retried,
// too.
func TestRetrySucceeds(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	type seen struct {
		id      string
		attempt int
	}
	requests := make(chan seen, 10)
	var calls atomic.Int64
	harness.Serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", func(ctx context.Context, n int) (int, error) { return n * n, nil },
			amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker {
				return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
					requests <- seen{req.ID(), req.Attempt()}
					if req.Attempt() < 3 {
						return nil, amqprpc.CodeUnavailable
					}
					calls.Add(1)
					return next(ctx, req)
				}
			}))
	})
	type retried struct {
		code  amqprpc.Code
		pause time.Duration
	}
	var observed []retried
	cli := harness.Dial(t, url, amqprpc.WithMiddleware(quick(middleware.WithRetryObserver(
		func(_ context.Context, req *amqprpc.Request, err error, pause time.Duration) {
			require.Contains(t, []string{"q", "nobody"}, req.Queue())
			observed = append(observed, retried{amqprpc.CodeOf(err), pause})
		}))))
	got, err := amqprpc.Call[int, int](harness.Context(t), cli, "q", 3)
	require.NoError(t, err)
	require.Equal(t, 9, got)
	a, b, c := <-requests, <-requests, <-requests
	require.Equal(t, []int{1, 2, 3}, []int{a.attempt, b.attempt, c.attempt})
	require.Equal(t, a.id, b.id)
	require.Equal(t, a.id, c.id)
	require.Len(t, observed, 2)
	for _, o := range observed {
		require.Equal(t, amqprpc.CodeUnavailable, o.code)
		require.LessOrEqual(t, o.pause, time.Millisecond)
	}

	// The broker returns a notification that no queue takes: not executed.
	attempts := 0
	count := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			attempts++
			return next(ctx, req)
		}
	}
	err = amqprpc.Notify(harness.Context(t), cli, "nobody", 3, amqprpc.WithMiddleware(count))
	require.ErrorIs(t, err, amqprpc.CodeUnavailable)
	require.Equal(t, 3, attempts)
}

// The pauses are random up to a bound that doubles, after the time that the error names.
func TestRetryPauses(t *testing.T) {
	t.Parallel()
	var hint time.Duration
	harness.InVirtualTime(t, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", square, amqprpc.WithMiddleware(refuse(func() error {
			return amqprpc.Errorf(amqprpc.CodeUnavailable, "again").WithRetryAfter(hint)
		})))
	}, func(t *testing.T, cli *amqprpc.Client) {
		var pauses []time.Duration
		retry := middleware.Retry(middleware.WithRetryAttempts(6), middleware.WithRetryPauses(time.Second, 5*time.Second),
			middleware.WithRetryBudget(0, 0),
			middleware.WithRetryObserver(func(_ context.Context, _ *amqprpc.Request, _ error, pause time.Duration) {
				pauses = append(pauses, pause)
			}))
		bounds := []time.Duration{1, 2, 4, 5, 5}
		sums := make([]time.Duration, len(bounds))
		const calls = 200
		for _, hint = range []time.Duration{0, 10 * time.Second} {
			clear(sums)
			for range calls {
				pauses = nil
				began := time.Now()
				_, err := amqprpc.Call[int, int](context.Background(), cli, "q", 1,
					amqprpc.WithMiddleware(retry), amqprpc.WithTimeout(time.Hour))
				require.ErrorIs(t, err, amqprpc.CodeUnavailable)
				require.Len(t, pauses, len(bounds))
				total := time.Duration(0)
				for i, p := range pauses {
					require.GreaterOrEqual(t, p, hint)
					require.LessOrEqual(t, p, hint+bounds[i]*time.Second+1)
					sums[i] += p - hint
					total += p
				}
				require.GreaterOrEqual(t, time.Since(began), total, "the pauses were made")
			}
			for i, sum := range sums {
				require.InDelta(t, 0.5, (sum/calls).Seconds()/float64(bounds[i]), 0.15, "the mean is half of the bound")
			}
		}
	})
}

// No attempt is made that cannot end before the deadline: the call ends with what it has.
func TestRetryEndsBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	harness.InVirtualTime(t, func(s *amqprpc.Server) {
		amqprpc.Register(s, "far", square, amqprpc.WithMiddleware(refuse(func() error {
			return amqprpc.Errorf(amqprpc.CodeUnavailable, "come tomorrow").WithRetryAfter(time.Hour)
		})))
		amqprpc.Register(s, "slow", square, amqprpc.WithMiddleware(refuse(func() error {
			time.Sleep(6 * time.Second)
			return amqprpc.CodeUnavailable
		})))
	}, func(t *testing.T, cli *amqprpc.Client) {
		for _, queue := range []string{"far", "slow"} {
			began := time.Now()
			_, err := amqprpc.Call[int, int](context.Background(), cli, queue, 1,
				amqprpc.WithMiddleware(quick()), amqprpc.WithTimeout(10*time.Second))
			require.ErrorIs(t, err, amqprpc.CodeUnavailable)
			require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
			require.Less(t, time.Since(began), 7*time.Second)
		}
	})
}

// A caller that gives up ends the pause.
func TestRetryIsGivenUp(t *testing.T) {
	t.Parallel()
	harness.InVirtualTime(t, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", square, amqprpc.WithMiddleware(refuse(func() error {
			return amqprpc.Errorf(amqprpc.CodeUnavailable, "later").WithRetryAfter(time.Hour)
		})))
	}, func(t *testing.T, cli *amqprpc.Client) {
		ctx, cancel := context.WithCancel(context.Background())
		f := amqprpc.Go[int, int](ctx, cli, "q", 1, amqprpc.WithTimeout(2*time.Hour), amqprpc.WithMiddleware(middleware.Retry()))
		time.Sleep(time.Second)
		began := time.Now()
		cancel()
		_, err := f.Await(context.Background())
		require.ErrorIs(t, err, amqprpc.CodeUnavailable)
		require.Less(t, time.Since(began), time.Second)

		f = amqprpc.Go[int, int](context.Background(), cli, "q", 1, amqprpc.WithTimeout(2*time.Hour), amqprpc.WithMiddleware(middleware.Retry()))
		time.Sleep(time.Second)
		require.NoError(t, cli.Close())
		_, err = f.Await(context.Background())
		require.Error(t, err)
		require.Less(t, time.Since(began), time.Minute)
	})
}

// An attempt has a limit of its own. Only a call that may run twice is made again after it.
func TestRetryAttemptTimeout(t *testing.T) {
	t.Parallel()
	var ran atomic.Int64
	harness.InVirtualTime(t, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", func(ctx context.Context, n int) (int, error) {
			ran.Add(1)
			if r, _ := amqprpc.RequestFromContext(ctx); r.Attempt() < 3 {
				<-ctx.Done()
				return 0, ctx.Err()
			}
			return n * n, nil
		})
	}, func(t *testing.T, cli *amqprpc.Client) {
		limited := amqprpc.WithMiddleware(quick(middleware.WithAttemptTimeout(time.Second)))
		_, err := amqprpc.Call[int, int](context.Background(), cli, "q", 3, limited)
		require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded)
		require.EqualValues(t, 1, ran.Load())
		began := time.Now()
		got, err := amqprpc.Call[int, int](context.Background(), cli, "q", 3, limited, amqprpc.WithIdempotent())
		require.NoError(t, err)
		require.Equal(t, 9, got)
		require.EqualValues(t, 4, ran.Load())
		require.InDelta(t, 2, time.Since(began).Seconds(), 0.5)
	})
}

// With half of its tokens or less, a queue's failures are not retried. Successes give tokens
// back. Other queues have their own.
func TestRetryBudget(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	var down atomic.Bool
	var attempts atomic.Int64
	harness.Serve(t, url, func(s *amqprpc.Server) {
		for _, queue := range []string{"a", "b"} {
			amqprpc.Register(s, queue, square, amqprpc.WithMiddleware(refuse(func() error {
				attempts.Add(1)
				if down.Load() {
					return amqprpc.CodeUnavailable
				}
				return nil
			})))
		}
	})
	cli := harness.Dial(t, url, amqprpc.WithMiddleware(quick(middleware.WithRetryBudget(10, 0.5))))
	call := func(queue string) int64 {
		before := attempts.Load()
		amqprpc.Call[int, int](harness.Context(t), cli, queue, 1)
		return attempts.Load() - before
	}
	down.Store(true)
	require.EqualValues(t, 3, call("a")) // leaves 7
	require.EqualValues(t, 2, call("a")) // leaves 5
	require.EqualValues(t, 1, call("a"))
	require.EqualValues(t, 3, call("b"))
	down.Store(false)
	for range 6 { // from 4 to 7
		require.EqualValues(t, 1, call("a"))
	}
	down.Store(true)
	require.EqualValues(t, 2, call("a"))
	down.Store(false)
	for range 30 {
		call("a")
	}
	down.Store(true)
	require.EqualValues(t, 3, call("a"), "the budget is full again, and no fuller")
	require.EqualValues(t, 2, call("a"))
}

// Of several Retry in a chain, the innermost retries. The calls of a retry are not retried.
func TestRetryDoesNotMultiply(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	var attempts atomic.Int64
	harness.Serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", square, amqprpc.WithMiddleware(refuse(func() error {
			attempts.Add(1)
			return amqprpc.CodeUnavailable
		})))
	})
	cli := harness.Dial(t, url, amqprpc.WithMiddleware(quick(middleware.WithRetryAttempts(5))))
	for want, mws := range map[int64][]amqprpc.Middleware{
		5: nil,
		2: {quick(middleware.WithRetryAttempts(4)), quick(middleware.WithRetryAttempts(2))},
		1: {middleware.Retry(middleware.WithRetryAttempts(1))},
	} {
		attempts.Store(0)
		_, err := amqprpc.Call[int, int](harness.Context(t), cli, "q", 1, amqprpc.WithMiddleware(mws...))
		require.ErrorIs(t, err, amqprpc.CodeUnavailable)
		require.Equal(t, want, attempts.Load())
	}

	// Each attempt asks another service first, with the same client.
	attempts.Store(0)
	outer := 0
	asks := func(amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			outer++
			_, err := amqprpc.Call[int, int](ctx, cli, "q", 1)
			return nil, amqprpc.NewError(amqprpc.CodeUnavailable, err)
		}
	}
	_, err := amqprpc.Call[int, int](harness.Context(t), cli, "q", 1, amqprpc.WithMiddleware(asks))
	require.ErrorIs(t, err, amqprpc.CodeUnavailable)
	require.Equal(t, 5, outer)
	require.EqualValues(t, 5+4, attempts.Load(), "five for the first attempt, one for each retry")
}

// On a server, and on nothing that fails, Retry changes nothing.
func TestRetryOnServer(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	var runs atomic.Int64
	harness.Serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", func(context.Context, int) (int, error) {
			runs.Add(1)
			return 0, amqprpc.CodeUnavailable
		}, amqprpc.WithMiddleware(quick(middleware.WithRetryCodes(amqprpc.CodeUnavailable))))
	})
	_, err := amqprpc.Call[int, int](harness.Context(t), harness.Dial(t, url), "q", 1)
	require.ErrorIs(t, err, amqprpc.CodeUnavailable)
	require.EqualValues(t, 1, runs.Load())
}

// One Retry serves many calls at once.
func TestRetryConcurrently(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	var n atomic.Int64
	harness.Serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", square, amqprpc.WithMiddleware(refuse(func() error {
			if n.Add(1)%3 == 0 {
				return amqprpc.CodeUnavailable
			}
			return nil
		})))
	})
	cli := harness.Dial(t, url, amqprpc.WithMiddleware(quick(middleware.WithRetryAttempts(20), middleware.WithRetryBudget(1000, 1))))
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

func square(_ context.Context, n int) (int, error) { return n * n, nil }
