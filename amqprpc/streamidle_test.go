package amqprpc_test

import (
	"bytes"
	"context"
	"runtime/pprof"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// An idle stream has a goroutine of the client's only where there is middleware, which is
// then around the whole stream.
func TestIdleStreamHasNoGoroutine(t *testing.T) {
	t.Parallel()
	url, method := brokerURL(t), doubles(queueName(t))
	startServer(t, url, func(s *amqprpc.Server) { method.Register(s, double) })
	cli := dial(t, url)
	passes := amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker { return next })
	for name, x := range map[string]struct {
		opts []amqprpc.CallOption
		runs bool
	}{"bare": {nil, false}, "middleware": {[]amqprpc.CallOption{passes}, true}} {
		label := t.Name() + " " + name // a goroutine has the labels of the one that started it
		var conv *amqprpc.BidiStreamCall[int, int]
		var err error
		pprof.Do(testContext(t), pprof.Labels("test", label), func(ctx context.Context) {
			conv, err = method.Open(ctx, cli, x.opts...)
		})
		require.NoError(t, err)
		var all bytes.Buffer
		require.NoError(t, pprof.Lookup("goroutine").WriteTo(&all, 1))
		require.Equal(t, x.runs, bytes.Contains(all.Bytes(), []byte(label)), name)
		require.NoError(t, conv.Close())
	}
}

// A stream that nobody uses any more ends with its ctx, and leaves nothing in the client.
func TestAbandonedStream(t *testing.T) {
	t.Parallel()
	url, method := brokerURL(t), doubles(queueName(t))
	ended := make(chan error, 1)
	startServer(t, url, func(s *amqprpc.Server) {
		method.Register(s, func(ctx context.Context, _ *amqprpc.Receiver[int], _ *amqprpc.Sender[int]) error {
			<-ctx.Done()
			ended <- ctx.Err()
			return nil
		})
	})
	cli := dial(t, url)
	ctx, cancel := context.WithCancel(testContext(t))
	conv, err := method.Open(ctx, cli)
	require.NoError(t, err)
	require.EqualValues(t, 1, cli.Stats().Pending)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	eventually(t, "the call is over", func() bool { return cli.Stats().Pending == 0 })
	_, err = conv.Recv()
	require.Equal(t, amqprpc.CodeCanceled, amqprpc.CodeOf(err))
}

// Close ends the streams that nobody uses, and waits until the server is told.
func TestCloseWithAbandonedStreams(t *testing.T) {
	t.Parallel()
	url, method := brokerURL(t), doubles(queueName(t))
	srv, _ := startServer(t, url, func(s *amqprpc.Server) { method.Register(s, double) })
	cli := dial(t, url)
	for range 10 {
		_, err := method.Open(testContext(t), cli)
		require.NoError(t, err)
	}
	require.NoError(t, cli.Close())
	require.Zero(t, cli.Stats().Pending)
	eventually(t, "the handlers have ended", func() bool { return srv.Stats().Pending == 0 && srv.Stats().InFlight == 0 })
}
