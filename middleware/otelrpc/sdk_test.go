package otelrpc_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	api "go.opentelemetry.io/otel/trace"

	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
	"github.com/bbebcec1/amqprpc-go/middleware/otelrpc"
)

// sdk is OpenTelemetry of one process, in memory.
type sdk struct {
	spans   *tracetest.InMemoryExporter
	tracers *trace.TracerProvider
	reader  *metric.ManualReader
	meters  *metric.MeterProvider
}

func newSDK(t testing.TB) *sdk {
	s := &sdk{spans: tracetest.NewInMemoryExporter(), reader: metric.NewManualReader()}
	s.tracers = trace.NewTracerProvider(trace.WithSyncer(s.spans))
	s.meters = metric.NewMeterProvider(metric.WithReader(s.reader))
	t.Cleanup(func() {
		require.NoError(t, s.tracers.Shutdown(context.Background()))
		require.NoError(t, s.meters.Shutdown(context.Background()))
	})
	return s
}

// options connects the middleware to the SDK.
func (s *sdk) options(more ...otelrpc.Option) []otelrpc.Option {
	return append([]otelrpc.Option{
		otelrpc.WithTracerProvider(s.tracers),
		otelrpc.WithMeterProvider(s.meters),
		otelrpc.WithPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})),
	}, more...)
}

// take waits for n ended spans and forgets them.
func (s *sdk) take(t *testing.T, n int) tracetest.SpanStubs {
	t.Helper()
	require.Eventually(t, func() bool { return len(s.spans.GetSpans()) >= n }, harness.Patience, time.Millisecond, "no %d spans", n)
	all := s.spans.GetSpans()
	s.spans.Reset()
	require.Len(t, all, n)
	return all
}

// kind returns the one span of a kind.
func kind(t *testing.T, all tracetest.SpanStubs, k api.SpanKind) tracetest.SpanStub {
	t.Helper()
	var found tracetest.SpanStubs
	for _, s := range all {
		if s.SpanKind == k {
			found = append(found, s)
		}
	}
	require.Len(t, found, 1, "spans of kind %v", k)
	return found[0]
}

// values returns attributes as a map.
func values(attrs []attribute.KeyValue) map[string]any {
	m := make(map[string]any, len(attrs))
	for _, a := range attrs {
		m[string(a.Key)] = a.Value.AsInterface()
	}
	return m
}

// histogram returns the data points of a histogram, none if there is no such metric.
func (s *sdk) histogram(t *testing.T, name string) []metricdata.HistogramDataPoint[float64] {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, s.reader.Collect(harness.Context(t), &all))
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name == name {
				require.Equal(t, "s", m.Unit)
				require.NotEmpty(t, m.Description)
				return m.Data.(metricdata.Histogram[float64]).DataPoints
			}
		}
	}
	return nil
}

// counts returns how many values a histogram has, by their attributes.
func (s *sdk) counts(t *testing.T, name string) map[string]uint64 {
	t.Helper()
	m := make(map[string]uint64)
	for _, p := range s.histogram(t, name) {
		m[p.Attributes.Encoded(attribute.DefaultEncoder())] = p.Count
	}
	return m
}
