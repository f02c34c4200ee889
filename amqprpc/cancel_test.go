package amqprpc_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// waiting is a handler that waits for the end of its ctx and reports the cause.
type waiting struct {
	started chan string
	ended   chan error
}

func newWaiting() *waiting {
	return &waiting{started: make(chan string, 16), ended: make(chan error, 16)}
}

func (w *waiting) handle(ctx context.Context, _ int) (int, error) {
	r, _ := amqprpc.RequestFromContext(ctx)
	w.started <- r.ID()
	<-ctx.Done()
	w.ended <- ctx.Err()
	return 0, ctx.Err()
}

// hasInstance waits until a server consumes cancels.
func hasInstance(t *testing.T, url, queue string) {
	t.Helper()
	p := newPeer(t, url)
	eventually(t, "the server listens to control messages", func() bool {
		ch, err := p.conn.Channel()
		require.NoError(t, err)
		defer ch.Close()
		returns := ch.NotifyReturn(make(chan amqp.Return, 1))
		require.NoError(t, ch.Confirm(false))
		confirm, err := ch.PublishWithDeferredConfirm("amqprpc.control", "cancel."+queue, true, false, amqp.Publishing{
			Type: "cancel", Expiration: "1000", Body: []byte("[]"),
		})
		if err != nil || !confirm.Wait() {
			return false
		}
		select {
		case <-returns:
			return false
		default:
			return true
		}
	})
}

// When the caller cancels, the handler's ctx ends and the server sends no reply.
func TestCancelReachesTheHandler(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	for name, giveUp := range map[string]func(t *testing.T, cli *amqprpc.Client, cancel context.CancelFunc){
		"ctx is cancelled": func(_ *testing.T, _ *amqprpc.Client, cancel context.CancelFunc) { cancel() },
		"client is closed": func(t *testing.T, cli *amqprpc.Client, _ context.CancelFunc) { require.NoError(t, cli.Close()) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWaiting()
			queue := queue + "." + name
			srv, _ := startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, w.handle) })
			hasInstance(t, url, queue)
			cli := dial(t, url)
			ctx, cancel := context.WithCancel(testContext(t))
			defer cancel()
			f := amqprpc.Go[int, int](ctx, cli, queue, 1)
			<-w.started
			began := time.Now()
			giveUp(t, cli, cancel)
			require.ErrorIs(t, <-w.ended, context.Canceled)
			require.Less(t, time.Since(began), 10*time.Second, "long before the deadline of 30 s")
			_, err := f.Await(testContext(t))
			require.ErrorIs(t, err, amqprpc.CodeCanceled)
			require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
			eventually(t, "one cancel was sent", func() bool { return cli.Stats().Cancelled == 1 })
			eventually(t, "the request is done with", func() bool { return srv.Stats().Handled == 1 })
			require.EqualValues(t, 1, srv.Stats().Cancelled)
			require.Zero(t, srv.Stats().ReturnedReplies, "no reply was sent")
			require.Zero(t, cli.Stats().LateReplies)
		})
	}
}

// A request that is cancelled while it waits does not run.
func TestCancelledRequestDoesNotRun(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	w, release := newWaiting(), make(chan struct{})
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			r, _ := amqprpc.RequestFromContext(ctx)
			w.started <- r.ID()
			<-release
			return n, nil
		}, amqprpc.WithConcurrency(1), amqprpc.WithPrefetch(2))
		amqprpc.Register(s, queue+".ping", square)
	})
	hasInstance(t, url, queue)
	cli := dial(t, url)
	first := amqprpc.Go[int, int](testContext(t), cli, queue, 1, amqprpc.WithCallID("first"))
	require.Equal(t, "first", <-w.started)
	var later []*amqprpc.Future[int]
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	for range 5 { // the first request is prefetched, the others wait in the queue
		later = append(later, amqprpc.Go[int, int](ctx, cli, queue, 2))
	}
	eventually(t, "all are sent", func() bool { return waitingIn(t, url, queue) == 4 })
	cancel()
	for _, f := range later {
		_, err := f.Await(testContext(t))
		require.ErrorIs(t, err, amqprpc.CodeCanceled)
	}
	last := amqprpc.Go[int, int](testContext(t), cli, queue, 7, amqprpc.WithCallID("last"))
	eventually(t, "the cancels are sent", func() bool { return cli.Stats().Cancelled == 5 })
	for n := range 20 { // enough requests to follow all earlier ones
		_, err := amqprpc.Call[int, int](testContext(t), cli, queue+".ping", n)
		require.NoError(t, err)
	}
	close(release)
	_, err := first.Await(testContext(t))
	require.NoError(t, err)
	got, err := last.Await(testContext(t))
	require.NoError(t, err)
	require.Equal(t, 7, got)
	require.Equal(t, "last", <-w.started, "none of the cancelled ones ran")
	require.EqualValues(t, 5, srv.Stats().Cancelled)
}

