package amqprpc_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/faultproxy"
)

func TestFailFast(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	proxy, clientURL := proxied(t, url)
	cli := dial(t, clientURL, amqprpc.WithFailFast())
	p := newPeer(t, url)
	_, err := p.ch.QueueDeclare(queue, true, false, false, false, nil)
	require.NoError(t, err)
	fails := func(text string) {
		t.Helper()
		_, err := amqprpc.Call[int, int](testContext(t), cli, queue, 3)
		require.ErrorIs(t, err, amqprpc.CodeUnavailable)
		require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
		require.ErrorContains(t, err, text)
	}
	fails("nobody consumes the queue, which has 0 messages waiting")
	require.NoError(t, amqprpc.Notify(testContext(t), dial(t, url), queue, 3))
	eventually(t, "the notification waits", func() bool {
		q, err := p.ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		return err == nil && q.Messages == 1
	})
	fails("1 message waiting")
	_, err = p.ch.QueueDelete(queue, false, false, false)
	require.NoError(t, err)
	fails("no such queue")
	fails("no such queue") // the client has replaced the channel that the broker closed
	_, stop := startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) })
	got, err := amqprpc.Call[int, int](testContext(t), cli, queue, 3)
	require.NoError(t, err)
	require.Equal(t, 9, got)
	stop()
	proxy.Refuse()
	proxy.Cut(faultproxy.RST)
	eventually(t, "it says so when there is no connection", func() bool {
		_, err := amqprpc.Call[int, int](testContext(t), cli, queue, 3)
		return err != nil && strings.Contains(err.Error(), "not connected") && amqprpc.OutcomeOf(err) == amqprpc.OutcomeNotSent
	})
	require.NoError(t, proxy.Accept())
}

// The error of a call that ends at its deadline describes the queue.
func TestLateCallLooksAtTheQueue(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	_, err := newPeer(t, url).ch.QueueDeclare(queue, false, true, false, false, nil)
	require.NoError(t, err)
	cli := dial(t, url)
	_, err = amqprpc.Call[int, int](testContext(t), cli, queue, 3, amqprpc.WithTimeout(300*time.Millisecond))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "0 consumers and 1 message waiting")
	require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
}

// The connection is lost before the request is confirmed. The client resends an idempotent
// call under the same id, and the first answer counts.
func TestIdempotentCallIsSentAgain(t *testing.T) {
	t.Parallel()
	for _, idempotent := range []bool{false, true} {
		t.Run(fmt.Sprint(idempotent), func(t *testing.T) {
			t.Parallel()
			url, queue := brokerURL(t), queueName(t)
			var runs counting
			attempts := make(chan int, 2)
			startServer(t, url, func(s *amqprpc.Server) {
				amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
					r, _ := amqprpc.RequestFromContext(ctx)
					runs.ran(r.ID())
					attempts <- r.Attempt()
					return n * n, nil
				})
			})
			proxy, clientURL := proxied(t, url)
			conn, dialer := observed()
			cli := dial(t, clientURL, dialer)
			// From now on, the broker receives nothing from the client.
			proxy.Stall(faultproxy.ToBroker)
			before := conn.Load().writes.Load()
			var opts []amqprpc.CallOption
			if idempotent {
				opts = append(opts, amqprpc.WithIdempotent())
			}
			f := amqprpc.Go[int, int](testContext(t), cli, queue, 9, opts...)
			eventually(t, "the request is written", func() bool { return conn.Load().writes.Load() > before })
			proxy.Cut(faultproxy.RST)
			proxy.Resume(faultproxy.ToBroker)
			got, err := f.Await(testContext(t))
			if !idempotent {
				require.ErrorIs(t, err, amqprpc.CodeUnavailable)
				require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
				require.ErrorContains(t, err, "before the broker confirmed")
				require.Zero(t, runs.total())
				return
			}
			require.NoError(t, err)
			require.Equal(t, 81, got)
			require.Equal(t, 1, runs.total())
			require.EqualValues(t, 1, cli.Stats().Resent)
			require.Equal(t, 2, <-attempts)
		})
	}
}

