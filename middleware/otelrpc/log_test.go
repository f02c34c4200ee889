package otelrpc_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/bbebcec1/amqprpc-go/middleware/otelrpc"
)

func TestLogAttrsAndTraceID(t *testing.T) {
	t.Parallel()
	span := trace.SpanContextConfig{TraceID: trace.TraceID{0xab, 15: 1}, SpanID: trace.SpanID{0xcd, 7: 2}}
	with := func(flags trace.TraceFlags) context.Context {
		span.TraceFlags = flags
		return trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(span))
	}
	const id = "ab000000000000000000000000000001"
	attrs := []slog.Attr{slog.String("trace_id", id), slog.String("span_id", "cd00000000000002")}

	require.Equal(t, attrs, otelrpc.LogAttrs(with(0)), "a line leads to a trace even if this service does not sample it")
	require.Equal(t, attrs, otelrpc.LogAttrs(with(trace.FlagsSampled)))
	require.Empty(t, otelrpc.LogAttrs(context.Background()))

	require.Equal(t, id, otelrpc.TraceID(with(trace.FlagsSampled)))
	require.Empty(t, otelrpc.TraceID(with(0)), "nobody would find the trace")
	require.Empty(t, otelrpc.TraceID(context.Background()))
}
