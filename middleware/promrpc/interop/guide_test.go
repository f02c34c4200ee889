package interop_test

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/middleware"
	"github.com/bbebcec1/amqprpc-go/middleware/otelrpc"
	"github.com/bbebcec1/amqprpc-go/middleware/promrpc"
)

// The guide's page on observability shows parts of this function.
func _(ctx context.Context, url string, logger *slog.Logger) error {
	metrics := promrpc.New(promrpc.WithTraceID(otelrpc.TraceID))
	prometheus.MustRegister(metrics)
	observed := amqprpc.WithMiddleware(
		otelrpc.Middleware(otelrpc.WithMeterProvider(noop.NewMeterProvider())), // Prometheus has the metrics
		metrics.Middleware,
		middleware.Logging(logger, middleware.WithLogContext(otelrpc.LogAttrs)),
	)
	srv := amqprpc.NewServer(url, observed)
	cli, err := amqprpc.Dial(ctx, url, observed)

	prometheus.MustRegister(promrpc.NewServerCollector(srv), promrpc.NewClientCollector(cli))
	http.Handle("/metrics", promhttp.HandlerFor(prometheus.DefaultGatherer, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	return err
}
