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

// inside runs f in the middleware of a client or of a server, once a call has succeeded.
func inside(tb testing.TB, side string, f func(context.Context, *amqprpc.Request)) {
	tb.Helper()
	url := amqptest.Start(tb).URL()
	mw := amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			resp, err := next(ctx, req)
			f(ctx, req)
			return resp, err
		}
	})
	var onServer []amqprpc.ServerOption
	var onCall []amqprpc.CallOption
	if side == "server" {
		onServer = append(onServer, mw)
	} else {
		onCall = append(onCall, mw)
	}
	harness.Serve(tb, url, func(s *amqprpc.Server) { amqprpc.Register(s, "q", answer) }, onServer...)
	_, err := amqprpc.Call[string, string](harness.Context(tb), harness.Dial(tb, url), "q", "", onCall...)
	require.NoError(tb, err)
}

// Measuring a call without an exemplar costs no allocation. The test does not run in
// parallel, because it counts allocations.
func TestObserveAllocations(t *testing.T) {
	failure := amqprpc.Errorf(amqprpc.CodeNotFound, "no")
	m := promrpc.New(promrpc.WithTraceID(func(context.Context) string { return "" }))
	inside(t, "client", func(ctx context.Context, req *amqprpc.Request) {
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
			inside(b, "client", func(ctx context.Context, req *amqprpc.Request) {
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
			inside(b, side, func(ctx context.Context, req *amqprpc.Request) {
				b.ReportAllocs()
				for b.Loop() {
					_, _ = invoke(ctx, req)
				}
			})
		})
	}
}
