package amqprpc_test

import (
	"context"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// A redelivered request goes back to its queue with a count. If the request with the count
// does not fit into a frame, the server refuses the request.
func TestRequeueFitsAFrame(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		frameMax uint32
		headers  int
	}{
		"small frames":      {4096, 2048},
		"beyond":            {4096, 2049},
		"usual frames":      {128 << 10, 8 << 10},
		"beyond usual ones": {128 << 10, 8<<10 + 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			long := strings.Repeat("x", 255)
			broker, queue := amqptest.Start(t, amqptest.WithFrameMax(c.frameMax), amqptest.WithUser(long, "p")), queueName(t)
			url := strings.Replace(broker.URL(), "guest:guest", long+":p", 1)
			p := newPeer(t, url)
			taker := newPeer(t, url)
			_, err := p.ch.QueueDeclare(queue, true, false, false, false, nil)
			require.NoError(t, err)
			p.send(queue, amqp.Publishing{
				ContentType: "application/json;" + long[:200], ContentEncoding: "UTF-8", CorrelationId: long, MessageId: long, Type: long, AppId: long, UserId: long,
				Priority: 1, DeliveryMode: 2, Timestamp: time.Now(), Expiration: "60000",
				Headers: amqp.Table{"h": strings.Repeat("x", c.headers-7)}, Body: []byte("7"),
			})
			eventually(t, "it is taken", func() bool {
				_, ok, err := taker.ch.Get(queue, false)
				require.NoError(t, err)
				return ok
			})
			taker.conn.Close()
			srv, _ := startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) })
			d := p.reply()
			if strings.Contains(name, "beyond") {
				require.Equal(t, "resource_exhausted", d.Headers["rpc-code"])
				require.Equal(t, "unknown", d.Headers["rpc-outcome"])
			} else {
				require.Equal(t, "49", string(d.Body))
				require.EqualValues(t, 1, srv.Stats().Redelivered)
			}
			require.Zero(t, srv.Stats().Reconnects)
		})
	}
}

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
