package promrpc_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
	"github.com/bbebcec1/amqprpc-go/middleware/promrpc"
)

// Measuring a call without an exemplar costs no allocation. The test does not run in
// parallel, because it counts allocations.
func TestObserveAllocations(t *testing.T) {
	failure := amqprpc.Errorf(amqprpc.CodeNotFound, "no")
	m := promrpc.New(promrpc.WithTraceID(func(context.Context) string { return "" }))
	harness.Inside(t, amqptest.Start(t).URL(), "q", "client", func(ctx context.Context, req *amqprpc.Request) {
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
			harness.Inside(b, amqptest.Start(b).URL(), "q", "client", func(ctx context.Context, req *amqprpc.Request) {
				b.ReportAllocs()
				for b.Loop() {
					m.Observe(ctx, req, nil, 1234*time.Microsecond)
				}
			})
		})
	}
}

// The price of the middleware itself, on each side: two readings of the clock more.
func BenchmarkMiddleware(b *testing.B) {
	done := amqprpc.NewResponse("fine")
	for _, side := range []string{"client", "server"} {
		b.Run(side, func(b *testing.B) {
			invoke := promrpc.New().Middleware(func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) { return done, nil })
			harness.Inside(b, amqptest.Start(b).URL(), "q", side, func(ctx context.Context, req *amqprpc.Request) {
				b.ReportAllocs()
				for b.Loop() {
					_, _ = invoke(ctx, req)
				}
			})
		})
	}
}
