// Package promrpc gives Prometheus the metrics of calls, and the counters and the state of
// servers and clients.
//
//	metrics := promrpc.New()
//	prometheus.MustRegister(metrics)
//	srv := amqprpc.NewServer(url, amqprpc.WithMiddleware(metrics.Middleware))
//	prometheus.MustRegister(promrpc.NewServerCollector(srv))
//
// [Metrics] has the durations of calls, by method and code. Names and labels are those that
// OpenTelemetry's exporter for Prometheus makes of the metrics of the module otelrpc, so that
// one dashboard serves both. Use one of the two for metrics.
//
// [NewServerCollector] and [NewClientCollector] export Stats and Status.
//
// The folder grafana has a dashboard, and the folder alerts has alert rules.
package promrpc
