// Package interop_test compares the metrics of promrpc with those that OpenTelemetry's
// exporter for Prometheus makes of otelrpc's.
package interop_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
	"github.com/bbebcec1/amqprpc-go/middleware/otelrpc"
	"github.com/bbebcec1/amqprpc-go/middleware/promrpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// series returns the series of all histograms: name, labels that are not empty, bounds of the
// classic buckets, and how many values there are.
func series(t *testing.T, reg *prometheus.Registry) map[string]uint64 {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	all := make(map[string]uint64)
	for _, f := range families {
		if f.GetType() != dto.MetricType_HISTOGRAM {
			continue
		}
		for _, m := range f.GetMetric() {
			labels := make(map[string]string)
			for _, l := range m.GetLabel() {
				// The exporter adds labels of its own, which queries need not name.
				if l.GetValue() != "" && !strings.HasPrefix(l.GetName(), "otel_scope_") {
					labels[l.GetName()] = l.GetValue()
				}
			}
			var key strings.Builder
			key.WriteString(f.GetName())
			for _, name := range slices.Sorted(maps.Keys(labels)) {
				key.WriteString(" " + name + "=" + labels[name])
			}
			for _, b := range m.GetHistogram().GetBucket() {
				key.WriteString(" " + time.Duration(b.GetUpperBound()*1e9).String())
			}
			key.WriteString(" " + f.GetHelp())
			all[key.String()] = m.GetHistogram().GetSampleCount()
		}
	}
	return all
}

// The same calls make the same series in both modules.
func TestSameSeries(t *testing.T) {
	t.Parallel()
	ctx := harness.Context(t)
	prom, otel := prometheus.NewPedanticRegistry(), prometheus.NewPedanticRegistry()
	metrics := promrpc.New()
	require.NoError(t, prom.Register(metrics))
	reader, err := exporter.New(exporter.WithRegisterer(otel))
	require.NoError(t, err)
	meters := metric.NewMeterProvider(metric.WithReader(reader))
	defer func() { require.NoError(t, meters.Shutdown(context.Background())) }()
	both := amqprpc.WithMiddleware(metrics.Middleware,
		otelrpc.Middleware(otelrpc.WithMeterProvider(meters), otelrpc.WithTracerProvider(noop.NewTracerProvider())))

	url := amqptest.Start(t).URL()
	stop := harness.Serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, "orders", func(_ context.Context, code amqprpc.Code) (string, error) {
			if code != amqprpc.CodeOK {
				return "", amqprpc.Errorf(code, "as asked")
			}
			return "fine", nil
		})
	}, both)
	cli := harness.Dial(t, url, both)
	for _, code := range []amqprpc.Code{amqprpc.CodeOK, amqprpc.CodeOK, amqprpc.CodeNotFound, amqprpc.CodeInternal} {
		_, _ = amqprpc.Call[amqprpc.Code, string](ctx, cli, "orders", code)
	}
	_, _ = amqprpc.Call[amqprpc.Code, string](ctx, cli, "nobody", amqprpc.CodeOK)
	require.NoError(t, amqprpc.Notify(ctx, cli, "orders", amqprpc.CodeOK))
	stop()

	want := series(t, prom)
	require.Len(t, want, 5+4+1)
	require.Equal(t, want, series(t, otel))
}
