package amqprpc_test

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/faultproxy"
)

// proxied returns a fault proxy in front of the broker, and its URL.
func proxied(t *testing.T, brokerURL string) (*faultproxy.Proxy, string) {
	t.Helper()
	u, err := url.Parse(brokerURL)
	require.NoError(t, err)
	p, err := faultproxy.New(u.Host)
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	proxyURL, err := p.URL(brokerURL)
	require.NoError(t, err)
	return p, proxyURL
}

// gated is a handler that reports its start and waits for permission to continue or for the
// end of its ctx.
type gated struct {
	counting
	started chan struct{}
	release chan struct{}
}

func newGated() *gated {
	return &gated{started: make(chan struct{}, 100), release: make(chan struct{})}
}

func (g *gated) handle(ctx context.Context, n int) (int, error) {
	r, _ := amqprpc.RequestFromContext(ctx)
	g.ran(r.ID())
	g.started <- struct{}{}
	select {
	case <-g.release:
		return n * n, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// awaitConfirms returns after the broker has confirmed all earlier messages of cli. The
// client processes confirms in order, and Notify returns after its own confirm.
func awaitConfirms(t *testing.T, url string, cli *amqprpc.Client) {
	t.Helper()
	require.NoError(t, amqprpc.Notify(testContext(t), cli, newPeer(t, url).replyTo, 0))
}

func TestCallSurvivesTheClientsConnection(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	g := newGated()
	startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, g.handle) })
	proxy, clientURL := proxied(t, url)
	cli := dial(t, clientURL)
	f := amqprpc.Go[int, int](testContext(t), cli, queue, 9)
	<-g.started
	awaitConfirms(t, url, cli)
	proxy.Cut(faultproxy.RST)
	eventually(t, "the client is back", func() bool { return cli.Stats().Reconnects == 1 })
	close(g.release)
	got, err := f.Await(testContext(t))
	require.NoError(t, err)
	require.Equal(t, 81, got)
	require.Equal(t, 1, g.total())
}

func TestReplyWaitsForTheClient(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	g := newGated()
	srv, _ := startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, g.handle) })
	proxy, clientURL := proxied(t, url)
	cli := dial(t, clientURL)
	f := amqprpc.Go[int, int](testContext(t), cli, queue, 9)
	<-g.started
	awaitConfirms(t, url, cli)
	proxy.Refuse()
	proxy.Cut(faultproxy.FIN)
	close(g.release)
	eventually(t, "the server has replied", func() bool { return srv.Stats().Handled == 1 })
	require.NoError(t, proxy.Accept())
	got, err := f.Await(testContext(t))
	require.NoError(t, err)
	require.Equal(t, 81, got)
	require.Zero(t, srv.Stats().ReturnedReplies)
}

func TestCallSurvivesTheServersConnection(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	g := newGated()
	proxy, serverURL := proxied(t, url)
	srv, _ := startServer(t, serverURL, func(s *amqprpc.Server) { amqprpc.Register(s, queue, g.handle) })
	cli := dial(t, url)
	f := amqprpc.Go[int, int](testContext(t), cli, queue, 9)
	<-g.started
	proxy.Cut(faultproxy.RST)
	<-g.started // runs again on the new connection
	close(g.release)
	got, err := f.Await(testContext(t))
	require.NoError(t, err)
	require.Equal(t, 81, got)
	require.Equal(t, 2, g.total())
	require.EqualValues(t, 1, srv.Stats().Redelivered)
	require.EqualValues(t, 1, srv.Stats().Reconnects)
	require.Zero(t, cli.Stats().RepeatedReplies, "the cancelled handler answered nothing")
}

// In the other reply modes, replies cannot reach a client that has reconnected.
func TestCallsFailAtOnceWhereRepliesAreLost(t *testing.T) {
	t.Parallel()
	for _, mode := range []amqprpc.ReplyMode{amqprpc.ReplyExclusive, amqprpc.ReplyDirect} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			t.Parallel()
			url, queue := brokerURL(t), queueName(t)
			g := newGated()
			startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, g.handle) })
			proxy, clientURL := proxied(t, url)
			cli := dial(t, clientURL, amqprpc.WithReplyMode(mode))
			f := amqprpc.Go[int, int](testContext(t), cli, queue, 9)
			<-g.started
			proxy.Cut(faultproxy.RST)
			_, err := f.Await(testContext(t))
			require.ErrorIs(t, err, amqprpc.CodeUnavailable)
			require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
			close(g.release)
			got, err := amqprpc.Call[int, int](testContext(t), cli, queue, 5)
			require.NoError(t, err, "the next call waits for the new connection")
			require.Equal(t, 25, got)
		})
	}
}

