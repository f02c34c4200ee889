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

// A server that has all the streams that it may have leaves further ones to others.
func TestMaxStreams(t *testing.T) {
	t.Parallel()
	url, method := brokerURL(t), countTo(queueName(t))
	hold := make(chan struct{})
	waits := func(ctx context.Context, _ int, out *amqprpc.Sender[int]) error {
		if err := out.Send(1); err != nil {
			return err
		}
		select {
		case <-hold:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	small, _ := startServer(t, url, func(s *amqprpc.Server) { method.Register(s, waits, amqprpc.WithMaxStreams(2)) })
	cli := dial(t, url)
	ctx := testContext(t)
	began, ended := make(chan error, 100), make(chan error, 100)
	open := func(n int) {
		for range n {
			go func() {
				for _, err := range method.Call(ctx, cli, 0) {
					began <- err
				}
				ended <- nil
			}()
		}
		for range n {
			select {
			case err := <-began:
				require.NoError(t, err)
			case <-time.After(patience):
				require.FailNow(t, "a stream was not accepted")
			}
		}
	}
	open(2)
	require.Eventually(t, func() bool { return consumers(t, url, string(method)) == 0 }, patience, 10*time.Millisecond)
	big, _ := startServer(t, url, func(s *amqprpc.Server) { method.Register(s, waits) })
	open(20)
	require.EqualValues(t, 2, small.Stats().InFlight)
	require.EqualValues(t, 20, big.Stats().InFlight)
	close(hold)
	for range 22 {
		<-ended
	}
	require.Eventually(t, func() bool { return consumers(t, url, string(method)) == 2 }, patience, 10*time.Millisecond)
}

// consumers is how many consumers a queue has.
func consumers(t *testing.T, url, queue string) int {
	t.Helper()
	q, err := newPeer(t, url).ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	require.NoError(t, err)
	return q.Consumers
}
