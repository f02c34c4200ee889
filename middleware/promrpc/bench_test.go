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

// Measuring a call without an exemplar costs no allocation, and an exemplar costs one. The test
// does not run in parallel, because it counts allocations.
func TestAllocations(t *testing.T) {
	failure := amqprpc.Errorf(amqprpc.CodeNotFound, "no")
	done := amqprpc.NewResponse("fine")
	traceID := ""
	m := promrpc.New(promrpc.WithTraceID(func(context.Context) string { return traceID }))
	invoke := m.Middleware(func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) { return done, nil })
	for _, side := range []string{"client", "server"} {
		harness.Inside(t, amqptest.Start(t).URL(), "q", side, func(ctx context.Context, req *amqprpc.Request) {
			traceID = ""
			require.Zero(t, testing.AllocsPerRun(1000, func() {
				_, _ = invoke(ctx, req)
				m.Observe(ctx, req, failure, time.Millisecond)
			}), side)
			traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
			histograms := 1.0
			if _, ok := req.QueueTime(); ok {
				histograms = 2
			}
			require.InDelta(t, histograms, testing.AllocsPerRun(1000, func() { _, _ = invoke(ctx, req) }), 0, side)
		})
	}
}

// The price of measuring a call, without the clock.
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

// The price of the middleware itself, on each side: two readings of the clock more. It is to be
// 100 ns at most without exemplars.
func BenchmarkMiddleware(b *testing.B) {
	done := amqprpc.NewResponse("fine")
	traced := promrpc.WithTraceID(func(context.Context) string { return "4bf92f3577b34da6a3ce929d0e0e4736" })
	for _, bench := range []struct {
		name, side string
		opts       []promrpc.Option
	}{
		{"client", "client", nil},
		{"server", "server", nil},
		{"client with exemplars", "client", []promrpc.Option{traced}},
		{"server with exemplars", "server", []promrpc.Option{traced}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			invoke := promrpc.New(bench.opts...).Middleware(func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) { return done, nil })
			harness.Inside(b, amqptest.Start(b).URL(), "q", bench.side, func(ctx context.Context, req *amqprpc.Request) {
				b.ReportAllocs()
				for b.Loop() {
					_, _ = invoke(ctx, req)
				}
			})
		})
	}
}
