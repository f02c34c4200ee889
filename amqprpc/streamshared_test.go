package amqprpc_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// What streams have for the same peer at the same time goes in few messages.
func TestStreamsShareMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 50
		b, method := amqptest.Start(t, amqptest.WithoutListener()), amqprpc.ServerStream[int, int]("q")
		release := make(chan struct{})
		_, stop := startServer(t, b.URL(), func(s *amqprpc.Server) {
			method.Register(s, func(_ context.Context, n int, out *amqprpc.Sender[int]) error {
				<-release
				return out.Send(n)
			})
		}, amqprpc.WithDialer(b.Dial))
		cli := dial(t, b.URL(), amqprpc.WithDialer(b.Dial))
		got := make(chan []int, n)
		for i := range n {
			go func() { got <- drained(t, method.Call(t.Context(), cli, i)) }()
		}
		synctest.Wait()
		record := b.Record()
		close(release)
		all := 0
		for range n {
			items := <-got
			require.Len(t, items, 1)
			all += items[0]
		}
		require.Equal(t, n*(n-1)/2, all)
		time.Sleep(time.Second)
		byClient, byServer := 0, 0
		for _, e := range record.Events() {
			switch {
			case e.Kind != amqptest.Published || e.Message.ContentType != protocol.StreamContentType:
			case strings.HasPrefix(e.Message.RoutingKey, "amqprpc.instance."):
				byClient++
			default:
				byServer++
			}
		}
		require.Positive(t, byClient)
		require.LessOrEqual(t, byClient, n/2, "each has the last states of several streams")
		require.Positive(t, byServer)
		require.LessOrEqual(t, byServer, n, "each has an item and an end at least")
		stop()
	})
}

// A stream in a message that is not known does not harm the others in it.
func TestMessageOfSeveralStreams(t *testing.T) {
	t.Parallel()
	url := brokerURL(t)
	queue, ends, srv := startSummer(t, url)
	a := openRaw(t, url, string(queue), "client")
	b := &rawStream{peer: a.peer, token: protocol.NewToken()}
	b.open(string(queue), b.opening("client"))
	end := protocol.StreamFrame{Type: protocol.FrameEnd, Number: 2}
	var body []byte
	stream := func(to, from protocol.Token, frames ...protocol.StreamFrame) {
		body = protocol.AppendStream(body, to, from)
		for _, f := range frames {
			body = protocol.AppendStreamFrame(body, f)
		}
	}
	stream(a.remote, a.token, item(1, "1"), end)
	stream(protocol.NewToken(), a.token, item(1, "1"), end) // one reset
	stream(b.remote, protocol.NewToken(), item(1, "1"))     // one reset
	stream(a.remote, a.token)                               // no frame
	stream(b.remote, b.token, item(1, "2"), end)
	a.publish(body)
	answers := map[protocol.StreamFrameType]int{}
	for answers[protocol.FrameEnd] < 2 || answers[protocol.FrameReset] < 2 {
		to, from, frames, err := protocol.ParseStreamPreface(a.reply().Body)
		require.NoError(t, err)
		streams, err := protocol.CheckStreamFrames(frames)
		require.NoError(t, err)
		for range streams {
			part, nextTo, nextFrom := protocol.CutStream(&frames)
			for len(part) > 0 {
				f, err := protocol.NextStreamFrame(&part)
				require.NoError(t, err)
				answers[f.Type]++
				if f.Type == protocol.FrameEnd {
					require.Contains(t, [][]protocol.Token{{a.token, a.remote}, {b.token, b.remote}}, []protocol.Token{to, from})
					require.Empty(t, f.Payload, "a clean end")
				}
			}
			to, from = nextTo, nextFrom
		}
	}
	require.NoError(t, <-ends)
	require.NoError(t, <-ends)
	require.Equal(t, 2, answers[protocol.FrameReset])
	require.Zero(t, srv.Stats().Reconnects)
}

