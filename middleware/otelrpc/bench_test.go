package otelrpc_test

import (
	"context"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
	"github.com/bbebcec1/amqprpc-go/middleware/otelrpc"
)

// sampling returns a provider whose spans are dropped when they end.
func sampling(s sdktrace.Sampler) trace.TracerProvider {
	return sdktrace.NewTracerProvider(sdktrace.WithSampler(s))
}

// setups are ways to use the middleware.
var setups = []struct {
	name   string
	traces trace.TracerProvider
}{
	{"metrics", noop.NewTracerProvider()},
	{"metrics and traces, not sampled", sampling(sdktrace.NeverSample())},
	{"metrics and traces", sampling(sdktrace.AlwaysSample())},
}

// The price of measuring a call.
func BenchmarkRecord(b *testing.B) {
	s := newSDK(b)
	harness.Inside(b, brokerURL(b), queueName(b, ""), "client", func(ctx context.Context, req *amqprpc.Request) {
		record := otelrpc.Recorder(s.meters)
		b.ReportAllocs()
		for b.Loop() {
			record(ctx, req, nil)
		}
	})
}

// The price of the middleware itself, on each side.
func BenchmarkMiddleware(b *testing.B) {
	done := amqprpc.NewResponse("fine")
	for _, side := range []string{"client", "server"} {
		for _, setup := range setups {
			b.Run(side+"/"+setup.name, func(b *testing.B) {
				invoke := otelrpc.Middleware(newSDK(b).options(otelrpc.WithTracerProvider(setup.traces))...)(
					func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) { return done, nil })
				harness.Inside(b, brokerURL(b), queueName(b, ""), side, func(ctx context.Context, req *amqprpc.Request) {
					b.ReportAllocs()
					for b.Loop() {
						_, _ = invoke(ctx, req)
					}
				})
			})
		}
	}
}

// The price for whole calls, with the middleware on both sides.
func BenchmarkCall(b *testing.B) {
	run := func(name string, mw amqprpc.MiddlewareOption) {
		b.Run(name, func(b *testing.B) {
			url, queue := brokerURL(b), "bench"
			harness.Serve(b, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, answer) }, mw)
			cli := harness.Dial(b, url, mw)
			b.ReportAllocs()
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := amqprpc.Call[string, string](context.Background(), cli, queue, ""); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
	run("without", amqprpc.WithMiddleware())
	for _, setup := range setups {
		run(setup.name, amqprpc.WithMiddleware(otelrpc.Middleware(newSDK(b).options(otelrpc.WithTracerProvider(setup.traces))...)))
	}
}
