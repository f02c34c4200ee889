package otelrpc_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
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
	require.NoError(t, amqprpc.Notify(harness.Context(t), p.cli, p.queue, ""))
	_, err := amqprpc.Call[string, string](harness.Context(t), p.cli, p.queue+".nobody", "")
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
		require.Less(t, point.Sum, harness.Patience.Seconds())
	}
}

// WithMethods lets a queue that nobody serves have its name.
func TestWithMethods(t *testing.T) {
	t.Parallel()
	client, queue := newSDK(t), queueName(t, ".nobody")
	cli := harness.Dial(t, brokerURL(t), amqprpc.WithMiddleware(otelrpc.Middleware(client.options(otelrpc.WithMethods(queue))...)))
	_, err := amqprpc.Call[string, string](harness.Context(t), cli, queue, "")
	require.Error(t, err)
	points := client.histogram(t, "rpc.client.call.duration")
	require.Len(t, points, 1)
	method, _ := points[0].Attributes.Value("rpc.method")
	require.Equal(t, queue, method.AsString())
}

// The duration of a call is within that of its span, and an exemplar leads from one to the
// other.
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
		require.Eventually(t, func() bool { points = side.sdk.histogram(t, side.metric); return len(points) == 1 }, harness.Patience, time.Millisecond)
		require.Positive(t, points[0].Sum)
		require.LessOrEqual(t, points[0].Sum, span.EndTime.Sub(span.StartTime).Seconds(), "the span begins first, and both end together")
		require.Len(t, points[0].Exemplars, 1)
		id := span.SpanContext.TraceID()
		require.Equal(t, id[:], points[0].Exemplars[0].TraceID)
	}
}

// Measuring a call costs no allocation, whether it is sampled or not, and whether it failed
// or not. The test does not run in parallel, because it counts allocations.
func TestRecordAllocations(t *testing.T) {
	s := newSDK(t)
	failure := amqprpc.Errorf(amqprpc.CodeNotFound, "no")
	sampled := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled})
	harness.Inside(t, brokerURL(t), queueName(t, ""), "client", func(ctx context.Context, req *amqprpc.Request) {
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
