package otelrpc

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// LogAttrs returns trace_id and span_id of the span in ctx, or nothing if there is none. It
// is made for middleware.WithLogContext, and for handlers' own lines:
//
//	middleware.Logging(logger, middleware.WithLogContext(otelrpc.LogAttrs))
func LogAttrs(ctx context.Context) []slog.Attr {
	s := trace.SpanContextFromContext(ctx)
	if !s.IsValid() {
		return nil
	}
	return []slog.Attr{
		slog.String("trace_id", s.TraceID().String()),
		slog.String("span_id", s.SpanID().String()),
	}
}

// TraceID returns the ID of the trace in ctx, or "" if there is none or if it is not sampled,
// so that nobody could find it. It is made for promrpc.WithTraceID, which links exemplars to
// their traces.
func TraceID(ctx context.Context) string {
	s := trace.SpanContextFromContext(ctx)
	if !s.IsValid() || !s.IsSampled() {
		return ""
	}
	return s.TraceID().String()
}
