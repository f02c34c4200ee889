package otelrpc_test

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/middleware/otelrpc"
)

// The guide's page on observability shows the body of this function.
func _(ctx context.Context, url string, tracers trace.TracerProvider) (*amqprpc.Server, *amqprpc.Client, error) {
	otel.SetTracerProvider(tracers) // your exporter and your sampler
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	srv := amqprpc.NewServer(url, amqprpc.WithMiddleware(otelrpc.Middleware()))
	cli, err := amqprpc.Dial(ctx, url, amqprpc.WithMiddleware(otelrpc.Middleware()))
	return srv, cli, err
}
