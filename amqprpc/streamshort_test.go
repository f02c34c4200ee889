package amqprpc_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// A stream that ends as soon as it has begun is acknowledged once: a second acknowledgement
// closes the channel, and other streams of the queue are delivered again.
func TestShortStreamsAreAcknowledgedOnce(t *testing.T) {
	t.Parallel()
	url, method := brokerURL(t), countTo(queueName(t))
	var runs atomic.Int64
	_, stop := startServer(t, url, func(s *amqprpc.Server) {
		method.Register(s, func(ctx context.Context, n int, out *amqprpc.Sender[int]) error {
			runs.Add(1)
			return count(ctx, n, out)
		})
	})
	cli := dial(t, url)
	const streams = 300
	done := make(chan error, streams)
	for i := range streams {
		go func() {
			for _, err := range method.Call(testContext(t), cli, i%3) {
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range streams {
		require.NoError(t, <-done)
	}
	stop()
	require.EqualValues(t, streams, runs.Load())
}
