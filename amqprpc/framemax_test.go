package amqprpc_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// Metadata that exceeds the broker's frame size ends the call, not the connection.
func TestHeadersBeyondAFrame(t *testing.T) {
	t.Parallel()
	broker, queue := amqptest.Start(t, amqptest.WithFrameMax(4096)), queueName(t)
	long := strings.Repeat("x", 6000)
	srv, _ := startServer(t, broker.URL(), func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			amqprpc.ReplyHeader(ctx)["k"] = long
			if n == 0 {
				return 0, amqprpc.CodeNotFound
			}
			return n, nil
		})
	})
	cli := dial(t, broker.URL())
	_, err := amqprpc.Call[int, int](testContext(t), cli, queue, 3, amqprpc.WithHeader("k", long))
	require.ErrorIs(t, err, amqprpc.CodeResourceExhausted)
	require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
	_, err = amqprpc.Call[int, int](testContext(t), cli, queue, 3, amqprpc.WithHeader("k", long[:2000]))
	require.ErrorIs(t, err, amqprpc.CodeInternal, "the reply's metadata cannot be sent")
	_, err = amqprpc.Call[int, int](testContext(t), cli, queue, 0)
	require.ErrorIs(t, err, amqprpc.CodeNotFound)
	require.Zero(t, cli.Stats().Reconnects)
	require.Zero(t, srv.Stats().Reconnects)
}
