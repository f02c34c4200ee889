package amqprpc_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Handlers of streams that return early, panic, or send after they have returned harm their own
// stream alone.
func TestHandlersOfStreamsThatMisbehave(t *testing.T) {
	t.Parallel()
	url := brokerURL(t)
	talk := amqprpc.BidiStream[int, int](queueName(t))
	late := make(chan error, 1)
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		talk.Register(s, func(_ context.Context, in *amqprpc.Receiver[int], out *amqprpc.Sender[int]) error {
			n, err := in.Recv()
			if err != nil {
				return err
			}
			if err = out.Send(n); err != nil {
				return err
			}
			switch n {
			case 1:
				panic("no")
			case 2:
				returned := make(chan struct{})
				go func() {
					<-returned
					for { // the handler may not have returned yet
						if err := out.Send(3); err != nil {
							late <- err
							return
						}
					}
				}()
				defer close(returned)
			}
			return nil // there is more to read
		})
	})
	cli := dial(t, url)
	for n, code := range []amqprpc.Code{amqprpc.CodeOK, amqprpc.CodeInternal, amqprpc.CodeOK, amqprpc.CodeOK} {
		conv, err := talk.Open(testContext(t), cli)
		require.NoError(t, err)
		for range 100 {
			_ = conv.Send(n) // the handler may have returned
		}
		var last error
		first := true
		for got, err := range conv.All() {
			if last = err; err == nil && first {
				require.Equal(t, n, got)
				first = false
			}
		}
		require.False(t, first, "what was sent before comes before the end")
		require.Equal(t, code, amqprpc.CodeOf(last), "%d: %v", n, last)
		require.NoError(t, conv.Close())
	}
	require.Error(t, <-late)
	require.EqualValues(t, 1, srv.Stats().Panics)
	require.Zero(t, srv.Stats().Reconnects)
}

// A client that is closed in the loop over a stream ends the loop.
func TestCloseInTheLoop(t *testing.T) {
	t.Parallel()
	url := brokerURL(t)
	queue, ended := countTo(queueName(t)), make(chan struct{})
	startServer(t, url, func(s *amqprpc.Server) {
		queue.Register(s, func(ctx context.Context, _ int, out *amqprpc.Sender[int]) error {
			defer close(ended)
			for n := 0; ; n++ {
				if err := out.Send(n); err != nil {
					return err
				}
			}
		})
	})
	cli := dial(t, url)
	var last error
	for n, err := range queue.Call(testContext(t), cli, 1) {
		if last = err; n == 3 {
			require.NoError(t, cli.Close())
		}
	}
	require.Error(t, last)
	select {
	case <-ended:
	case <-time.After(patience):
		require.FailNow(t, "the handler goes on")
	}
}
