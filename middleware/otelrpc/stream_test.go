package otelrpc_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
	"github.com/bbebcec1/amqprpc-go/middleware/otelrpc"
)

// A stream has one span on each side, without an event for each message, and counts once in
// the metrics. It may end well, by a break, or with an error.
func TestStream(t *testing.T) {
	t.Parallel()
	server, client := newSDK(t), newSDK(t)
	url, queue := brokerURL(t), queueName(t, "")
	count := func(_ context.Context, n int, out *amqprpc.Sender[int]) error {
		for i := range n {
			if err := out.Send(i); err != nil {
				return err
			}
		}
		if n == 13 {
			return amqprpc.Errorf(amqprpc.CodeAborted, "13 is too many")
		}
		return nil
	}
	harness.Serve(t, url, func(s *amqprpc.Server) { amqprpc.RegisterServerStream(s, queue, count) },
		amqprpc.WithMiddleware(otelrpc.Middleware(server.options()...)))
	cli := harness.Dial(t, url, amqprpc.WithMiddleware(otelrpc.Middleware(client.options()...)))
	for _, tt := range []struct {
		n, stopAt int
		code      string
	}{{100, 1000, "ok"}, {13, 1000, "aborted"}, {100_000, 10, "ok"}} {
		got := 0
		for _, err := range amqprpc.ServerStream[int, int](queue).Call(harness.Context(t), cli, tt.n) {
			if got++; err != nil || got == tt.stopAt {
				break
			}
		}
		require.Greater(t, got, 9)
		c, s := client.take(t, 1)[0], server.take(t, 1)[0]
		require.Equal(t, trace.SpanKindClient, c.SpanKind)
		require.Equal(t, trace.SpanKindServer, s.SpanKind)
		require.Equal(t, c.SpanContext.SpanID(), s.Parent.SpanID())
		require.Empty(t, c.Events)
		require.Empty(t, s.Events)
		require.Equal(t, "server stream", values(c.Attributes)["amqprpc.kind"])
		require.Equal(t, "server stream", values(s.Attributes)["amqprpc.kind"])
		require.Equal(t, tt.code, values(c.Attributes)["rpc.status_code"], "%d, to %d", tt.n, tt.stopAt)
		require.Equal(t, tt.code != "ok", c.Status.Code == codes.Error)
	}
	require.Equal(t, map[string]uint64{
		"amqprpc.kind=server stream,rpc.method=" + queue + ",rpc.status_code=ok,rpc.system.name=amqprpc":                                                  2,
		"amqprpc.kind=server stream,amqprpc.outcome=executed,error.type=aborted,rpc.method=" + queue + ",rpc.status_code=aborted,rpc.system.name=amqprpc": 1,
	}, client.counts(t, "rpc.client.call.duration"))
}
