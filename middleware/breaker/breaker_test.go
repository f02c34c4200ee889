package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/middleware"
	"github.com/bbebcec1/amqprpc-go/middleware/breaker"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
)

// failing is a server's handler that fails with a code while it has one.
type failing struct {
	code atomic.Value
	ran  atomic.Int64
}

func (f *failing) handle(_ context.Context, n int) (int, error) {
	f.ran.Add(1)
	if code, _ := f.code.Load().(amqprpc.Code); code != "" {
		return 0, code
	}
	return n, nil
}

func (f *failing) fail(code amqprpc.Code) { f.code.Store(code) }

// A breaker opens, fails calls at once, lets one pass to find out, and closes.
func TestBreaker(t *testing.T) {
	t.Parallel()
	var f, other failing
	harness.InVirtualTime(t, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", f.handle)
		amqprpc.Register(s, "other", other.handle)
	}, func(t *testing.T, cli *amqprpc.Client) {
		var changes []string
		b := breaker.New(breaker.WithFailureRatio(0.5, 4), breaker.WithOpenFor(3*time.Second),
			breaker.WithObserver(func(queue string, from, to breaker.State) {
				changes = append(changes, fmt.Sprint(queue, " ", from, " ", to))
			}))
		mw := amqprpc.WithMiddleware(b.Middleware())
		call := func(queue string) error {
			_, err := amqprpc.Call[int, int](context.Background(), cli, queue, 1, mw)
			return err
		}
		began := time.Now()
		require.NoError(t, call("q"))
		require.NoError(t, call("q"))
		require.NoError(t, call("other"))
		f.fail(amqprpc.CodeUnavailable)
		require.ErrorContains(t, call("q"), "q: unavailable: unavailable")
		require.ErrorContains(t, call("q"), "q: unavailable: unavailable")
		opened := time.Now()

		err := call("q")
		require.ErrorIs(t, err, amqprpc.CodeUnavailable)
		require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
		require.EqualError(t, err, fmt.Sprintf("q: unavailable: the circuit breaker is open since %s and until %s: too many calls have failed",
			opened.Format(time.RFC3339), opened.Add(3*time.Second).Format(time.RFC3339)))
		again, ok := amqprpc.RetryAfter(err)
		require.True(t, ok)
		require.Equal(t, 3*time.Second, again)
		require.EqualValues(t, 4, f.ran.Load(), "nothing was sent")
		require.NoError(t, call("other"), "a queue has a breaker of its own")
		status := b.Status()
		require.Len(t, status, 2)
		require.Equal(t, breaker.Status{Queue: "q", State: breaker.StateOpen, Since: opened, Until: opened.Add(3 * time.Second)}, status[1])
		require.Equal(t, "other", status[0].Queue)
		require.Equal(t, breaker.StateClosed, status[0].State)
		require.False(t, status[0].Since.Before(began))
		require.Equal(t, 2, status[0].Calls)
		require.Zero(t, status[0].Until)

		time.Sleep(3*time.Second + 1)
		require.Equal(t, breaker.StateHalfOpen, b.Status()[1].State)
		require.ErrorContains(t, call("q"), "q: unavailable: unavailable", "one passes")
		require.ErrorContains(t, call("q"), "the circuit breaker is open", "and it has failed")
		time.Sleep(3*time.Second + 1)
		f.fail("")
		require.NoError(t, call("q"))
		require.NoError(t, call("q"))
		require.Equal(t, breaker.StateClosed, b.Status()[1].State)
		require.Equal(t, []string{
			"q closed open", "q open half-open", "q half-open open", "q open half-open", "q half-open closed",
		}, changes)
	})
}

// Only errors that say that a queue is badly served open its breaker.
func TestFailures(t *testing.T) {
	t.Parallel()
	var f failing
	harness.InVirtualTime(t, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", f.handle)
	}, func(t *testing.T, cli *amqprpc.Client) {
		codes := map[amqprpc.Code]bool{
			amqprpc.CodeUnavailable: true, amqprpc.CodeDeadlineExceeded: true, amqprpc.CodeInternal: true, amqprpc.CodeDataLoss: true,
			amqprpc.CodeCanceled: false, amqprpc.CodeUnknown: false, amqprpc.CodeInvalidArgument: false, amqprpc.CodeNotFound: false,
			amqprpc.CodeAlreadyExists: false, amqprpc.CodePermissionDenied: false, amqprpc.CodeResourceExhausted: false,
			amqprpc.CodeFailedPrecondition: false, amqprpc.CodeAborted: false, amqprpc.CodeOutOfRange: false,
			amqprpc.CodeUnimplemented: false, amqprpc.CodeUnauthenticated: false,
		}
		opens := func(code amqprpc.Code, opts ...breaker.Option) bool {
			f.fail(code)
			b := breaker.New(append(opts, breaker.WithFailureRatio(0.5, 3))...)
			for range 3 {
				_, err := amqprpc.Call[int, int](context.Background(), cli, "q", 1, amqprpc.WithMiddleware(b.Middleware()))
				require.ErrorIs(t, err, code)
			}
			return b.Status()[0].State == breaker.StateOpen
		}
		require.Len(t, codes, 16)
		for code, want := range codes {
			require.Equal(t, want, opens(code), code)
		}
		own := breaker.WithFailure(func(err error) bool { return errors.Is(err, amqprpc.CodeUnknown) })
		require.True(t, opens(amqprpc.CodeUnknown, own))
		require.False(t, opens(amqprpc.CodeUnavailable, own))
	})
}

