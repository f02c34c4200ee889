package promrpc_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/middleware/promrpc"
)

// onClient runs f as a client's middleware once a call has succeeded.
func onClient(tb testing.TB, f func(context.Context, *amqprpc.Request)) {
	tb.Helper()
	url := startBroker(tb)
	startServer(tb, url, func(s *amqprpc.Server) { amqprpc.Register(s, "q", answer) })
	_, err := amqprpc.Call[string, string](testContext(tb), dial(tb, url), "q", "",
		amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker {
			return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
				resp, err := next(ctx, req)
				f(ctx, req)
				return resp, err
			}
		}))
	require.NoError(tb, err)
}

// Measuring a call without an exemplar costs no allocation. The test does not run in
// parallel, because it counts allocations.
func TestObserveAllocations(t *testing.T) {
	failure := amqprpc.Errorf(amqprpc.CodeNotFound, "no")
	m := promrpc.New(promrpc.WithTraceID(func(context.Context) string { return "" }))
	onClient(t, func(ctx context.Context, req *amqprpc.Request) {
		require.Zero(t, testing.AllocsPerRun(1000, func() {
			m.Observe(ctx, req, nil, time.Millisecond)
			m.Observe(ctx, req, failure, time.Millisecond)
		}))
	})
}

// The price of measuring a call: 100 ns at most.
func BenchmarkObserve(b *testing.B) {
	for _, bench := range []struct {
		name string
		opts []promrpc.Option
	}{
		{"default", nil},
		{"native buckets only", []promrpc.Option{promrpc.WithBuckets(nil)}},
		{"exemplar", []promrpc.Option{promrpc.WithTraceID(func(context.Context) string { return "4bf92f3577b34da6a3ce929d0e0e4736" })}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			m := promrpc.New(bench.opts...)
			onClient(b, func(ctx context.Context, req *amqprpc.Request) {
				b.ReportAllocs()
				for b.Loop() {
					m.Observe(ctx, req, nil, 1234*time.Microsecond)
				}
			})
		})
	}
}

// The price of the middleware for a call, on client and server together.
func BenchmarkMiddleware(b *testing.B) {
	for _, name := range []string{"without", "with"} {
		b.Run(name, func(b *testing.B) {
			mw := amqprpc.WithMiddleware()
			if name == "with" {
				mw = amqprpc.WithMiddleware(promrpc.New().Middleware)
			}
			url := startBroker(b)
			startServer(b, url, func(s *amqprpc.Server) { amqprpc.Register(s, "q", answer) }, mw)
			cli := dial(b, url, mw)
			b.ReportAllocs()
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := amqprpc.Call[string, string](context.Background(), cli, "q", ""); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