// An item that leaves no room for others goes alone. If its message is too large for the broker,
// its stream ends, and no other does.
func TestItemsAtTheBrokersLimit(t *testing.T) {
	t.Parallel()
	const limit, beside = 200_000, 128
	broker := amqptest.Start(t, amqptest.WithMaxMessageSize(limit))
	echo, repeat := amqprpc.BidiStream[string, string]("echo"), amqprpc.ServerStream[int, string]("repeat")
	srv, _ := startServer(t, broker.URL(), func(s *amqprpc.Server) {
		echo.Register(s, echoAll)
		repeat.Register(s, func(_ context.Context, size int, out *amqprpc.Sender[string]) error {
			for _, n := range []int{1, size, 1} {
				if err := out.Send(strings.Repeat("x", n-len(`""`)+1)); err != nil {
					return err
				}
			}
			return nil
		})
	})
	cli := dial(t, broker.URL())
	other, err := echo.Open(testContext(t), cli)
	require.NoError(t, err)
	defer other.Close()
	for _, size := range []int{limit - beside - 1, limit - 15, limit - 1} {
		var got []string
		var failed error
		for v, err := range repeat.Call(testContext(t), cli, size) {
			got, failed = append(got, v), err
		}
		if size < limit-beside {
			require.NoError(t, failed)
			require.Len(t, got, 3)
		} else {
			require.ErrorIs(t, failed, amqprpc.CodeResourceExhausted, "%d bytes", size)
			require.ErrorContains(t, failed, "200000")
		}

		talk, err := echo.Open(testContext(t), cli)
		require.NoError(t, err)
		require.NoError(t, talk.Send("x"))
		require.NoError(t, talk.Send(strings.Repeat("x", size-len(`""`))))
		_, err = talk.Recv()
		if err == nil {
			_, err = talk.Recv()
		}
		if size < limit-beside {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, amqprpc.CodeResourceExhausted, "%d bytes", size)
		}
		require.NoError(t, talk.Close())

		require.NoError(t, other.Send("still there"))
		v, err := other.Recv()
		require.NoError(t, err)
		require.Equal(t, "still there", v)
	}
	require.Zero(t, srv.Stats().Reconnects)
	require.Zero(t, cli.Stats().Reconnects)
}

// If the broker refuses a message of several items for its size, the next ones are shorter.
func TestManyItemsBeyondTheBrokersLimit(t *testing.T) {
	t.Parallel()
	const n = 5000
	broker := amqptest.Start(t, amqptest.WithMaxMessageSize(5000))
	method := countTo("q")
	startServer(t, broker.URL(), func(s *amqprpc.Server) { method.Register(s, count) })
	cli := dial(t, broker.URL())
	for range 2 {
		items := drained(t, method.Call(testContext(t), cli, n))
		require.Len(t, items, n)
		for i, v := range items {
			require.Equal(t, i, v)
		}
	}
}

// RabbitMQ 4 takes messages of 16 MiB by default. An item of 16 MiB is within
// WithMaxMessageSize, but with what a stream adds it is too large.
func TestItemOfSixteenMebibytes(t *testing.T) {
	t.Parallel()
	const size = 16 << 20
	url, method := brokerURL(t), amqprpc.ServerStream[int, string](queueName(t))
	startServer(t, url, func(s *amqprpc.Server) {
		method.Register(s, func(_ context.Context, n int, out *amqprpc.Sender[string]) error {
			return out.Send(strings.Repeat("x", n))
		})
	})
	cli := dial(t, url)
	for _, n := range []int{size - len(`""`), 10} {
		var got []int
		var failed error
		for v, err := range method.Call(testContext(t), cli, n) {
			if failed = err; err == nil {
				got = append(got, len(v))
			}
		}
		if failed == nil {
			require.Equal(t, []int{n}, got)
			continue
		}
		require.Greater(t, n, 10, "the next stream works: %v", failed)
		require.ErrorIs(t, failed, amqprpc.CodeResourceExhausted)
		require.Empty(t, got)
	}
}