func TestAtMostOnce(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	g := newGated()
	proxy, serverURL := proxied(t, url)
	srv, _ := startServer(t, serverURL, func(s *amqprpc.Server) { amqprpc.Register(s, queue, g.handle, amqprpc.WithAtMostOnce()) })
	cli := dial(t, url)
	f := amqprpc.Go[int, int](testContext(t), cli, queue, 9)
	<-g.started
	p := newPeer(t, url)
	proxy.Cut(faultproxy.FIN)
	eventually(t, "the server is back", func() bool { return srv.Stats().Reconnects == 1 })
	close(g.release)
	got, err := f.Await(testContext(t))
	if err == nil {
		require.Equal(t, 81, got, "the handler outlives its channel and answers on the next one")
	} else {
		// The ack was lost with the connection.
		require.ErrorIs(t, err, amqprpc.CodeAborted)
		require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
	}
	require.Equal(t, 1, g.total())

	// The server does not run a redelivered request.
	d := p.ask(queue, amqp.Publishing{Body: []byte("3"), CorrelationId: "again", Headers: amqp.Table{"rpc-deliveries": int32(2)}})
	require.Equal(t, "aborted", d.Headers["rpc-code"])
	require.Equal(t, "unknown", d.Headers["rpc-outcome"])
	d = p.ask(queue, amqp.Publishing{Body: []byte("3"), CorrelationId: "once"})
	require.Equal(t, "9", string(d.Body))
	require.NoError(t, amqprpc.Notify(testContext(t), cli, queue, 1))
	eventually(t, "the notification ran", func() bool { return g.total() == 3 })
}

func TestFullQueueIsAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	p := newPeer(t, url)
	_, err := p.ch.QueueDeclare(queue, false, true, false, false, amqp.Table{"x-max-length": int32(1), "x-overflow": "reject-publish"})
	require.NoError(t, err)
	cli := dial(t, url)
	require.NoError(t, amqprpc.Notify(testContext(t), cli, queue, 1))
	_, err = amqprpc.Call[int, int](testContext(t), cli, queue, 2)
	require.ErrorIs(t, err, amqprpc.CodeUnavailable)
	require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err), "a nack gives no reason")
	err = amqprpc.Notify(testContext(t), cli, queue, 2)
	require.ErrorIs(t, err, amqprpc.CodeUnavailable)
	require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err), "a nack gives no reason")
	require.EqualValues(t, 2, cli.Stats().Nacked)
}

func TestLiveness(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	const sign = 100 * time.Millisecond
	g := newGated()
	proxy, serverURL := proxied(t, url)
	startServer(t, serverURL, func(s *amqprpc.Server) { amqprpc.Register(s, queue, g.handle) })
	cli := dial(t, url)
	alive := amqprpc.Go[int, int](testContext(t), cli, queue, 3, amqprpc.WithLiveness(sign))
	<-g.started
	select {
	case <-alive.Done():
		_, err := alive.Await(testContext(t))
		require.NoError(t, err, "a handler that gives signs of life is waited for")
	case <-time.After(8 * sign):
	}
	g.release <- struct{}{}
	got, err := alive.Await(testContext(t))
	require.NoError(t, err)
	require.Equal(t, 9, got)

	silent := amqprpc.Go[int, int](testContext(t), cli, queue, 3, amqprpc.WithLiveness(sign))
	<-g.started
	select { // wait until a heartbeat of this handler must have arrived
	case <-silent.Done():
		require.Fail(t, "it is alive")
	case <-time.After(5 * sign):
	}
	proxy.Refuse()
	proxy.DropBroker(faultproxy.FIN)
	proxy.DropClients(faultproxy.FIN)
	begin := time.Now()
	_, err = silent.Await(testContext(t))
	require.ErrorIs(t, err, amqprpc.CodeUnavailable)
	require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
	require.ErrorContains(t, err, "no sign of life")
	require.Less(t, time.Since(begin), patience)
	require.NoError(t, proxy.Accept())
	close(g.release)
}

func TestPersistentAndQuorum(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	modes := make(chan uint8, 1)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			r, _ := amqprpc.RequestFromContext(ctx)
			modes <- r.Delivery().DeliveryMode
			return n, nil
		}, amqprpc.WithQueue(amqprpc.Queue{Type: "quorum"}))
	})
	cli := dial(t, url, amqprpc.WithPersistent())
	_, err := amqprpc.Call[int, int](testContext(t), cli, queue, 1)
	require.NoError(t, err)
	require.Equal(t, amqp.Persistent, <-modes)
	_, err = newPeer(t, url).ch.QueueDelete(queue, false, false, false)
	require.NoError(t, err)
}

