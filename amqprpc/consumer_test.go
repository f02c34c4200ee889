package amqprpc_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// When the broker cancels a consumer, the server consumes again on the same channel, and
// answers the requests of before. Otherwise the connection would reach its channel limit.
func TestCancelledConsumersLeaveNoChannels(t *testing.T) {
	t.Parallel()
	broker, queue := amqptest.Start(t), queueName(t)
	g := newGated()
	startServer(t, broker.URL(), func(s *amqprpc.Server) { amqprpc.Register(s, queue, g.handle) }, amqprpc.WithConnectionName("server"), amqprpc.WithoutControl())
	f := amqprpc.Go[int, int](testContext(t), dial(t, broker.URL()), queue, 9)
	<-g.started
	consumer := func() (tag string) {
		if q, _ := broker.Queue(queue); len(q.Consumers) == 1 {
			tag = q.Consumers[0].Tag
		}
		return tag
	}
	channels := func() int { return len(broker.Connection("server").Info().Channels) }
	for range 3 {
		before := consumer()
		require.True(t, broker.CancelConsumer(queue, before))
		eventually(t, "the queue is consumed again", func() bool { return consumer() != "" })
		require.NotEqual(t, before, consumer(), "RabbitMQ 4.3 closes the connection for a tag that comes again")
	}
	eventually(t, "one channel serves", func() bool { return channels() == 1 })
	close(g.release)
	got, err := f.Await(testContext(t))
	require.NoError(t, err)
	require.Equal(t, 81, got)
	require.Equal(t, 1, channels())
}

// The server answers for an at-most-once handler that exceeds its time.
func TestAtMostOnceBeyondItsTime(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	release := make(chan struct{})
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) { <-release; return n, nil },
			amqprpc.WithAtMostOnce(), amqprpc.WithHandlerTimeout(50*time.Millisecond))
	})
	_, err := amqprpc.Call[int, int](testContext(t), dial(t, url), queue, 1)
	close(release)
	require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded)
	require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
}

// A dialer that never returns does not block Dial or Close.
func TestDialerThatHangs(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	closed := make(chan struct{})
	hang := func(network, addr string) (net.Conn, error) {
		<-release
		a, b := net.Pipe()
		go func() { b.Read(make([]byte, 1)); close(closed) }()
		return a, nil
	}
	ctx, cancel := context.WithTimeout(testContext(t), 50*time.Millisecond)
	defer cancel()
	returned := make(chan error, 1)
	go func() {
		_, err := amqprpc.Dial(ctx, "amqp://localhost:1/", amqprpc.WithDialer(hang), amqprpc.WithLogger(nil))
		returned <- err
	}()
	select {
	case err := <-returned:
		require.ErrorIs(t, err, context.DeadlineExceeded)
	case <-time.After(5 * time.Second):
		t.Error("Dial waits for the dialer")
	}
	close(release)
	select {
	case <-closed:
	case <-time.After(patience):
		t.Error("the connection that came late is not closed")
	}
}

// A client can call an exclusive queue of another connection, although it cannot inspect that
// queue.
func TestFailFastWithAnExclusiveQueue(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	peer := newPeer(t, url)
	_, requests := peer.own(queue)
	require.NoError(t, amqprpc.Notify(testContext(t), dial(t, url), queue, 1, amqprpc.WithFailFast()))
	require.Equal(t, "1", string((<-requests).Body))
}

// A prefetch above the protocol's maximum becomes that maximum, not zero, which means no
// limit.
func TestPrefetchIsAShortInteger(t *testing.T) {
	t.Parallel()
	broker, queue := amqptest.Start(t), queueName(t)
	startServer(t, broker.URL(), func(s *amqprpc.Server) { amqprpc.Register(s, queue, square, amqprpc.WithPrefetch(1<<16)) })
	q, ok := broker.Queue(queue)
	require.True(t, ok)
	require.Equal(t, 1<<16-1, q.Consumers[0].Prefetch)
}

// Middleware that runs the handler again does not acknowledge the request again, for
// which the broker would close the channel.
func TestAtMostOnceHandlerRunsTwice(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	twice := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			if _, err := next(ctx, req); err != nil {
				return nil, err
			}
			return next(ctx, req)
		}
	}
	log := &testLog{}
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, square, amqprpc.WithAtMostOnce(), amqprpc.WithMiddleware(twice))
	}, amqprpc.WithLogger(log.logger()))
	cli := dial(t, url)
	for n := range 20 {
		got, err := amqprpc.Call[int, int](testContext(t), cli, queue, n)
		require.NoError(t, err)
		require.Equal(t, n*n, got)
	}
	require.NotContains(t, log.String(), "not served any more")
}

// A drain waits for a handler at most once whose connection was lost, since its reply
// goes on the next one.
func TestDrainAfterALostConnection(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	queue := queueName(t)
	started, release := make(chan struct{}), make(chan struct{})
	srv, stop := serve(t, broker.URL(), func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			close(started)
			select {
			case <-release:
				return n, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}, amqprpc.WithAtMostOnce())
	})
	cli := dial(t, broker.URL())
	f := amqprpc.Go[int, int](testContext(t), cli, queue, 3)
	<-started
	eventually(t, "the request is acknowledged", func() bool { q, _ := broker.Queue(queue); return q.Unacked == 0 })
	for _, c := range broker.Connections() {
		c.Cut()
	}
	eventually(t, "both are back", func() bool {
		return srv.Stats().Reconnects == 1 && srv.Status().Err() == nil && cli.Stats().Reconnects == 1
	})
	served := make(chan error, 1)
	go func() { served <- stop() }()
	eventually(t, "the server drains", func() bool { return srv.Status().Draining })
	eventually(t, "it consumes no more", func() bool { q, _ := broker.Queue(queue); return len(q.Consumers) == 0 })
	close(release)
	got, err := f.Await(testContext(t))
	require.NoError(t, err)
	require.Equal(t, 3, got)
	require.NoError(t, <-served)
}
