package promrpc

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/middleware"
)

// Metrics measures calls. Its histograms, in seconds, are:
//
//   - rpc_client_call_duration_seconds and rpc_server_call_duration_seconds: how long each
//     call or notification took
//   - amqprpc_server_queue_duration_seconds: how long requests were in the queue before they
//     reached the server, as far as [amqprpc.Request.QueueTime] knows it
//
// The labels of the first two are rpc_method (the queue), rpc_status_code, error_type,
// amqprpc_kind and amqprpc_outcome. All have rpc_system_name. They have the buckets that
// OpenTelemetry advises, and native buckets as well.
//
// Metrics implements [prometheus.Collector]. One value serves any number of servers and
// clients. It is safe for concurrent use.
type Metrics struct {
	client, server, queue *prometheus.MetricVec // of histograms
	observers             *middleware.LabelCache[*observers]
	traceID               func(context.Context) string
}

// observers are the histograms of some labels.
type observers struct {
	call  *histogram
	queue *histogram // nil on clients
}

// Option changes what [New] makes.
type Option func(*config)

type config struct {
	buckets []float64
	methods []string
	traceID func(context.Context) string
}

// WithBuckets sets the upper bounds of the classic buckets, in seconds. Nil leaves only the
// native ones, which cost fewer series. New panics if the bounds do not increase.
func WithBuckets(bounds []float64) Option {
	return func(c *config) { c.buckets = bounds }
}

// WithMethods names queues whose calls have their own name in a client's metrics from the
// beginning. Calls to any other queue count as _OTHER until the queue is known to exist: see
// [middleware.NewLabelCache].
func WithMethods(queues ...string) Option {
	return func(c *config) { c.methods = append(c.methods, queues...) }
}

// WithTraceID adds exemplars, which lead from a bucket to the trace of a call in it. f
// returns the ID of the trace in the context of a call, or "" if the call has none;
// otelrpc.TraceID is such a function. The exemplar's label is trace_id. Put the middleware
// inside of the one that traces. IDs of more than 120 bytes, and those that are not UTF-8, are
// ignored.
func WithTraceID(f func(context.Context) string) Option {
	return func(c *config) { c.traceID = f }
}

// New makes metrics, for a registry to collect and for servers and clients to fill.
func New(opts ...Option) *Metrics {
	c := &config{buckets: []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}}
	for _, o := range opts {
		o(c)
	}
	scale := newScale(c.buckets)
	calls := []string{"rpc_method", "amqprpc_kind", "rpc_status_code", "error_type", "amqprpc_outcome"}
	m := &Metrics{
		client: newHistograms(scale, "rpc_client_call_duration_seconds",
			"Measures the duration of an outgoing Remote Procedure Call (RPC).", calls...),
		server: newHistograms(scale, "rpc_server_call_duration_seconds",
			"Measures the duration of an incoming Remote Procedure Call (RPC).", calls...),
		queue: newHistograms(scale, "amqprpc_server_queue_duration_seconds",
			"Measures the time that a request was in its queue before it reached the server.", "rpc_method"),
		traceID: c.traceID,
	}
	m.observers = middleware.NewLabelCache(m.observersOf, c.methods...)
	return m
}

func (m *Metrics) observersOf(l middleware.Labels) *observers {
	vec := m.server
	if l.Client {
		vec = m.client
	}
	o := &observers{call: with(vec, l.Method, l.Kind.String(), l.Code.String(), l.ErrorType, l.Outcome)}
	if !l.Client {
		o.queue = with(m.queue, l.Method)
	}
	return o
}

// with returns the histogram with these values of the labels.
func with(vec *prometheus.MetricVec, values ...string) *histogram {
	h, err := vec.GetMetricWithLabelValues(values...)
	if err != nil {
		panic(err)
	}
	return h.(*histogram)
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	m.client.Describe(ch)
	m.server.Describe(ch)
	m.queue.Describe(ch)
}

// Collect implements [prometheus.Collector].
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.client.Collect(ch)
	m.server.Collect(ch)
	m.queue.Collect(ch)
}

// Middleware is an [amqprpc.Middleware] that measures each call and notification, on servers
// and on clients. Put it outside of middleware that refuses, repeats or answers calls.
func (m *Metrics) Middleware(next amqprpc.Invoker) amqprpc.Invoker {
	return middleware.Observe(m.observe)(next)
}

func (m *Metrics) observe(ctx context.Context, req *amqprpc.Request, _ *amqprpc.Response, err error, took time.Duration) {
	o := m.observers.Get(req, err)
	traceID := ""
	if m.traceID != nil {
		traceID = m.traceID(ctx)
	}
	o.call.observe(took, traceID)
	if o.queue != nil {
		if waited, ok := req.QueueTime(); ok {
			o.queue.observe(waited, traceID)
		}
	}
}
