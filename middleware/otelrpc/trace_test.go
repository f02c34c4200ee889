package otelrpc_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
	"github.com/bbebcec1/amqprpc-go/middleware/otelrpc"
)

// answer is a handler that succeeds, or fails with the code that it is asked for.
func answer(_ context.Context, how string) (string, error) {
	switch how {
	case "":
		return "fine", nil
	case "panic":
		panic("as asked")
	case "bad text":
		return "", badText{}
	default:
		return "", amqprpc.Errorf(amqprpc.Code(how), "as asked")
	}
}

// badText is an error whose text cannot be read.
type badText struct{}

func (badText) Error() string { panic("no text") }

// pair is a server of one queue and a client, each with an SDK.
type pair struct {
	url, queue     string
	server, client *sdk
	stop           func()
	cli            *amqprpc.Client
}

func newPair(t *testing.T) *pair {
	p := &pair{url: brokerURL(t), queue: queueName(t, ""), server: newSDK(t), client: newSDK(t)}
	p.stop = harness.Serve(t, p.url, func(s *amqprpc.Server) { amqprpc.Register(s, p.queue, answer) },
		amqprpc.WithMiddleware(otelrpc.Middleware(p.server.options()...)))
	p.cli = harness.Dial(t, p.url, amqprpc.WithMiddleware(otelrpc.Middleware(p.client.options()...)))
	return p
}

func (p *pair) call(t *testing.T, how string, opts ...amqprpc.CallOption) error {
	_, err := amqprpc.Call[string, string](harness.Context(t), p.cli, p.queue, how, opts...)
	return err
}

// A call has one span on each side, in one trace.
func TestSpansOfACall(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	require.NoError(t, p.call(t, ""))
	client, server := p.client.take(t, 1)[0], p.server.take(t, 1)[0]

	require.Equal(t, p.queue, client.Name)
	require.Equal(t, p.queue, server.Name)
	require.Equal(t, trace.SpanKindClient, client.SpanKind)
	require.Equal(t, trace.SpanKindServer, server.SpanKind)
	require.False(t, client.Parent.IsValid())
	require.Equal(t, client.SpanContext.TraceID(), server.SpanContext.TraceID())
	require.Equal(t, client.SpanContext.SpanID(), server.Parent.SpanID())
	require.True(t, server.Parent.IsRemote())
	for _, s := range []tracetest.SpanStub{client, server} {
		require.Equal(t, codes.Unset, s.Status.Code)
		require.Equal(t, "https://opentelemetry.io/schemas/1.45.0", s.InstrumentationScope.SchemaURL)
		require.Empty(t, s.Events)
		require.Empty(t, s.Links)
		require.True(t, s.EndTime.After(s.StartTime))
	}

	c, s := values(client.Attributes), values(server.Attributes)
	require.NotEmpty(t, c["messaging.message.id"])
	require.NotEmpty(t, c["messaging.message.conversation_id"])
	require.Contains(t, s, "amqprpc.queue_time")
	delete(s, "amqprpc.queue_time")
	require.Equal(t, map[string]any{
		"rpc.system.name":                   "amqprpc",
		"rpc.method":                        p.queue,
		"rpc.status_code":                   "ok",
		"messaging.system":                  "rabbitmq",
		"messaging.destination.name":        p.queue,
		"messaging.message.id":              s["messaging.message.id"],
		"messaging.message.conversation_id": s["messaging.message.conversation_id"],
		"amqprpc.kind":                      "unary",
	}, c)
	require.Equal(t, c, s)
}

// The message IDs are the properties of the message, also where the caller chose one.
func TestSpansOfACallID(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	require.NoError(t, p.call(t, "", amqprpc.WithCallID("order-4711")))
	client, server := values(p.client.take(t, 1)[0].Attributes), values(p.server.take(t, 1)[0].Attributes)
	require.Equal(t, "order-4711", client["messaging.message.id"])
	require.Equal(t, "order-4711", server["messaging.message.id"])
	require.Equal(t, client["messaging.message.conversation_id"], server["messaging.message.conversation_id"])
	require.NotEqual(t, "order-4711", client["messaging.message.conversation_id"])
}

