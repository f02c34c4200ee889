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

// The benchmarks here measure what middleware adds to a call that succeeds. The step that it
// wraps returns at once: neither broker nor codec is measured. docs/performance.md has a table:
//
//	go test -run '^$' -bench Price -benchmem ./middleware

func BenchmarkPriceOfRetry(b *testing.B) {
	price(b, middleware.Retry())
}

// While a queue has failed lately, its successes give back tokens.
func BenchmarkPriceOfRetryAfterFailures(b *testing.B) {
	mw := middleware.Retry(middleware.WithRetryBudget(1<<30, 1e-9), middleware.WithRetryAttempts(2), middleware.WithRetryPauses(1, 1))
	failed := false
	fail := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			if !failed {
				failed = true
				return nil, amqprpc.CodeUnavailable
			}
			return next(ctx, req)
		}
	}
	price(b, mw, fail)
}

// price measures the middleware inside a call, without the rest of the call.
func price(b *testing.B, mws ...amqprpc.Middleware) {
	priceOf(b, func(measure amqprpc.Middleware) {
		cli := harness.Dial(b, amqptest.Start(b).URL(), amqprpc.WithLogger(nil))
		_, err := amqprpc.Call[int, int](context.Background(), cli, "q", 1, amqprpc.WithIdempotent(), amqprpc.WithMiddleware(measure))
		require.NoError(b, err)
	}, mws)
}

// priceOf has run make one request pass through middleware, and measures how long further
// requests take through mws.
func priceOf(b *testing.B, run func(measure amqprpc.Middleware), mws []amqprpc.Middleware) {
	answer := amqprpc.NewResponse(1)
	var invoke amqprpc.Invoker = func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) { return answer, nil }
	for i := len(mws) - 1; i >= 0; i-- {
		invoke = mws[i](invoke)
	}
	run(func(amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			resp, err := invoke(ctx, req)
			b.ReportAllocs()
			for b.Loop() {
				if resp, err = invoke(ctx, req); err != nil {
					break
				}
			}
			return resp, err
		}
	})
}

// The budget is used up, or the latency is not known yet.
func BenchmarkPriceOfHedgeWithoutBudget(b *testing.B) {
	price(b, middleware.Hedge(middleware.WithHedgeBudget(1e-12)))
}

// A second attempt is prepared, and not made. Each of these calls is a call of its own that
// middleware answers: the price is the difference.
func BenchmarkPriceOfHedge(b *testing.B) {
	hedge := middleware.Hedge(middleware.WithHedgeDelay(time.Minute), middleware.WithHedgeBudget(1))
	answer := func(amqprpc.Invoker) amqprpc.Invoker {
		return func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) { return amqprpc.NewResponse(1), nil }
	}
	for name, mws := range map[string][]amqprpc.Middleware{"without": {answer}, "with": {hedge, answer}} {
		b.Run(name, func(b *testing.B) {
			cli := harness.Dial(b, amqptest.Start(b).URL(), amqprpc.WithMiddleware(mws...))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := amqprpc.Call[int, int](context.Background(), cli, "q", 1, amqprpc.WithIdempotent()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPriceOfRateLimit(b *testing.B) {
	price(b, middleware.RateLimit(1e12, 1e9))
}

func BenchmarkPriceOfConcurrencyLimit(b *testing.B) {
	price(b, middleware.ConcurrencyLimit(10))
}
