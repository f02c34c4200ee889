package amqprpc_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// An error that wraps io.EOF is no clean end.
func TestErrorsThatWrapEOF(t *testing.T) {
	t.Parallel()
	url, counts := brokerURL(t), countTo(queueName(t))
	sums, ends, _ := startSummer(t, url)
	startServer(t, url, func(s *amqprpc.Server) { counts.Register(s, count) })
	wrapped := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			req.OnMessage(func(amqprpc.Direction, any) error { return fmt.Errorf("no: %w", io.EOF) })
			return next(ctx, req)
		}
	}
	cli := dial(t, url)
	last := func(ctx context.Context, opts ...amqprpc.CallOption) (last error) {
		for _, err := range counts.Call(ctx, cli, 1_000_000, opts...) {
			last = err
		}
		return last
	}
	require.ErrorContains(t, last(testContext(t), amqprpc.WithMiddleware(wrapped)), "no: EOF")
	ctx, cancel := context.WithCancelCause(testContext(t))
	time.AfterFunc(10*time.Millisecond, func() { cancel(io.EOF) })
	require.ErrorIs(t, last(ctx), amqprpc.CodeCanceled)

	_, err := sums.Call(testContext(t), cli, amqprpc.Items(func(yield func(int) bool) { yield(1) }), amqprpc.WithMiddleware(wrapped))
	require.ErrorContains(t, err, "no: EOF")
	require.ErrorIs(t, <-ends, amqprpc.CodeCanceled, "the handler takes a part for the whole")
}

// Who gives up while a client of direct reply-to makes its queue for streams costs nobody else
// the connection.
func TestGivingUpWhileTheQueueForStreamsIsMade(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	const method countTo = "count"
	startServer(t, broker.URL(), func(s *amqprpc.Server) {
		method.Register(s, count)
		amqprpc.Register(s, "square", square)
	})
	cli := dial(t, broker.URL(), amqprpc.WithReplyMode(amqprpc.ReplyDirect), amqprpc.WithConnectionName("client"))
	conn := broker.Connection("client")
	conn.Freeze(amqptest.ToClient)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	for _, err := range method.Call(ctx, cli, 1) {
		require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded)
	}
	conn.Thaw()
	got, err := amqprpc.Call[int, int](testContext(t), cli, "square", 3)
	require.NoError(t, err)
	require.Equal(t, 9, got)
	require.Len(t, drained(t, method.Call(testContext(t), cli, 3)), 3)
	require.Zero(t, cli.Stats().Reconnects)
}

// A server whose mailbox ends again and again takes no more channels for that.
func TestServerKeepsItsChannels(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	const method countTo = "count"
	startServer(t, broker.URL(), func(s *amqprpc.Server) { method.Register(s, count) }, amqprpc.WithConnectionName("server"))
	cli := dial(t, broker.URL())
	channels := func() int { return len(broker.Connection("server").Info().Channels) }
	require.Len(t, drained(t, method.Call(testContext(t), cli, 3)), 3)
	before := channels()
	for range 5 {
		for _, q := range broker.Queues() {
			if strings.HasPrefix(q.Name, "amqprpc.instance.") {
				require.True(t, broker.CancelConsumer(q.Name, "amqprpc"))
			}
		}
		require.Len(t, drained(t, method.Call(testContext(t), cli, 3)), 3)
	}
	eventually(t, "the channels are closed", func() bool { return channels() <= before })
}