// waitingIn returns the number of messages in a queue.
func waitingIn(t *testing.T, url, queue string) int {
	t.Helper()
	q, err := newPeer(t, url).ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	require.NoError(t, err)
	return q.Messages
}

// A call that ends by its deadline or with an answer sends no cancel.
func TestNoCancelWithoutNeed(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	w := newWaiting()
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			if n < 0 {
				return w.handle(ctx, n)
			}
			return n, nil
		})
	})
	cli := dial(t, url)
	_, err := amqprpc.Call[int, int](testContext(t), cli, queue, 1)
	require.NoError(t, err)
	_, err = amqprpc.Call[int, int](testContext(t), cli, queue, -1, amqprpc.WithTimeout(50*time.Millisecond))
	require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded)
	require.ErrorIs(t, <-w.ended, context.DeadlineExceeded)
	require.NoError(t, amqprpc.Notify(testContext(t), cli, queue, 1))
	require.Zero(t, cli.Stats().Cancelled)
	require.Zero(t, srv.Stats().Cancelled)
}

// If middleware abandons an attempt, the client cancels that attempt but not the next one.
func TestAbandonedAttemptIsCancelled(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	w := newWaiting()
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			if r, _ := amqprpc.RequestFromContext(ctx); r.Attempt() == 1 {
				return w.handle(ctx, n)
			}
			return n, nil
		})
	})
	hasInstance(t, url, queue)
	twice := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			first, abandon := context.WithCancel(ctx)
			go func() { <-w.started; abandon() }()
			if _, err := next(first, req); err == nil {
				return nil, errors.New("the first attempt was answered")
			}
			return next(ctx, req)
		}
	}
	got, err := amqprpc.Call[int, int](testContext(t), dial(t, url), queue, 3, amqprpc.WithMiddleware(twice))
	require.NoError(t, err)
	require.Equal(t, 3, got)
	require.ErrorIs(t, <-w.ended, context.Canceled)
}

// A client with WithoutControl sends no cancels. Without a control exchange, the broker drops
// cancels. Calls still work.
func TestWithoutControl(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	w := newWaiting()
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			if n < 0 {
				return w.handle(ctx, n)
			}
			return n, nil
		}, amqprpc.WithHandlerTimeout(time.Second))
	}, amqprpc.WithoutControl())
	for _, cli := range []*amqprpc.Client{dial(t, url, amqprpc.WithoutControl()), dial(t, url)} {
		for range 2 {
			ctx, cancel := context.WithCancel(testContext(t))
			f := amqprpc.Go[int, int](ctx, cli, queue, -1)
			<-w.started
			cancel()
			_, err := f.Await(testContext(t))
			require.ErrorIs(t, err, amqprpc.CodeCanceled)
			require.ErrorIs(t, <-w.ended, context.DeadlineExceeded)
			got, err := amqprpc.Call[int, int](testContext(t), cli, queue, 5)
			require.NoError(t, err)
			require.Equal(t, 5, got)
		}
	}
	require.Zero(t, srv.Stats().Cancelled)
}