// On a client each error is a failure. On a server, only those are that are not the caller's.
func TestSpansOfErrors(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	for _, tt := range []struct {
		how, code string
		failure   bool
	}{
		{"not_found", "not_found", false},
		{"resource_exhausted", "resource_exhausted", false},
		{"unavailable", "unavailable", true},
		{"panic", "internal", true},
		{"of_its_own", "unknown", true},
		{"bad text", "internal", true},
	} {
		require.Error(t, p.call(t, tt.how))
		client, server := p.client.take(t, 1)[0], p.server.take(t, 1)[0]
		c, s := values(client.Attributes), values(server.Attributes)
		require.Equal(t, codes.Error, client.Status.Code)
		require.Contains(t, client.Status.Description, p.queue+": "+tt.code)
		require.Equal(t, tt.code, c["rpc.status_code"])
		require.Equal(t, tt.code, c["error.type"])
		require.Equal(t, "executed", c["amqprpc.outcome"])
		if tt.how == "bad text" {
			require.Equal(t, "unknown", s["error.type"], "its text is read later")
			continue
		}
		require.Equal(t, tt.code, s["rpc.status_code"])
		require.NotContains(t, s, "amqprpc.outcome", "it is the caller's to conclude")
		if tt.failure {
			require.Equal(t, codes.Error, server.Status.Code)
			require.Equal(t, tt.code, s["error.type"])
		} else {
			require.Equal(t, codes.Unset, server.Status.Code)
			require.NotContains(t, s, "error.type")
		}
	}

	_, err := amqprpc.Call[string, string](harness.Context(t), p.cli, p.queue+".nobody", "")
	require.Error(t, err)
	c := values(p.client.take(t, 1)[0].Attributes)
	require.Equal(t, "unavailable", c["error.type"])
	require.Equal(t, "not-executed", c["amqprpc.outcome"])
	require.Equal(t, p.queue+".nobody", c["rpc.method"], "a trace may have any name")
}

// A panic of inner middleware ends the spans.
func TestSpansOfAPanic(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	boom := func(amqprpc.Invoker) amqprpc.Invoker {
		return func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) { panic("boom") }
	}
	require.ErrorIs(t, p.call(t, "", amqprpc.WithMiddleware(boom)), amqprpc.CodeInternal)
	c := values(p.client.take(t, 1)[0].Attributes)
	require.Equal(t, "internal", c["error.type"])
	require.NotContains(t, c, "messaging.message.conversation_id", "nothing was sent")
}

// Without traces, the span that the caller is in stays open: it is not the middleware's.
func TestSpanOfSomebodyElse(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	ctx, span := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("").Start(harness.Context(t), "mine")
	url, queue := brokerURL(t), queueName(t, "")
	harness.Serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, answer) })
	off := otelrpc.Middleware(otelrpc.WithTracerProvider(tracenoop.NewTracerProvider()))
	_, err := amqprpc.Call[string, string](ctx, harness.Dial(t, url, amqprpc.WithMiddleware(off)), queue, "")
	require.NoError(t, err)
	require.Empty(t, spans.Ended())
	span.End()
	require.Len(t, spans.Ended(), 1)
}

// A notification's spans are those of a message.
func TestSpansOfANotification(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	require.NoError(t, amqprpc.Notify(harness.Context(t), p.cli, p.queue, ""))
	client, server := p.client.take(t, 1)[0], p.server.take(t, 1)[0]
	require.Equal(t, trace.SpanKindProducer, client.SpanKind)
	require.Equal(t, trace.SpanKindConsumer, server.SpanKind)
	require.Equal(t, "send "+p.queue, client.Name)
	require.Equal(t, "process "+p.queue, server.Name)
	require.Equal(t, client.SpanContext.SpanID(), server.Parent.SpanID())
	require.Equal(t, client.SpanContext.TraceID(), server.SpanContext.TraceID())
	require.Len(t, server.Links, 1)
	require.Equal(t, client.SpanContext.SpanID(), server.Links[0].SpanContext.SpanID())
	c, s := values(client.Attributes), values(server.Attributes)
	require.Equal(t, "notification", c["amqprpc.kind"])
	require.Equal(t, []any{"send", "send"}, []any{c["messaging.operation.name"], c["messaging.operation.type"]})
	require.Equal(t, []any{"process", "process"}, []any{s["messaging.operation.name"], s["messaging.operation.type"]})
}