// Failures that are long ago do not count. Too few calls do not open a breaker.
func TestWindow(t *testing.T) {
	t.Parallel()
	var f failing
	harness.InVirtualTime(t, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", f.handle)
	}, func(t *testing.T, cli *amqprpc.Client) {
		b := breaker.New(breaker.WithFailureRatio(0.5, 5), breaker.WithWindow(10*time.Second))
		call := func() {
			amqprpc.Call[int, int](context.Background(), cli, "q", 1, amqprpc.WithMiddleware(b.Middleware()))
		}
		f.fail(amqprpc.CodeUnavailable)
		for range 4 {
			call()
		}
		require.Equal(t, breaker.StateClosed, b.Status()[0].State)
		require.Equal(t, 4, b.Status()[0].Failures)
		time.Sleep(12 * time.Second)
		for range 4 {
			call()
		}
		require.Equal(t, breaker.StateClosed, b.Status()[0].State, "the first four are forgotten")
		call()
		require.Equal(t, breaker.StateOpen, b.Status()[0].State)
	})
}

// A probe whose caller gives up, or whose middleware panics, does not keep the breaker half open.
func TestProbesThatEndStrangely(t *testing.T) {
	t.Parallel()
	var f failing
	harness.InVirtualTime(t, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", func(ctx context.Context, n int) (int, error) {
			if n < 0 {
				<-ctx.Done()
				return 0, ctx.Err()
			}
			return f.handle(ctx, n)
		})
	}, func(t *testing.T, cli *amqprpc.Client) {
		b := breaker.New(breaker.WithFailureRatio(0.5, 1), breaker.WithOpenFor(time.Second), breaker.WithProbes(2))
		state := func() breaker.State { return b.Status()[0].State }
		call := func(ctx context.Context, n int, inner ...amqprpc.Middleware) error {
			_, err := amqprpc.Call[int, int](ctx, cli, "q", n, amqprpc.WithMiddleware(append([]amqprpc.Middleware{b.Middleware()}, inner...)...))
			return err
		}
		f.fail(amqprpc.CodeUnavailable)
		require.Error(t, call(context.Background(), 1))
		require.Equal(t, breaker.StateOpen, state())
		time.Sleep(time.Second + 1)
		f.fail("")
		for range 5 {
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(time.Millisecond, cancel)
			require.ErrorIs(t, call(ctx, -1), amqprpc.CodeCanceled)
			require.Equal(t, breaker.StateHalfOpen, state())
		}
		explode := func(amqprpc.Invoker) amqprpc.Invoker {
			return func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) { panic("boom") }
		}
		require.ErrorIs(t, call(context.Background(), 1, explode), amqprpc.CodeInternal)
		require.Equal(t, breaker.StateOpen, state())
		time.Sleep(time.Second + 1)

		// Two may pass at once, and a third may not.
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				time.AfterFunc(30*time.Second, cancel)
				call(ctx, -1)
			})
		}
		time.Sleep(time.Second)
		err := call(context.Background(), 1)
		require.ErrorContains(t, err, "half open")
		require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
		wg.Wait()
		require.NoError(t, call(context.Background(), 1))
		require.NoError(t, call(context.Background(), 1))
		require.Equal(t, breaker.StateClosed, state())
	})
}

// Retry outside of a breaker waits until the breaker lets calls pass, or gives up at once.
func TestRetryOutside(t *testing.T) {
	t.Parallel()
	var f failing
	harness.InVirtualTime(t, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", f.handle)
	}, func(t *testing.T, cli *amqprpc.Client) {
		b := breaker.New(breaker.WithFailureRatio(0.5, 1), breaker.WithOpenFor(5*time.Second))
		mws := amqprpc.WithMiddleware(middleware.Retry(), b.Middleware())
		f.fail(amqprpc.CodeInternal)
		_, err := amqprpc.Call[int, int](context.Background(), cli, "q", 1, mws)
		require.ErrorIs(t, err, amqprpc.CodeInternal)
		f.fail("")
		began := time.Now()
		_, err = amqprpc.Call[int, int](context.Background(), cli, "q", 1, mws, amqprpc.WithTimeout(time.Second))
		require.ErrorIs(t, err, amqprpc.CodeUnavailable)
		require.Zero(t, time.Since(began), "it would be open for longer than the call lasts")
		_, err = amqprpc.Call[int, int](context.Background(), cli, "q", 1, mws)
		require.NoError(t, err)
		require.InDelta(t, 5, time.Since(began).Seconds(), 0.2)
	})
}

// The Breaker remembers a bounded number of queues, and serves many callers.
func TestManyQueues(t *testing.T) {
	t.Parallel()
	var f failing
	harness.InVirtualTime(t, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", f.handle, amqprpc.WithMiddleware(breaker.New().Middleware()))
	}, func(t *testing.T, cli *amqprpc.Client) {
		b := breaker.New(breaker.WithQueues(3))
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for n := range 20 {
					amqprpc.Call[int, int](context.Background(), cli, fmt.Sprint("q", (i+n)%5), 1, amqprpc.WithMiddleware(b.Middleware()))
					b.Status()
				}
			})
		}
		wg.Wait()
		require.Len(t, b.Status(), 3)
	})
}

// The price of a breaker is measured as in package middleware: of the middleware alone.
func BenchmarkPriceOfBreaker(b *testing.B) {
	answer := amqprpc.NewResponse(1)
	invoke := breaker.New().Middleware()(func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) { return answer, nil })
	measure := func(amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (resp *amqprpc.Response, err error) {
			b.ReportAllocs()
			for b.Loop() {
				resp, err = invoke(ctx, req)
			}
			return resp, err
		}
	}
	cli, err := amqprpc.NewClient("amqp://127.0.0.1:1", amqprpc.WithLogger(nil), amqprpc.WithMiddleware(measure))
	require.NoError(b, err)
	defer cli.Close()
	_, err = amqprpc.Call[int, int](context.Background(), cli, "q", 1)
	require.NoError(b, err)
}