// If the client is disconnected for longer than its reply queue lives, its calls fail at once
// after the reconnection.
func TestCallFailsWhenTheReplyQueueIsGone(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	g := newGated()
	replyTo := make(chan string, 1)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			r, _ := amqprpc.RequestFromContext(ctx)
			replyTo <- r.Delivery().ReplyTo
			return g.handle(ctx, n)
		})
	})
	proxy, clientURL := proxied(t, url)
	cli := dial(t, clientURL)
	f := amqprpc.Go[int, int](testContext(t), cli, queue, 9)
	<-g.started
	proxy.Refuse()
	proxy.Cut(faultproxy.RST)
	_, err := newPeer(t, url).ch.QueueDelete(<-replyTo, false, false, false)
	require.NoError(t, err)
	require.NoError(t, proxy.Accept())
	_, err = f.Await(testContext(t))
	require.ErrorIs(t, err, amqprpc.CodeUnavailable)
	require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
	close(g.release)
	got, err := amqprpc.Call[int, int](testContext(t), cli, queue, 5)
	require.NoError(t, err)
	require.Equal(t, 25, got)
}

// The client also notices the deletion of its reply queue while it is connected.
func TestReplyQueueDeletedUnderTheClient(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	g := newGated()
	replyTo := make(chan string, 2)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			r, _ := amqprpc.RequestFromContext(ctx)
			replyTo <- r.Delivery().ReplyTo
			return g.handle(ctx, n)
		})
	})
	cli := dial(t, url)
	f := amqprpc.Go[int, int](testContext(t), cli, queue, 9)
	<-g.started
	_, err := newPeer(t, url).ch.QueueDelete(<-replyTo, false, false, false)
	require.NoError(t, err)
	_, err = f.Await(testContext(t))
	require.ErrorIs(t, err, amqprpc.CodeUnavailable)
	require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
	close(g.release)
	_, err = amqprpc.Call[int, int](testContext(t), cli, queue, 5)
	require.NoError(t, err)
}

func TestRequestQueueDeletedUnderTheServer(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	g := newGated()
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, g.handle)
		amqprpc.Register(s, queue+".other", square)
	})
	cli := dial(t, url)
	f := amqprpc.Go[int, int](testContext(t), cli, queue, 9)
	<-g.started
	p := newPeer(t, url)
	_, err := p.ch.QueueDelete(queue, false, false, false)
	require.NoError(t, err)
	eventually(t, "the queue is declared and consumed anew", func() bool {
		ch, err := p.conn.Channel()
		require.NoError(t, err)
		defer ch.Close()
		q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		return err == nil && q.Consumers == 1
	})
	close(g.release)
	got, err := f.Await(testContext(t))
	require.NoError(t, err, "what was running is answered: it would not be delivered again")
	require.Equal(t, 81, got)
	for _, q := range []string{queue, queue + ".other"} {
		got, err = amqprpc.Call[int, int](testContext(t), cli, q, 5)
		require.NoError(t, err)
		require.Equal(t, 25, got)
	}
	require.Zero(t, srv.Stats().Reconnects)
}

// The server dies between its reply and the ack. The next server runs the request again, and
// the caller gets one answer.
func TestServerDiesBetweenReplyAndAcknowledgement(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	dying := newPeer(t, url)
	_, err := dying.ch.QueueDeclare(queue, true, false, false, false, nil)
	require.NoError(t, err)
	requests, err := dying.ch.Consume(queue, "", false, false, false, false, nil)
	require.NoError(t, err)
	cli := dial(t, url)
	f := amqprpc.Go[int, int](testContext(t), cli, queue, 3)
	d := <-requests
	require.NoError(t, dying.ch.Publish("", d.ReplyTo, true, false, amqp.Publishing{CorrelationId: d.CorrelationId, Body: []byte("9")}))
	got, err := f.Await(testContext(t))
	require.NoError(t, err)
	require.Equal(t, 9, got)
	dying.conn.Close()

	ids := make(chan string, 1)
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			r, _ := amqprpc.RequestFromContext(ctx)
			ids <- r.ID()
			return n * n, nil
		})
	})
	require.Equal(t, d.MessageId, <-ids, "the same id")
	eventually(t, "the second answer is dropped and counted", func() bool { return cli.Stats().LateReplies == 1 })
	require.EqualValues(t, 1, srv.Stats().Redelivered)
}

