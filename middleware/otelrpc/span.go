package otelrpc

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/middleware"
)

// The options of Start that are always the same.
var (
	asClient   = trace.WithSpanKind(trace.SpanKindClient)
	asServer   = trace.WithSpanKind(trace.SpanKindServer)
	asProducer = trace.WithSpanKind(trace.SpanKindProducer)
	asConsumer = trace.WithSpanKind(trace.SpanKindConsumer)
)

// begin starts the span of a request, and returns a context with it. On a client it puts the span's context into the
// request's metadata; on a server the span continues what it finds there.
func (i *instrumentation) begin(ctx context.Context, req *amqprpc.Request) context.Context {
	switch {
	case i.off:
		return ctx
	case req.IsClient():
		return i.beginClient(ctx, req)
	default:
		return i.beginServer(ctx, req)
	}
}

func (i *instrumentation) beginClient(ctx context.Context, req *amqprpc.Request) context.Context {
	name, kind, attrs := req.Queue(), asClient, commonAttributes(req, 2)
	if req.Kind() == amqprpc.KindNotification {
		name, kind = "send "+name, asProducer
		attrs = append(attrs, keyOperationName.String("send"), keyOperationType.String("send"))
	}
	ctx, _ = i.tracer.Start(ctx, name, kind, trace.WithAttributes(attrs...))
	i.propagator.Inject(ctx, propagation.MapCarrier(req.Header()))
	return ctx
}

func (i *instrumentation) beginServer(ctx context.Context, req *amqprpc.Request) context.Context {
	ctx = i.propagator.Extract(ctx, propagation.MapCarrier(req.Header()))
	name, kind, attrs := req.Queue(), asServer, commonAttributes(req, 6)
	if id := req.CorrelationID(); id != "" {
		attrs = append(attrs, keyConversationID.String(id))
	}
	if n := req.Attempt(); n > 1 {
		attrs = append(attrs, keyAttempt.Int(n))
	}
	if req.Redelivered() {
		attrs = append(attrs, keyRedelivered.Bool(true))
	}
	if waited, ok := req.QueueTime(); ok {
		attrs = append(attrs, keyQueueTime.Float64(waited.Seconds()))
	}
	if req.Kind() != amqprpc.KindNotification {
		ctx, _ = i.tracer.Start(ctx, name, kind, trace.WithAttributes(attrs...))
		return ctx
	}
	name, kind = "process "+name, asConsumer
	attrs = append(attrs, keyOperationName.String("process"), keyOperationType.String("process"))
	opts := []trace.SpanStartOption{kind, trace.WithAttributes(attrs...)}
	if sender := trace.SpanContextFromContext(ctx); sender.IsValid() {
		opts = append(opts, trace.WithLinks(trace.Link{SpanContext: sender}))
	}
	ctx, _ = i.tracer.Start(ctx, name, opts...)
	return ctx
}

// commonAttributes are those of both sides that are known at the beginning, with room for
// some more.
func commonAttributes(req *amqprpc.Request, more int) []attribute.KeyValue {
	attrs := make([]attribute.KeyValue, 6, 6+more)
	attrs[0] = keySystem.String(systemName)
	attrs[1] = keyMethod.String(req.Queue())
	attrs[2] = keyKind.String(req.Kind().String())
	attrs[3] = keyMessagingSystem.String(messagingSystem)
	attrs[4] = keyDestination.String(req.Queue())
	attrs[5] = keyMessageID.String(req.ID())
	return attrs
}

// finish adds to a span what is known at its end.
func finish(span trace.Span, req *amqprpc.Request, err error, l middleware.Labels) {
	attrs := make([]attribute.KeyValue, 0, 4)
	attrs = append(attrs, keyStatusCode.String(l.Code.String()))
	if l.Outcome != "" {
		attrs = append(attrs, keyOutcome.String(l.Outcome))
	}
	if l.ErrorType != "" {
		attrs = append(attrs, keyErrorType.String(l.ErrorType))
	}
	if id := req.CorrelationID(); req.IsClient() && id != "" {
		attrs = append(attrs, keyConversationID.String(id))
	}
	span.SetAttributes(attrs...)
	if l.ErrorType != "" {
		span.SetStatus(codes.Error, err.Error())
	}
}

// attempts adds a child span for each attempt at a call, if there was more than one. The
// client makes some attempts by itself while next runs, so that the spans are made at the
// end of the call. The servers' spans are children of the call's span: all attempts that
// the client makes by itself carry the same metadata.
func (i *instrumentation) attempts(ctx context.Context, req *amqprpc.Request, err error, start, end time.Time) {
	all := req.Attempts()
	if len(all) < 2 {
		return
	}
	open := 0 // neither failed nor made again
	for _, a := range all {
		if a.End.IsZero() {
			open++
		}
	}
	name := "attempt " + req.Queue()
	for _, a := range all {
		if a.Start.IsZero() {
			a.Start = start
		}
		answered := a.End.IsZero() && open == 1 && err == nil
		if a.End.IsZero() {
			a.End = end
		}
		attrs := []attribute.KeyValue{keySystem.String(systemName), keyMethod.String(req.Queue()), keyAttempt.Int(a.Number)}
		if a.Resent {
			attrs = append(attrs, keyResent.Bool(true))
		}
		_, span := i.tracer.Start(ctx, name, trace.WithTimestamp(a.Start), trace.WithAttributes(attrs...))
		switch {
		case a.Err != nil:
			code := amqprpc.CodeOf(a.Err).String()
			span.SetAttributes(keyStatusCode.String(code), keyErrorType.String(code),
				keyOutcome.String(amqprpc.OutcomeOf(a.Err).String()))
			span.SetStatus(codes.Error, a.Err.Error())
		case answered:
			span.SetAttributes(keyStatusCode.String(amqprpc.CodeOK.String()))
		default: // the client sent the request again without an answer to this attempt
			span.SetAttributes(keyOutcome.String(amqprpc.OutcomeUnknown.String()))
		}
		span.End(trace.WithTimestamp(a.End))
	}
}
