package otelrpc

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// scope is the name of the instrumentation.
const scope = "github.com/bbebcec1/amqprpc-go/middleware/otelrpc"

// Middleware traces and measures each call and notification, on servers and on clients. Any
// number of them may share one value.
//
// It changes nothing about a call, except that a client sends the fields of the propagator
// among the request's metadata. They count towards the limit of the metadata, which is about
// 7.5 kB.
func Middleware(opts ...Option) amqprpc.Middleware {
	c := newConfig(opts)
	_, off := c.tracers.(noop.TracerProvider)
	i := &instrumentation{
		off:        off,
		tracer:     c.tracers.Tracer(scope, trace.WithSchemaURL(schemaURL)),
		propagator: c.propagator,
		metrics:    newMetrics(c.meters, c.methods),
	}
	return i.wrap
}

// instrumentation is what all calls of a middleware share.
type instrumentation struct {
	off        bool // there are no traces
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
	metrics    *metrics
}

func (i *instrumentation) wrap(next amqprpc.Invoker) amqprpc.Invoker {
	return func(ctx context.Context, req *amqprpc.Request) (_ *amqprpc.Response, err error) {
		ctx, span := i.begin(ctx, req)
		start := time.Now()
		returned := false
		defer func() {
			if !returned { // a panic, for which the caller will get this code
				err = amqprpc.Errorf(amqprpc.CodeInternal, "panic")
			}
			i.end(ctx, span, req, err, start)
		}()
		resp, err := next(ctx, req)
		returned = true
		return resp, err
	}
}

// end measures a request that ended with err, and ends its span.
func (i *instrumentation) end(ctx context.Context, span trace.Span, req *amqprpc.Request, err error, start time.Time) {
	end := time.Now()
	recording := span.IsRecording()
	defer func() {
		recover()      // the text of an error may panic, which must not become the result here
		if recording { // otherwise the option would cost something for nothing
			span.End(trace.WithTimestamp(end))
		} else {
			span.End()
		}
	}()
	labels := i.metrics.record(ctx, req, err, end.Sub(start))
	if recording {
		i.attempts(ctx, req, err, start, end)
		finish(span, req, err, labels)
	}
}
