package otelrpc

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Recorder returns what the middleware measures a request with.
func Recorder(p metric.MeterProvider) func(context.Context, *amqprpc.Request, error) {
	m := newMetrics(p, nil)
	return func(ctx context.Context, req *amqprpc.Request, err error) { m.record(ctx, req, err, time.Millisecond) }
}
