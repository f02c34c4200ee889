package otelrpc_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/middleware/otelrpc"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	for range 3 {
		require.NoError(t, p.call(t, ""))
	}
	require.Error(t, p.call(t, "not_found"))
	require.Error(t, p.call(t, "of_its_own"))
	require.NoError(t, amqprpc.Notify(testContext(t), p.cli, p.queue, ""))
	_, err := amqprpc.Call[string, string](testContext(t), p.cli, p.queue+".nobody", "")
	require.Error(t, err)
	p.stop()

	q := "rpc.method=" + p.queue + ",rpc.status_code="
	require.Equal(t, map[string]uint64{
		"amqprpc.kind=unary," + q + "ok,rpc.system.name=amqprpc":                                                                                       3,
		"amqprpc.kind=unary,amqprpc.outcome=executed,error.type=not_found," + q + "not_found,rpc.system.name=amqprpc":                                  1,
		"amqprpc.kind=unary,amqprpc.outcome=executed,error.type=unknown," + q + "unknown,rpc.system.name=amqprpc":                                      1,
		"amqprpc.kind=notification," + q + "ok,rpc.system.name=amqprpc":                                                                                1,
		"amqprpc.kind=unary,amqprpc.outcome=not-executed,error.type=unavailable,rpc.method=_OTHER,rpc.status_code=unavailable,rpc.system.name=amqprpc": 1,
	}, p.client.counts(t, "rpc.client.call.duration"))
	require.Equal(t, map[string]uint64{
		"amqprpc.kind=unary," + q + "ok,rpc.system.name=amqprpc":                         3,
		"amqprpc.kind=unary," + q + "not_found,rpc.system.name=amqprpc":                  1,
		"amqprpc.kind=unary,error.type=unknown," + q + "unknown,rpc.system.name=amqprpc": 1,
		"amqprpc.kind=notification," + q + "ok,rpc.system.name=amqprpc":                  1,
	}, p.server.counts(t, "rpc.server.call.duration"))
	require.Equal(t, map[string]uint64{"rpc.method=" + p.queue + ",rpc.system.name=amqprpc": 5},
		p.server.counts(t, "amqprpc.server.queue.duration"), "a notification does not tell")
	require.Nil(t, p.client.histogram(t, "rpc.server.call.duration"))

	for _, point := range append(p.client.histogram(t, "rpc.client.call.duration"), p.server.histogram(t, "rpc.server.call.duration")...) {
		require.Equal(t, []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}, point.Bounds)
		require.Positive(t, point.Sum)
		require.Less(t, point.Sum, patience.Seconds())
	}
}

// WithMethods lets a queue that nobody serves have its name.
func TestWithMethods(t *testing.T) {
	t.Parallel()
	client, queue := newSDK(t), queueName(t, ".nobody")
	cli := dial(t, brokerURL(t), amqprpc.WithMiddleware(otelrpc.Middleware(client.options(otelrpc.WithMethods(queue))...)))
	_, err := amqprpc.Call[string, string](testContext(t), cli, queue, "")
	require.Error(t, err)
	points := client.histogram(t, "rpc.client.call.duration")
	require.Len(t, points, 1)
	method, _ := points[0].Attributes.Value("rpc.method")
	require.Equal(t, queue, method.AsString())
}

// The duration of a call is that of its span, and an exemplar leads from one to the other.
func TestDurationAndExemplar(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	require.NoError(t, p.call(t, ""))
	for _, side := range []struct {
		sdk    *sdk
		metric string
	}{{p.client, "rpc.client.call.duration"}, {p.server, "rpc.server.call.duration"}} {
		span := side.sdk.take(t, 1)[0]
		var points []metricdata.HistogramDataPoint[float64]
		require.Eventually(t, func() bool { points = side.sdk.histogram(t, side.metric); return len(points) == 1 }, patience, time.Millisecond)
		require.InDelta(t, span.EndTime.Sub(span.StartTime).Seconds(), points[0].Sum, 1e-3)
		require.Len(t, points[0].Exemplars, 1)
		id := span.SpanContext.TraceID()
		require.Equal(t, id[:], points[0].Exemplars[0].TraceID)
	}
}

// onClient runs f as a client's middleware once a call has succeeded.
func onClient(tb testing.TB, f func(context.Context, *amqprpc.Request)) {
	tb.Helper()
	url, queue := brokerURL(tb), queueName(tb, "")
	startServer(tb, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, answer) })
	_, err := amqprpc.Call[string, string](testContext(tb), dial(tb, url), queue, "",
		amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker {
			return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
				resp, err := next(ctx, req)
				f(ctx, req)
				return resp, err
			}
		}))
	require.NoError(tb, err)
}

// Measuring a call costs no allocation, whether it is sampled or not, and whether it failed
// or not. The test does not run in parallel, because it counts allocations.
func TestRecordAllocations(t *testing.T) {
	s := newSDK(t)
	failure := amqprpc.Errorf(amqprpc.CodeNotFound, "no")
	sampled := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled})
	onClient(t, func(ctx context.Context, req *amqprpc.Request) {
		record := otelrpc.Recorder(s.meters)
		for name, ctx := range map[string]context.Context{
			"without a trace": ctx,
			"in a trace":      trace.ContextWithSpanContext(ctx, sampled),
		} {
			require.Zero(t, testing.AllocsPerRun(1000, func() {
				record(ctx, req, nil)
				record(ctx, req, failure)
			}), name)
		}
	})
}

// The price of measuring a call, and of the labels.
func BenchmarkRecord(b *testing.B) {
	s := newSDK(b)
	onClient(b, func(ctx context.Context, req *amqprpc.Request) {
		record := otelrpc.Recorder(s.meters)
		b.ReportAllocs()
		for b.Loop() {
			record(ctx, req, nil)
		}
	})
}

// sampling returns a provider whose spans are dropped when they end.
func sampling(s sdktrace.Sampler) trace.TracerProvider {
	return sdktrace.NewTracerProvider(sdktrace.WithSampler(s))
}

// The price of the middleware for a call, on client and server together.
func BenchmarkMiddleware(b *testing.B) {
	for _, bench := range []struct {
		name string
		opts func(*sdk) []otelrpc.Option
	}{
		{"without", nil},
		{"metrics", func(s *sdk) []otelrpc.Option { return s.options(otelrpc.WithTracerProvider(noop.NewTracerProvider())) }},
		{"metrics and traces, not sampled", func(s *sdk) []otelrpc.Option {
			return s.options(otelrpc.WithTracerProvider(sampling(sdktrace.NeverSample())))
		}},
		{"metrics and traces", func(s *sdk) []otelrpc.Option {
			return s.options(otelrpc.WithTracerProvider(sampling(sdktrace.AlwaysSample())))
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			url, queue := brokerURL(b), "bench"
			mw := amqprpc.WithMiddleware()
			if bench.opts != nil {
				mw = amqprpc.WithMiddleware(otelrpc.Middleware(bench.opts(newSDK(b))...))
			}
			startServer(b, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, answer) }, mw)
			cli := dial(b, url, mw)
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
}
