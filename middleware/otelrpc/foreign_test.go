package otelrpc_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
)

// envPython is the variable with the path of a Python that has pika. If it is set, as in CI,
// a Python without pika fails the test.
const envPython = "AMQPRPC_PYTHON"

// The trace of a foreign client, as OpenTelemetry's propagator for Python writes it.
const (
	traceID = "0af7651916cd43dd8448eb211c80319c"
	spanID  = "b7ad6b7169203331"
)

// requireForeignTrace checks that a server's span continues the foreign client's.
func requireForeignTrace(t *testing.T, p *pair, correlationID string) {
	t.Helper()
	span := p.server.take(t, 1)[0]
	require.Equal(t, trace.SpanKindServer, span.SpanKind)
	require.Equal(t, traceID, span.SpanContext.TraceID().String())
	require.Equal(t, spanID, span.Parent.SpanID().String())
	require.True(t, span.Parent.IsRemote())
	require.Equal(t, correlationID, values(span.Attributes)["messaging.message.conversation_id"])
}

// channel opens a channel of the driver.
func channel(t *testing.T, url string) *amqp.Channel {
	t.Helper()
	conn, err := amqp.Dial(url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	ch, err := conn.Channel()
	require.NoError(t, err)
	return ch
}

// The trace of a client that publishes by hand is continued. A header that is no trace
// context does no harm.
func TestForeignTrace(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	ch := channel(t, p.url)
	replies, err := ch.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
	require.NoError(t, err)
	ask := func(headers amqp.Table) {
		t.Helper()
		require.NoError(t, ch.Publish("", p.queue, false, false, amqp.Publishing{
			ContentType: "application/json", CorrelationId: "1", ReplyTo: "amq.rabbitmq.reply-to", Headers: headers, Body: []byte(`""`),
		}))
		select {
		case reply := <-replies:
			require.Equal(t, `"fine"`, string(reply.Body))
		case <-time.After(harness.Patience):
			require.FailNow(t, "no reply")
		}
	}
	ask(amqp.Table{"traceparent": fmt.Sprintf("00-%s-%s-01", traceID, spanID)})
	requireForeignTrace(t, p, "1")

	for _, strange := range []any{"", "00-0-0-01", "\xff", int64(7), amqp.Table{"a": "b"}, strings.Repeat("0", 1000)} {
		ask(amqp.Table{"traceparent": strange, "tracestate": strange, "baggage": strange})
		span := p.server.take(t, 1)[0]
		require.False(t, span.Parent.IsValid(), "%v", strange)
		require.NotEqual(t, traceID, span.SpanContext.TraceID().String())
	}
}

// The trace of a Python program with pika is continued.
func TestPythonTrace(t *testing.T) {
	t.Parallel()
	python := os.Getenv(envPython)
	if python == "" {
		t.Skipf("%s is not set: it names a Python with pika", envPython)
	}
	p := newPair(t)
	out, err := exec.CommandContext(harness.Context(t), python, "testdata/traced_call.py", p.url, p.queue, traceID, spanID).CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, "\"fine\"\n", string(out))
	requireForeignTrace(t, p, "from-python")
}

// An attempt that the client makes by itself has a child span, too.
func TestSpansOfAResentCall(t *testing.T) {
	t.Parallel()
	const sign = 100 * time.Millisecond
	p := newPair(t)
	queue := p.queue + ".silent"
	ch := channel(t, p.url)
	_, err := ch.QueueDeclare(queue, true, false, false, false, nil)
	require.NoError(t, err)
	requests, err := ch.Consume(queue, "", true, false, false, false, nil)
	require.NoError(t, err)

	f := amqprpc.Go[string, string](harness.Context(t), p.cli, queue, "", amqprpc.WithLiveness(sign), amqprpc.WithIdempotent())
	first := <-requests // its server sends one heartbeat, and then nothing any more
	require.NoError(t, ch.Publish("", first.ReplyTo, false, false, amqp.Publishing{
		CorrelationId: first.CorrelationId, Headers: amqp.Table{"rpc-heartbeat": int64(sign / time.Millisecond)},
	}))
	second := <-requests
	require.Equal(t, first.Headers["traceparent"], second.Headers["traceparent"])
	require.NoError(t, ch.Publish("", second.ReplyTo, false, false, amqp.Publishing{
		CorrelationId: second.CorrelationId, ContentType: "application/json", Body: []byte(`"fine"`),
	}))
	_, err = f.Await(harness.Context(t))
	require.NoError(t, err)

	all := p.client.take(t, 3)
	call := kind(t, all, trace.SpanKindClient)
	require.Equal(t, "ok", values(call.Attributes)["rpc.status_code"])
	require.Equal(t, second.CorrelationId, values(call.Attributes)["messaging.message.conversation_id"])
	one, two := values(all[0].Attributes), values(all[1].Attributes)
	require.Equal(t, map[string]any{
		"rpc.system.name": "amqprpc", "rpc.method": queue, "amqprpc.attempt": int64(1), "amqprpc.outcome": "unknown",
	}, one)
	require.Equal(t, map[string]any{
		"rpc.system.name": "amqprpc", "rpc.method": queue, "amqprpc.attempt": int64(2), "amqprpc.resent": true, "rpc.status_code": "ok",
	}, two)
	require.GreaterOrEqual(t, all[0].EndTime.Sub(all[0].StartTime), 3*sign)
	require.False(t, all[1].StartTime.Before(all[0].EndTime))
}
