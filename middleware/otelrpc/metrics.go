package otelrpc

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/middleware"
)

// metrics are the instruments, with the attributes of all calls so far.
type metrics struct {
	client, server, queue metric.Float64Histogram
	attributes            *middleware.LabelCache[*attributes]
}

// attributes are the labels of some calls, as instruments take them.
type attributes struct {
	labels middleware.Labels
	call   []metric.RecordOption
	queue  []metric.RecordOption
}

func newMetrics(p metric.MeterProvider, methods []string) *metrics {
	meter := p.Meter(scope, metric.WithSchemaURL(schemaURL))
	histogram := func(name, description string) metric.Float64Histogram {
		h, err := meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description),
			metric.WithExplicitBucketBoundaries(buckets()...))
		if err != nil {
			otel.Handle(err)
			return noop.Float64Histogram{}
		}
		return h
	}
	return &metrics{
		client:     histogram(clientDuration, "Measures the duration of an outgoing Remote Procedure Call (RPC)."),
		server:     histogram(serverDuration, "Measures the duration of an incoming Remote Procedure Call (RPC)."),
		queue:      histogram(queueDuration, "Measures the time that a request was in its queue before it reached the server."),
		attributes: middleware.NewLabelCache(newAttributes, methods...),
	}
}

func newAttributes(l middleware.Labels) *attributes {
	method := []attribute.KeyValue{keySystem.String(systemName), keyMethod.String(l.Method)}
	call := append(method[:len(method):len(method)], keyKind.String(l.Kind.String()), keyStatusCode.String(l.Code.String()))
	if l.ErrorType != "" {
		call = append(call, keyErrorType.String(l.ErrorType))
	}
	if l.Outcome != "" {
		call = append(call, keyOutcome.String(l.Outcome))
	}
	options := func(attrs []attribute.KeyValue) []metric.RecordOption {
		return []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(attrs...))}
	}
	return &attributes{labels: l, call: options(call), queue: options(method)}
}

// record measures a request that ended with err, and returns its labels.
func (m *metrics) record(ctx context.Context, req *amqprpc.Request, err error, took time.Duration) middleware.Labels {
	a := m.attributes.Get(req, err)
	if req.IsClient() {
		m.client.Record(ctx, took.Seconds(), a.call...)
		return a.labels
	}
	m.server.Record(ctx, took.Seconds(), a.call...)
	if waited, ok := req.QueueTime(); ok {
		m.queue.Record(ctx, waited.Seconds(), a.queue...)
	}
	return a.labels
}