// The trace goes on through handlers that call, and baggage with it.
func TestTraceThroughServices(t *testing.T) {
	t.Parallel()
	url, spans := brokerURL(t), newSDK(t)
	mw := amqprpc.WithMiddleware(otelrpc.Middleware(spans.options()...))
	front, back := queueName(t, ".front"), queueName(t, ".back")
	inside := harness.Dial(t, url, mw)
	harness.Serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, back, func(ctx context.Context, _ string) (string, error) {
			return baggage.FromContext(ctx).Member("tenant").Value(), nil
		})
		amqprpc.Register(s, front, func(ctx context.Context, in string) (string, error) {
			return amqprpc.Call[string, string](ctx, inside, back, in)
		})
	}, mw)
	member, err := baggage.NewMember("tenant", "blue")
	require.NoError(t, err)
	bag, err := baggage.New(member)
	require.NoError(t, err)
	ctx, root := spans.tracers.Tracer("test").Start(baggage.ContextWithBaggage(harness.Context(t), bag), "root")
	got, err := amqprpc.Call[string, string](ctx, harness.Dial(t, url, mw), front, "")
	root.End()
	require.NoError(t, err)
	require.Equal(t, "blue", got)

	parents := make(map[trace.SpanID]trace.SpanID)
	var leaf trace.SpanID
	for _, s := range spans.take(t, 5) {
		require.Equal(t, root.SpanContext().TraceID(), s.SpanContext.TraceID())
		parents[s.SpanContext.SpanID()] = s.Parent.SpanID()
		if s.Name == back && s.SpanKind == trace.SpanKindServer {
			leaf = s.SpanContext.SpanID()
		}
	}
	depth := 0
	for id := leaf; id.IsValid(); id = parents[id] {
		depth++
	}
	require.Equal(t, 5, depth, "root, client, server, client, server: one below the other")
}

// Each of several attempts has a child span on the client.
func TestSpansOfAttempts(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	const pause = 5 * time.Millisecond
	again := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			if _, err := next(ctx, req); err == nil {
				t.Error("the first attempt was to fail")
			}
			<-time.After(pause)
			return next(ctx, req)
		}
	}
	require.ErrorIs(t, p.call(t, "unavailable", amqprpc.WithMiddleware(again)), amqprpc.CodeUnavailable)

	all := p.client.take(t, 3)
	call := kind(t, all, trace.SpanKindClient)
	var children tracetest.SpanStubs
	for _, s := range all {
		if s.SpanKind == trace.SpanKindInternal {
			children = append(children, s)
		}
	}
	require.Len(t, children, 2)
	for i, s := range children {
		require.Equal(t, "attempt "+p.queue, s.Name)
		require.Equal(t, call.SpanContext.SpanID(), s.Parent.SpanID())
		require.False(t, s.StartTime.Before(call.StartTime) || s.EndTime.After(call.EndTime))
		require.Equal(t, codes.Error, s.Status.Code)
		a := values(s.Attributes)
		require.EqualValues(t, i+1, a["amqprpc.attempt"])
		require.Equal(t, "unavailable", a["rpc.status_code"])
		require.Equal(t, "unavailable", a["error.type"])
		require.Equal(t, "executed", a["amqprpc.outcome"])
		require.NotContains(t, a, "amqprpc.resent")
	}
	require.GreaterOrEqual(t, children[1].StartTime.Sub(children[0].EndTime), pause)

	servers := p.server.take(t, 2)
	for i, s := range servers {
		require.Equal(t, call.SpanContext.SpanID(), s.Parent.SpanID())
		if i == 0 {
			require.NotContains(t, values(s.Attributes), "amqprpc.attempt")
		} else {
			require.EqualValues(t, 2, values(s.Attributes)["amqprpc.attempt"])
		}
	}
}

// The spans of an unsampled trace are not recorded, and the trace goes on.
func TestUnsampled(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	id, err := trace.TraceIDFromHex("4bf92f3577b34da6a3ce929d0e0e4736")
	require.NoError(t, err)
	parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: trace.SpanID{1}})
	ctx := trace.ContextWithSpanContext(harness.Context(t), parent)
	_, err = amqprpc.Call[string, string](ctx, p.cli, p.queue, "")
	require.NoError(t, err)
	p.stop()
	require.Empty(t, p.client.spans.GetSpans())
	require.Empty(t, p.server.spans.GetSpans())
	require.NotEmpty(t, p.server.histogram(t, "rpc.server.call.duration"), "metrics count all calls")
}