// The server ignores malformed cancels and cancels of unknown requests.
func TestHostileControlMessages(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	g := newGated()
	srv, _ := startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, g.handle) })
	hasInstance(t, url, queue)
	cli := dial(t, url)
	f := amqprpc.Go[int, int](testContext(t), cli, queue, 3)
	<-g.started
	p := newPeer(t, url)
	cancel := func(m amqp.Publishing) {
		require.NoError(t, p.ch.Publish("amqprpc.control", "cancel."+queue, false, false, m))
	}
	bad := []amqp.Publishing{
		{},
		{Type: "cancel"},
		{Type: "cancel", Expiration: "1000", Body: []byte("no JSON")},
		{Type: "cancel", Expiration: "1000", Body: []byte(`{"a":1}`)},
		{Type: "cancel", Expiration: "1000", Body: []byte(`[1,2]`)},
		{Type: "cancel", Body: []byte(`["x"]`)},
		{Type: "launch", Expiration: "1000", Body: []byte(`["x"]`)},
		{Type: "cancel", Expiration: "1000", Body: []byte(`[""]`)}, // would drop each request that has no correlation id
		{Type: "cancel", Expiration: "1000", Body: []byte(`["` + strings.Repeat("x", 256) + `"]`)},
	}
	for _, m := range bad {
		cancel(m)
	}
	for _, id := range []string{"x", "1", "AAAAAAAAAAAAAAAA1"} {
		cancel(amqp.Publishing{Type: "cancel", Expiration: "1000", Body: []byte(`["` + id + `"]`)})
	}
	eventually(t, "the bad ones are counted", func() bool { return srv.Stats().BadControl == int64(len(bad)) })
	close(g.release)
	got, err := f.Await(testContext(t))
	require.NoError(t, err)
	require.Equal(t, 9, got)
	require.Zero(t, srv.Stats().Cancelled)
}

// Close does not wait for a broker that takes nothing for now, though a cancel does.
func TestCloseWhileACancelWaits(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	queue := queueName(t)
	w := newWaiting()
	serve(t, broker.URL(), func(s *amqprpc.Server) { amqprpc.Register(s, queue, w.handle) }, amqprpc.WithDrainTimeout(time.Millisecond))
	cli, err := amqprpc.Dial(testContext(t), broker.URL(), amqprpc.WithLogger(nil))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	first := amqprpc.Go[int, int](ctx, cli, queue, 1)
	second := amqprpc.Go[int, int](testContext(t), cli, queue, 2)
	<-w.started
	<-w.started
	broker.RaiseAlarm(amqptest.MemoryAlarm)
	defer broker.ClearAlarm(amqptest.MemoryAlarm)
	amqprpc.Go[int, int](testContext(t), cli, queue, 3)
	eventually(t, "the client is blocked", func() bool { return cli.Status().Connection.Blocked })
	cancel()
	_, err = first.Await(testContext(t))
	require.ErrorIs(t, err, amqprpc.CodeCanceled)
	closed := make(chan struct{})
	go func() { defer close(closed); cli.Close() }()
	_, err = second.Await(testContext(t))
	require.ErrorIs(t, err, amqprpc.ErrClientClosed)
	select {
	case <-closed:
	case <-time.After(patience):
		require.FailNow(t, "Close waits for the alarm's end")
	}
}

// A server whose mailbox is deleted makes it anew, and leaves no channel behind.
func TestDeletedInstanceQueueLeavesNoChannel(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	startServer(t, broker.URL(), func(s *amqprpc.Server) { amqprpc.Register(s, queueName(t), square) }, amqprpc.WithConnectionName("server"))
	p := newPeer(t, broker.URL())
	instance := func() string {
		for _, q := range broker.Queues() {
			if strings.HasPrefix(q.Name, "amqprpc.instance.") && len(q.Consumers) == 1 {
				return q.Name
			}
		}
		return ""
	}
	for range 3 {
		eventually(t, "there is a mailbox", func() bool { return instance() != "" })
		_, err := p.ch.QueueDelete(instance(), false, false, false)
		require.NoError(t, err)
	}
	eventually(t, "there is a mailbox again", func() bool { return instance() != "" })
	require.Len(t, broker.Connection("server").Info().Channels, 2, "that of the queue, and that of the mailbox")
}