func TestBounce(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	cli := dial(t, url, amqprpc.WithBounce())
	other := dial(t, url, amqprpc.WithBounce())
	// A server declares the queues and stops.
	_, stop := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue+".ttl", square, amqprpc.WithQueue(amqprpc.Queue{Bounce: true, MessageTTL: 50 * time.Millisecond, Expires: time.Minute}))
		amqprpc.Register(s, queue+".full", square, amqprpc.WithQueue(amqprpc.Queue{Bounce: true, MaxLength: 1, Expires: time.Minute}))
	})
	got, err := amqprpc.Call[int, int](testContext(t), cli, queue+".ttl", 3)
	require.NoError(t, err)
	require.Equal(t, 9, got)
	stop()
	_, err = amqprpc.Call[int, int](testContext(t), cli, queue+".ttl", 3)
	require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded)
	require.NotErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
	require.ErrorContains(t, err, "came back")
	dropped := amqprpc.Go[int, int](testContext(t), other, queue+".full", 1)
	eventually(t, "it waits", func() bool { return other.Stats().Pending == 1 })
	awaitConfirms(t, url, other)
	require.NoError(t, amqprpc.Notify(testContext(t), cli, queue+".full", 2))
	_, err = dropped.Await(testContext(t))
	require.ErrorIs(t, err, amqprpc.CodeResourceExhausted)
	require.Zero(t, cli.Stats().UnknownReplies)
	_, err = amqprpc.Dial(testContext(t), url, amqprpc.WithBounce(), amqprpc.WithReplyMode(amqprpc.ReplyDirect))
	require.ErrorContains(t, err, "WithBounce")
}

func TestStateCallback(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	states := make(chan amqprpc.State, 20)
	note := amqprpc.WithStateCallback(func(s amqprpc.State) { states <- s })
	proxy, proxyURL := proxied(t, url)
	_, stop := startServer(t, proxyURL, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) }, note)
	require.Equal(t, amqprpc.StateConnected, <-states)
	require.Equal(t, amqprpc.StateServing, <-states)
	proxy.Cut(faultproxy.RST)
	require.Equal(t, amqprpc.StateDisconnected, <-states)
	require.Equal(t, amqprpc.StateConnected, <-states)
	require.Equal(t, amqprpc.StateServing, <-states)
	_, err := amqprpc.Call[int, int](testContext(t), dial(t, url), queue, 3)
	require.NoError(t, err)
	stop()
	require.Equal(t, amqprpc.StateDraining, <-states)
	cli := dial(t, proxyURL, note)
	require.Equal(t, amqprpc.StateConnected, <-states)
	proxy.Cut(faultproxy.RST)
	require.Equal(t, amqprpc.StateDisconnected, <-states)
	require.Equal(t, amqprpc.StateConnected, <-states)
	require.EqualValues(t, 1, cli.Stats().Reconnects)
	for s := amqprpc.State(0); s <= amqprpc.StateNotServing; s++ {
		require.NotEmpty(t, s.String())
	}
}

func TestSeveralBrokers(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	startServer(t, "amqp://127.0.0.1:1/", func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) }, amqprpc.WithBrokers(url))
	a, aURL := proxied(t, url)
	_, bURL := proxied(t, url)
	cli := dial(t, aURL, amqprpc.WithBrokers(bURL))
	call := func() {
		got, err := amqprpc.Call[int, int](testContext(t), cli, queue, 3, amqprpc.WithIdempotent())
		require.NoError(t, err)
		require.Equal(t, 9, got)
	}
	call()
	a.Refuse()
	a.Cut(faultproxy.RST)
	call()
	_, err := amqprpc.Dial(testContext(t), url, amqprpc.WithBrokers("nonsense://"), amqprpc.WithLogger(nil))
	require.ErrorContains(t, err, "amqp://")
}

// A refusal reaches its caller although no other call wakes the client, and a confirm alone
// does not wake the client at once.
func TestLoneCallThatIsRefused(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	p := newPeer(t, url)
	_, err := p.ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-max-length": 1, "x-overflow": "reject-publish"})
	require.NoError(t, err)
	cli := dial(t, url, amqprpc.WithHeartbeat(time.Minute))
	require.NoError(t, amqprpc.Notify(testContext(t), cli, queue, 1))
	for range 10 {
		began := time.Now()
		_, err = amqprpc.Call[int, int](testContext(t), cli, queue, 3)
		require.ErrorIs(t, err, amqprpc.CodeUnavailable)
		require.Less(t, time.Since(began), 5*time.Second)
	}
	_, err = p.ch.QueueDelete(queue, false, false, false)
	require.NoError(t, err)
}
