package amqprpc_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

type (
	countTo = amqprpc.ServerStream[int, int]
	sumOf   = amqprpc.ClientStream[int, int]
	doubles = amqprpc.BidiStream[int, int]
)

// count sends the numbers up to n.
func count(_ context.Context, n int, out *amqprpc.Sender[int]) error {
	for i := range n {
		if err := out.Send(i); err != nil {
			return err
		}
	}
	return nil
}

func sum(_ context.Context, in *amqprpc.Receiver[int]) (int, error) {
	total := 0
	for n, err := range in.All() {
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

func double(_ context.Context, in *amqprpc.Receiver[int], out *amqprpc.Sender[int]) error {
	for {
		n, err := in.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err = out.Send(2 * n); err != nil {
			return err
		}
	}
}

var replyModes = map[string]amqprpc.ReplyMode{
	"resumable": amqprpc.ReplyResumable, "exclusive": amqprpc.ReplyExclusive, "direct": amqprpc.ReplyDirect,
}

// drained are the items of a server stream.
func drained[T any](t *testing.T, items func(func(T, error) bool)) (all []T) {
	t.Helper()
	for v, err := range items {
		require.NoError(t, err)
		all = append(all, v)
	}
	return all
}

func TestServerStream(t *testing.T) {
	t.Parallel()
	url, method := brokerURL(t), countTo(queueName(t))
	startServer(t, url, func(s *amqprpc.Server) { method.Register(s, count) })
	for name, mode := range replyModes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cli := dial(t, url, amqprpc.WithReplyMode(mode))
			for _, n := range []int{0, 1, 100, 100_000} {
				got := drained(t, method.Call(testContext(t), cli, n))
				require.Len(t, got, n)
				require.True(t, slices.IsSorted(got))
			}
		})
	}
}

func TestClientStream(t *testing.T) {
	t.Parallel()
	url, method := brokerURL(t), sumOf(queueName(t))
	startServer(t, url, func(s *amqprpc.Server) { method.Register(s, sum) })
	cli := dial(t, url)
	for _, n := range []int{0, 1, 100, 100_000} {
		numbers := make([]int, n)
		for i := range numbers {
			numbers[i] = i
		}
		got, err := method.Call(testContext(t), cli, amqprpc.Items(slices.Values(numbers)))
		require.NoError(t, err)
		require.Equal(t, n*(n-1)/2, got)
	}
}

func TestBidiStream(t *testing.T) {
	t.Parallel()
	url, method := brokerURL(t), doubles(queueName(t))
	startServer(t, url, func(s *amqprpc.Server) { method.Register(s, double) })
	cli := dial(t, url)
	conv, err := method.Open(testContext(t), cli)
	require.NoError(t, err)
	for i := range 100 {
		require.NoError(t, conv.Send(i))
		got, err := conv.Recv()
		require.NoError(t, err)
		require.Equal(t, 2*i, got)
	}
	require.NoError(t, conv.CloseSend())
	_, err = conv.Recv()
	require.ErrorIs(t, err, io.EOF)
	_, err = conv.Recv()
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, conv.Close())
}

func TestBreakEndsTheHandler(t *testing.T) {
	t.Parallel()
	url, method := brokerURL(t), countTo(queueName(t))
	ended := make(chan error, 1)
	startServer(t, url, func(s *amqprpc.Server) {
		method.Register(s, func(ctx context.Context, _ int, out *amqprpc.Sender[int]) error {
			defer func() { ended <- ctx.Err() }()
			for i := 0; ; i++ {
				if err := out.Send(i); err != nil {
					return err
				}
			}
		})
	})
	cli := dial(t, url)
	for i, err := range method.Call(testContext(t), cli, 1) {
		require.NoError(t, err)
		if i == 10 {
			break
		}
	}
	select {
	case err := <-ended:
		require.ErrorIs(t, err, context.Canceled)
	case <-time.After(patience):
		require.FailNow(t, "the handler goes on")
	}
}
