package amqprpc_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/codec"
)

type seen struct {
	contentType string
	header      amqprpc.Header
	left        time.Duration
	priority    uint8
}

func TestClientWith(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	requests := make(chan seen, 1)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			r, _ := amqprpc.RequestFromContext(ctx)
			end, _ := ctx.Deadline()
			requests <- seen{r.ContentType(), r.Header(), time.Until(end), r.Delivery().Priority}
			return n, nil
		})
	})
	cli := dial(t, url, amqprpc.WithTimeout(time.Hour))
	var idempotent []bool
	note := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			idempotent = append(idempotent, req.IsIdempotent())
			req.Header()["noted"] = "yes"
			return next(ctx, req)
		}
	}
	call := func(c *amqprpc.Client, opts ...amqprpc.CallOption) seen {
		_, err := amqprpc.Call[int, int](context.Background(), c, queue, 1, opts...)
		require.NoError(t, err)
		return <-requests
	}
	view := cli.With(amqprpc.WithCodec(codec.MsgPack{}), amqprpc.WithTimeout(time.Minute),
		amqprpc.WithHeader("tenant", "blue"), amqprpc.WithIdempotent(), amqprpc.WithMiddleware(note), amqprpc.WithPriority(7))
	for range 2 { // the calls do not change the view
		got := call(view, amqprpc.WithHeader("more", "than that"))
		require.Equal(t, "application/msgpack", got.contentType)
		require.Equal(t, amqprpc.Header{"tenant": "blue", "more": "than that", "noted": "yes"}, got.header)
		require.InDelta(t, time.Minute, got.left, float64(5*time.Second))
		require.EqualValues(t, 7, got.priority)
	}
	require.Equal(t, amqprpc.Header{"tenant": "blue", "noted": "yes"}, call(view).header)
	require.Equal(t, []bool{true, true, true}, idempotent)

	got := call(view, amqprpc.WithCodec(codec.JSON{}), amqprpc.WithTimeout(2*time.Minute), amqprpc.WithHeader("tenant", "red"))
	require.Equal(t, "application/json", got.contentType, "a call's own options count more")
	require.Equal(t, "red", got.header["tenant"])
	require.InDelta(t, 2*time.Minute, got.left, float64(5*time.Second))
	got = call(view.With(amqprpc.WithHeader("tenant", "green")))
	require.Equal(t, amqprpc.Header{"tenant": "green", "noted": "yes"}, got.header, "views add up")
	require.Equal(t, "application/msgpack", got.contentType)
	got = call(cli)
	require.Equal(t, seen{"application/json", amqprpc.Header{}, got.left, 0}, got, "the client is as it was")
	require.Equal(t, cli.Status().ReplyQueue.Name, view.Status().ReplyQueue.Name)

	require.Panics(t, func() { cli.With(amqprpc.WithCallID("1")) })
	require.Panics(t, func() { var h amqprpc.Header; cli.With(amqprpc.WithReplyHeader(&h)) })
	require.NoError(t, view.Close())
	_, err := amqprpc.Call[int, int](context.Background(), cli, queue, 1)
	require.ErrorIs(t, err, amqprpc.ErrClientClosed, "Close of a view closes the client")
}

// On a queue with priorities, an urgent request overtakes other requests.
func TestPriority(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	order := make(chan int, 3)
	first, release := make(chan struct{}), make(chan struct{})
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			if n == 0 {
				close(first)
				<-release
				return 0, nil
			}
			order <- n
			return n, nil
		}, amqprpc.WithQueue(amqprpc.Queue{Type: "classic", MaxPriority: 9}), amqprpc.WithConcurrency(1))
	})
	cli := dial(t, url)
	require.NoError(t, amqprpc.Notify(testContext(t), cli, queue, 0))
	<-first
	require.NoError(t, amqprpc.Notify(testContext(t), cli, queue, 1))
	require.NoError(t, amqprpc.Notify(testContext(t), cli, queue, 2, amqprpc.WithPriority(5)))
	require.NoError(t, amqprpc.Notify(testContext(t), cli, queue, 3, amqprpc.WithPriority(9)))
	close(release)
	require.Equal(t, []int{3, 2, 1}, []int{<-order, <-order, <-order})
}

// The server reports how long a request was in its queue.
func TestQueueTime(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	type waited struct {
		time  time.Duration
		known bool
	}
	times := make(chan waited, 1)
	register := func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			r, _ := amqprpc.RequestFromContext(ctx)
			d, known := r.QueueTime()
			times <- waited{d, known}
			return n, nil
		})
	}
	_, stop := startServer(t, url, register)
	cli := dial(t, url, amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			_, known := req.QueueTime()
			require.False(t, known, "a client cannot know")
			return next(ctx, req)
		}
	}))
	_, err := amqprpc.Call[int, int](testContext(t), cli, queue, 1)
	require.NoError(t, err)
	got := <-times
	require.True(t, got.known)
	require.Less(t, got.time, time.Second)
	require.NoError(t, amqprpc.Notify(testContext(t), cli, queue, 1))
	require.False(t, (<-times).known, "of a notification nothing is known")
	stop()
}