// A second answer to a pending call is counted as a repeated reply.
func TestRepeatedReplies(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	server := newPeer(t, url)
	_, err := server.ch.QueueDeclare(queue, false, true, false, false, nil)
	require.NoError(t, err)
	requests, err := server.ch.Consume(queue, "", true, false, false, false, nil)
	require.NoError(t, err)
	waiting, goOn := make(chan struct{}), make(chan struct{})
	hold := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			resp, err := next(ctx, req)
			close(waiting)
			<-goOn
			return resp, err
		}
	}
	cli := dial(t, url, amqprpc.WithMiddleware(hold))
	f := amqprpc.Go[int, int](testContext(t), cli, queue, 3)
	d := <-requests
	answer := func(correlationID, body string) {
		require.NoError(t, server.ch.Publish("", d.ReplyTo, true, false, amqp.Publishing{CorrelationId: correlationID, Body: []byte(body)}))
	}
	answer(d.CorrelationId+"x", "1")
	answer("nobody's", "1")
	answer("", "1")
	answer(d.CorrelationId, "9")
	<-waiting
	answer(d.CorrelationId, "10")
	eventually(t, "counted", func() bool {
		s := cli.Stats()
		return s.RepeatedReplies == 1 && s.UnknownReplies+s.LateReplies == 3
	})
	close(goOn)
	got, err := f.Await(testContext(t))
	require.NoError(t, err)
	require.Equal(t, 9, got)
}

// Calls wait for a connection. If their time ends first, their errors have the outcome
// not-sent and the reason.
func TestCallsWaitForTheConnection(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) })
	proxy, clientURL := proxied(t, url)
	cli := dial(t, clientURL)
	proxy.Refuse()
	proxy.Cut(faultproxy.RST)
	// The client notices the loss at the first refused attempt.
	eventually(t, "the client notices", func() bool {
		_, err := amqprpc.Call[int, int](testContext(t), cli, queue, 1, amqprpc.WithTimeout(20*time.Millisecond))
		return err != nil && amqprpc.OutcomeOf(err) == amqprpc.OutcomeNotSent
	})
	_, err := amqprpc.Call[int, int](testContext(t), cli, queue, 1, amqprpc.WithTimeout(20*time.Millisecond))
	require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "waiting for a connection")
	f := amqprpc.Go[int, int](testContext(t), cli, queue, 4)
	n := make(chan error, 1)
	go func() { n <- amqprpc.Notify(testContext(t), cli, queue, 4) }()
	require.NoError(t, proxy.Accept())
	got, err := f.Await(testContext(t))
	require.NoError(t, err)
	require.Equal(t, 16, got)
	require.NoError(t, <-n)
}

// All connections are cut repeatedly while calls are running. No call is stranded or gets
// another call's answer.
func TestCutAgainAndAgain(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	serverProxy, serverURL := proxied(t, url)
	clientProxy, clientURL := proxied(t, url)
	startServer(t, serverURL, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) })
	cli := dial(t, clientURL)
	ctx := testContext(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	answered, unknown := 0, 0
	for w := range 8 {
		wg.Go(func() {
			for i := w; ; i += 8 {
				select {
				case <-stop:
					return
				default:
				}
				got, err := amqprpc.Call[int, int](ctx, cli, queue, i%1000)
				mu.Lock()
				if err == nil {
					assert.Equal(t, (i%1000)*(i%1000), got)
					answered++
				} else {
					assert.ErrorIs(t, err, amqprpc.CodeUnavailable)
					assert.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
					unknown++
				}
				mu.Unlock()
			}
		})
	}
	for i := range 6 {
		before := serverProxy.Stats().Accepted + clientProxy.Stats().Accepted
		var done <-chan struct{}
		if i%2 == 0 {
			done = clientProxy.CutAfter(faultproxy.ToBroker, int64(1000+i*577), faultproxy.RST)
		} else {
			done = serverProxy.CutAfter(faultproxy.ToBroker, int64(1000+i*577), faultproxy.FIN)
		}
		<-done
		eventually(t, "reconnected", func() bool {
			return serverProxy.Stats().Accepted+clientProxy.Stats().Accepted > before
		})
	}
	close(stop)
	wg.Wait()
	require.NotZero(t, answered)
	require.LessOrEqual(t, unknown, 8*6)
	t.Logf("%d answered, %d unknown", answered, unknown)
}

// A reply that was not acked before the connection was lost arrives twice. The second copy
// does not count as late.
func TestRedeliveredReplyIsNotLate(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	startServer(t, broker.URL(), func(s *amqprpc.Server) { amqprpc.Register(s, "q", square) })
	cli := dial(t, broker.URL(), amqprpc.WithConnectionName("client"))
	_, err := amqprpc.Call[int, int](testContext(t), cli, "q", 3)
	require.NoError(t, err)
	broker.Connection("client").Cut()
	eventually(t, "connected again", func() bool { return cli.Stats().Reconnects == 1 })
	_, err = amqprpc.Call[int, int](testContext(t), cli, "q", 3) // its reply arrives after the redelivered reply
	require.NoError(t, err)
	require.Zero(t, cli.Stats().LateReplies)
	require.Zero(t, cli.Stats().RepeatedReplies)
}
