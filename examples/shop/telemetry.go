package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/middleware/otelrpc"
	"github.com/bbebcec1/amqprpc-go/middleware/promrpc"
)

// telemetry is what one service reports: spans to a collector, metrics to Prometheus.
type telemetry struct {
	traces   *sdktrace.TracerProvider
	tracing  amqprpc.Middleware
	registry *prometheus.Registry
	calls    *promrpc.Metrics
	retries  *prometheus.CounterVec
	hedges   *prometheus.CounterVec
	breakers *prometheus.GaugeVec
}

func newTelemetry(spans sdktrace.SpanExporter, name, instance string) telemetry {
	traces := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(resource.NewSchemaless(
		attribute.String("service.name", name), attribute.String("service.instance.id", instance))))
	t := telemetry{
		traces: traces,
		// Prometheus has the metrics, so that OpenTelemetry has only traces.
		tracing: otelrpc.Middleware(
			otelrpc.WithTracerProvider(traces),
			otelrpc.WithMeterProvider(metricnoop.NewMeterProvider()),
			otelrpc.WithPropagator(propagation.TraceContext{}),
		),
		registry: prometheus.NewRegistry(),
		calls:    promrpc.New(promrpc.WithTraceID(otelrpc.TraceID)),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shop_retries_total", Help: "Attempts that Retry made, by the error before.",
		}, []string{"rpc_method", "rpc_status_code"}),
		hedges: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shop_hedges_total", Help: "Calls that Hedge attempted twice, by the attempt that won.",
		}, []string{"rpc_method", "winner"}),
		breakers: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "shop_breaker_state", Help: "0 if the circuit breaker is closed, 1 half open, 2 open.",
		}, []string{"rpc_method"}),
	}
	t.registry.MustRegister(t.calls, t.retries, t.hedges, t.breakers)
	return t
}
