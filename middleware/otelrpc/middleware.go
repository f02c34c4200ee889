package otelrpc

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/middleware"
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
	observed := middleware.Observe(i.end)(next)
	return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
		return observed(i.begin(ctx, req), req)
	}
}

// end measures a request that ended with err, and ends the span in ctx, which is that of begin.
func (i *instrumentation) end(ctx context.Context, req *amqprpc.Request, _ *amqprpc.Response, err error, took time.Duration) {
	end := time.Now()
	var span trace.Span = noop.Span{} // the span in ctx is somebody else's
	if !i.off {
		span = trace.SpanFromContext(ctx)
	}
	recording := span.IsRecording()
	defer func() {
		recover()      // the text of an error may panic, which must not become the result here
		if recording { // otherwise the option would cost something for nothing
			span.End(trace.WithTimestamp(end))
		} else {
			span.End()
		}
	}()
	labels := i.metrics.record(ctx, req, err, took)
	if recording {
		i.attempts(ctx, req, err, end.Add(-took), end)
		finish(span, req, err, labels)
	}
}
