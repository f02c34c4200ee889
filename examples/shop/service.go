package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/compress"
	"github.com/bbebcec1/amqprpc-go/compress/zstd"
	"github.com/bbebcec1/amqprpc-go/middleware/idempotency"
	"github.com/bbebcec1/amqprpc-go/middleware/promrpc"
)

// Platform is what all services share.
type Platform struct {
	Config
	Logs    slog.Handler          // to stderr, in JSON, in production
	Spans   sdktrace.SpanExporter // otlptracegrpc, in production
	Answers idempotency.Store     // redisstore, in production: all servers of a queue need one store
	Login   *Login
}

// Service is one process: it serves queues, and calls other services.
type Service struct {
	Server *amqprpc.Server
	Client *amqprpc.Client
	Log    *slog.Logger

	platform *Platform
	token    func(context.Context) (string, error)
	telemetry
	http     *http.Server
	listener net.Listener
	listened chan error
}

// zstandard is for calls between the services. It is safe for concurrent use.
var zstandard = zstd.New(0)

// Spec is how the services differ.
type Spec struct {
	Name, Instance string
	Token          func(context.Context) (string, error) // for calls of other services
	Limits         Limits                                // of callers
	Encoding       compress.Encoding                     // of requests to other services
	Conn           []amqprpc.ConnOption                  // of the connections to the broker
}

// NewService makes an instance of a service. Start it with Run, or end it with Close.
func (p *Platform) NewService(spec Spec) (*Service, error) {
	s := &Service{
		Log: slog.New(p.Logs).With("service", spec.Instance), platform: p, token: spec.Token,
		telemetry: newTelemetry(p.Spans, spec.Name, spec.Instance), listened: make(chan error, 1),
	}
	server := []amqprpc.ServerOption{
		amqprpc.WithLogger(s.Log), amqprpc.WithConnectionName(spec.Instance),
		amqprpc.WithDrainTimeout(p.DrainTimeout),
		amqprpc.WithAcceptedEncodings(zstandard, compress.Gzip{}),
		amqprpc.WithMinCompressSize(p.CompressFrom),
		s.serverChain(spec.Limits),
	}
	client := []amqprpc.ClientOption{
		amqprpc.WithLogger(s.Log), amqprpc.WithConnectionName(spec.Instance + " client"),
		amqprpc.WithTimeout(p.CallTimeout),
		amqprpc.WithFailFast(),   // a queue that nobody serves is an error now, and not a timeout later
		amqprpc.WithIdempotent(), // all handlers of the shop are
		amqprpc.WithCompression(spec.Encoding),
		amqprpc.WithMinCompressSize(p.CompressFrom),
		s.clientChain(),
	}
	for _, o := range spec.Conn {
		server, client = append(server, o), append(client, o)
	}
	s.Server = amqprpc.NewServer(p.URL, server...)
	var err error
	// NewClient does not wait for the broker, so that services may start in any order.
	if s.Client, err = amqprpc.NewClient(p.URL, client...); err != nil {
		return nil, errors.Join(err, s.traces.Shutdown(context.Background()))
	}
	s.registry.MustRegister(promrpc.NewServerCollector(s.Server), promrpc.NewClientCollector(s.Client))
	if s.listener, err = net.Listen("tcp", p.MetricsAddr); err != nil {
		return nil, errors.Join(err, s.Client.Close(), s.traces.Shutdown(context.Background()))
	}
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: p.CloseTimeout}
	go func() { s.listened <- s.http.Serve(s.listener) }()
	return s, nil
}

// routes are what Prometheus and the platform's probe ask for.
func (s *Service) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) {
		if err := s.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	return mux
}

// Ready returns nil if the service takes and answers requests, and can call other services.
func (s *Service) Ready() error {
	return errors.Join(s.Server.Status().Err(), s.Client.Status().Err())
}

// Run serves until ctx ends. It then answers the requests that the server has, and closes the
// service.
func (s *Service) Run(ctx context.Context) error {
	err := s.Server.Serve(ctx)
	// Only now: until it has drained, handlers make calls and spans.
	return errors.Join(err, s.Close())
}

// Close ends a service that does not serve any more.
func (s *Service) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.platform.CloseTimeout)
	defer cancel()
	err := errors.Join(s.Client.Close(), s.traces.Shutdown(ctx), s.http.Shutdown(ctx))
	if e := <-s.listened; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// queue is the queue of each handler. Expires makes the broker delete it when the example is
// over; leave it out in production.
func queue() amqprpc.HandlerOption {
	return amqprpc.WithQueue(amqprpc.Queue{Expires: exampleExpires})
}
