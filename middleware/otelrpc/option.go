package otelrpc

import (
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Option changes what [Middleware] does.
type Option func(*config)

type config struct {
	tracers    trace.TracerProvider
	meters     metric.MeterProvider
	propagator propagation.TextMapPropagator
	methods    []string
}

func newConfig(opts []Option) *config {
	c := &config{}
	for _, o := range opts {
		o(c)
	}
	if c.tracers == nil {
		c.tracers = otel.GetTracerProvider()
	}
	if c.meters == nil {
		c.meters = otel.GetMeterProvider()
	}
	if c.propagator == nil {
		c.propagator = otel.GetTextMapPropagator()
	}
	return c
}

// WithTracerProvider sets where spans go. The default is the global provider. The provider of
// the package trace/noop turns traces off: no context travels, and metrics alone cost less.
func WithTracerProvider(p trace.TracerProvider) Option {
	return func(c *config) { c.tracers = p }
}

// WithMeterProvider sets where metrics go. The default is the global provider. The provider
// of the package metric/noop turns metrics off.
func WithMeterProvider(p metric.MeterProvider) Option {
	return func(c *config) { c.meters = p }
}

// WithPropagator sets how the context travels in the headers of requests. The default is the
// global propagator. OpenTelemetry's own default for that one propagates nothing: set it with
// otel.SetTextMapPropagator, or use this option with propagation.TraceContext.
func WithPropagator(p propagation.TextMapPropagator) Option {
	return func(c *config) { c.propagator = p }
}

// WithMethods names queues whose calls have their own name in a client's metrics from the
// beginning. Calls to any other queue count as _OTHER until the queue is known to exist: see
// [middleware.NewLabelCache].
//
// [middleware.NewLabelCache]: https://pkg.go.dev/github.com/bbebcec1/amqprpc-go/middleware#NewLabelCache
func WithMethods(queues ...string) Option {
	return func(c *config) { c.methods = append(c.methods, queues...) }
}
