package amqprpc_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// patiently keeps slow machines from missing an instance: All waits 2 s for further accepts.
func patiently() amqprpc.CallOption { return amqprpc.WithAcceptWait(10 * time.Second) }

// instances starts n servers of a queue, whose handlers get their server's ID. It waits until
// all take broadcasts.
func instances(t *testing.T, url, queue string, n int, handle func(ctx context.Context, instance string, n int) (string, error), opts ...amqprpc.HandlerOption) []*amqprpc.Server {
	t.Helper()
	all := make([]*amqprpc.Server, n)
	for i := range all {
		all[i], _ = startServer(t, url, func(s *amqprpc.Server) {
			amqprpc.Register(s, queue, func(ctx context.Context, n int) (string, error) { return handle(ctx, s.Instance(), n) },
				append([]amqprpc.HandlerOption{amqprpc.WithBroadcast()}, opts...)...)
		})
	}
	listening(t, url, all...)
	return all
}

// listening waits until servers have mailboxes. Each then has all of its bindings, and has had one
// request.
func listening(t *testing.T, url string, servers ...*amqprpc.Server) {
	t.Helper()
	p := newPeer(t, url)
	returned := p.ch.NotifyReturn(make(chan amqp.Return, 1))
	for _, s := range servers {
		eventually(t, "the server has a mailbox", func() bool {
			p.send("amqprpc.instance."+s.Instance(), amqp.Publishing{
				Headers: amqp.Table{"rpc-queue": "nothing"}, CorrelationId: s.Instance(), Expiration: "60000",
			})
			select {
			case <-p.replies:
				return true
			case <-returned: // there is no such queue yet
				return false
			case <-time.After(patience):
				return false
			}
		})
	}
}

func nameIt(_ context.Context, instance string, n int) (string, error) {
	return fmt.Sprint(instance, " ", n), nil
}

// All gets an answer of each instance.
func TestAll(t *testing.T) {
	t.Parallel()
	url := brokerURL(t)
	for name, mode := range map[string]amqprpc.ReplyMode{"resumable": amqprpc.ReplyResumable, "exclusive": amqprpc.ReplyExclusive, "direct": amqprpc.ReplyDirect} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			queue := queueName(t)
			servers := instances(t, url, queue, 3, nameIt)
			cli := dial(t, url, amqprpc.WithReplyMode(mode))
			m := amqprpc.Method[int, string](queue)
			for round := range 3 {
				got := make(map[string]string)
				for a, err := range m.All(testContext(t), cli, round, patiently()) {
					require.NoError(t, err)
					got[a.Instance] = a.Value
				}
				require.Len(t, got, 3)
				for _, s := range servers {
					require.Equal(t, fmt.Sprint(s.Instance(), " ", round), got[s.Instance()])
				}
			}
			require.EqualValues(t, 3, cli.Stats().Broadcasts)
			require.Zero(t, cli.Stats().UnknownReplies)
			for _, s := range servers {
				require.GreaterOrEqual(t, s.Stats().InstanceRequests, int64(3))
				require.Zero(t, s.Stats().InstanceRepeated)
			}
			// The queue's own requests are answered as ever.
			_, err := m.Call(testContext(t), cli, 1)
			require.NoError(t, err)
		})
	}
}

// Nothing happens before the answers are ranged over, and each range is a broadcast.
func TestAllIsLazy(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	var runs atomic.Int64
	instances(t, url, queue, 1, func(context.Context, string, int) (string, error) {
		return fmt.Sprint(runs.Add(1)), nil
	})
	cli := dial(t, url)
	answers := amqprpc.All[int, string](testContext(t), cli, queue, 1)
	require.Zero(t, cli.Stats().Broadcasts)
	for i := 1; i <= 2; i++ {
		for a, err := range answers {
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(i), a.Value)
		}
	}
}

// Where nobody takes broadcasts, All and NotifyAll fail in a round trip and not at their deadlines.
func TestAllWithoutServers(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	cli := dial(t, url)
	check := func(t *testing.T) {
		t.Helper()
		pairs := 0
		for a, err := range amqprpc.All[int, string](testContext(t), cli, queue, 1, amqprpc.WithAcceptWait(time.Hour), amqprpc.WithTimeout(time.Hour)) {
			pairs++
			require.ErrorIs(t, err, amqprpc.CodeUnavailable)
			require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
			require.Zero(t, a)
		}
		require.Equal(t, 1, pairs)
		err := amqprpc.NotifyAll(testContext(t), cli, queue, 1, amqprpc.WithTimeout(time.Hour))
		require.ErrorIs(t, err, amqprpc.CodeUnavailable)
		require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
	}
	check(t) // no exchange, on a broker of the test's own
	var runs atomic.Int64
	srv, _ := startServer(t, url, func(s *amqprpc.Server) { // without WithBroadcast
		amqprpc.Register(s, queue, func(context.Context, int) (string, error) { runs.Add(1); return "", nil })
	})
	listening(t, url, srv)
	check(t)
	require.Zero(t, runs.Load(), "the handler did not ask for broadcasts")
	// A missing exchange does not turn later broadcasts off.
	other := queueName(t)
	instances(t, url, other, 1, nameIt)
	n := 0
	for _, err := range amqprpc.All[int, string](testContext(t), cli, other, 1, patiently()) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 1, n)
	require.Zero(t, cli.Stats().Reconnects)
}

// The error of an instance is a pair like any other.
func TestAllWithErrors(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	var first atomic.Bool
	servers := instances(t, url, queue, 3, func(_ context.Context, instance string, _ int) (string, error) {
		if first.CompareAndSwap(false, true) {
			return instance, amqprpc.Errorf(amqprpc.CodeNotFound, "not here").WithDetail("who", instance)
		}
		return instance, nil
	})
	cli := dial(t, url)
	failed, fine := 0, 0
	for a, err := range amqprpc.All[int, string](testContext(t), cli, queue, 1, patiently()) {
		require.NotEmpty(t, a.Instance)
		if err == nil {
			fine++
			require.Equal(t, a.Instance, a.Value)
			continue
		}
		failed++
		require.ErrorIs(t, err, amqprpc.CodeNotFound)
		require.True(t, amqprpc.IsRemote(err))
		require.Equal(t, amqprpc.OutcomeExecuted, amqprpc.OutcomeOf(err))
		who, _ := amqprpc.Detail[string](err, "who")
		require.Equal(t, a.Instance, who)
	}
	require.Equal(t, 1, failed)
	require.Equal(t, len(servers)-1, fine)
}

// A loop that breaks cancels the handlers that still run: a quorum.
func TestAllBreakCancelsTheRest(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	var quick atomic.Int64
	ended := make(chan error, 2)
	var slow sync.WaitGroup
	slow.Add(2)
	instances(t, url, queue, 3, func(ctx context.Context, instance string, _ int) (string, error) {
		if quick.Add(1) == 1 {
			slow.Wait()
			return "quick", nil
		}
		slow.Done()
		<-ctx.Done()
		ended <- ctx.Err()
		return "", ctx.Err()
	})
	cli := dial(t, url)
	for a, err := range amqprpc.All[int, string](testContext(t), cli, queue, 1, patiently()) {
		require.NoError(t, err)
		require.Equal(t, "quick", a.Value)
		break
	}
	for range 2 {
		select {
		case err := <-ended:
			require.ErrorIs(t, err, context.Canceled)
		case <-time.After(patience):
			require.FailNow(t, "a handler was not cancelled")
		}
	}
	eventually(t, "one cancel was sent", func() bool { return cli.Stats().Cancelled == 1 })
	require.Zero(t, cli.Stats().Pending)
}

// All ends at its deadline and when its ctx is cancelled. What was answered before comes first.
func TestAllEndsWithItsContext(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	var turn atomic.Int64
	instances(t, url, queue, 2, func(ctx context.Context, _ string, _ int) (string, error) {
		if turn.Add(1)%2 == 1 {
			return "quick", nil
		}
		<-ctx.Done()
		return "", ctx.Err()
	})
	cli := dial(t, url)
	for code, begin := range map[amqprpc.Code]func() (context.Context, context.CancelFunc){
		amqprpc.CodeCanceled: func() (context.Context, context.CancelFunc) { return context.WithCancel(testContext(t)) },
		amqprpc.CodeDeadlineExceeded: func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(testContext(t), 3*time.Second)
		},
	} {
		ctx, cancel := begin()
		pairs := 0
		for a, err := range amqprpc.All[int, string](ctx, cli, queue, 1, patiently()) {
			pairs++
			if pairs == 1 {
				require.NoError(t, err)
				require.Equal(t, "quick", a.Value)
				if code == amqprpc.CodeCanceled {
					cancel()
				}
				continue
			}
			if a.Instance != "" { // its server may answer at the deadline, too
				require.ErrorIs(t, err, code)
				continue
			}
			require.ErrorIs(t, err, code)
			require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
		}
		require.GreaterOrEqual(t, pairs, 2, code)
		cancel()
	}
}

// NotifyAll reaches each instance once.
func TestNotifyAll(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	got := make(chan string, 100)
	servers := instances(t, url, queue, 3, func(ctx context.Context, instance string, n int) (string, error) {
		r, _ := amqprpc.RequestFromContext(ctx)
		if r.Kind() != amqprpc.KindNotification || r.Instance() != instance {
			instance = "wrong"
		}
		got <- fmt.Sprint(instance, " ", n)
		return "", nil
	})
	cli := dial(t, url)
	require.NoError(t, amqprpc.Method[int, string](queue).NotifyAll(testContext(t), cli, 7))
	var want, have []string
	for _, s := range servers {
		want = append(want, fmt.Sprint(s.Instance(), " ", 7))
		have = append(have, <-got)
	}
	require.ElementsMatch(t, want, have)
	require.Empty(t, got)
}

// WithInstance reaches one server alone, with calls and notifications.
func TestWithInstance(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	notified := make(chan string, 10)
	servers := instances(t, url, queue, 3, func(ctx context.Context, instance string, n int) (string, error) {
		if r, _ := amqprpc.RequestFromContext(ctx); r.Kind() == amqprpc.KindNotification {
			notified <- instance
		}
		return nameIt(ctx, instance, n)
	})
	for _, mode := range []amqprpc.ReplyMode{amqprpc.ReplyResumable, amqprpc.ReplyExclusive, amqprpc.ReplyDirect} {
		cli := dial(t, url, amqprpc.WithReplyMode(mode), amqprpc.WithLiveness(time.Second))
		for n, s := range servers {
			to := amqprpc.WithInstance(s.Instance())
			for _, more := range [][]amqprpc.CallOption{nil, {amqprpc.WithFailFast()}, {amqprpc.WithIdempotent()}} {
				got, err := amqprpc.Call[int, string](testContext(t), cli, queue, n, append(more, to)...)
				require.NoError(t, err)
				require.Equal(t, fmt.Sprint(s.Instance(), " ", n), got)
			}
			require.NoError(t, amqprpc.Notify(testContext(t), cli.With(to), queue, n))
			require.Equal(t, s.Instance(), <-notified)
		}
		_, err := amqprpc.Call[int, string](testContext(t), cli, queue, 1, amqprpc.WithInstance("nobody"))
		require.ErrorIs(t, err, amqprpc.CodeUnavailable)
		require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
		require.ErrorContains(t, err, "no such instance")
		err = amqprpc.Notify(testContext(t), cli, queue, 1, amqprpc.WithInstance("nobody"))
		require.ErrorIs(t, err, amqprpc.CodeUnavailable)
		_, err = amqprpc.Call[int, string](testContext(t), cli, queue+".other", 1, amqprpc.WithInstance(servers[0].Instance()))
		require.ErrorIs(t, err, amqprpc.CodeUnimplemented)
		require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
		for id, code := range map[string]amqprpc.Code{"a\nb": amqprpc.CodeInvalidArgument, strings.Repeat("x", 255): amqprpc.CodeInvalidArgument} {
			_, err = amqprpc.Call[int, string](testContext(t), cli, queue, 1, amqprpc.WithInstance(id))
			require.ErrorIs(t, err, code)
			require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
		}
	}
}

// Streams and broadcasts do not take WithInstance.
func TestWithInstanceWhereItMeansNothing(t *testing.T) {
	t.Parallel()
	cli := dial(t, brokerURL(t))
	to := amqprpc.WithInstance("x")
	for _, err := range amqprpc.All[int, int](testContext(t), cli, "q", 1, to) {
		require.ErrorIs(t, err, amqprpc.CodeUnimplemented)
	}
	for _, err := range amqprpc.ServerStream[int, int]("q").Call(testContext(t), cli, 1, to) {
		require.ErrorIs(t, err, amqprpc.CodeUnimplemented)
	}
	require.ErrorIs(t, amqprpc.NotifyAll(testContext(t), cli, "q", 1, to), amqprpc.CodeUnimplemented)
}

// WithBroadcast and WithoutControl contradict each other.
func TestBroadcastNeedsControl(t *testing.T) {
	t.Parallel()
	url := brokerURL(t)
	srv := amqprpc.NewServer(url, amqprpc.WithoutControl())
	require.Panics(t, func() { amqprpc.Register(srv, "q", square, amqprpc.WithBroadcast()) })
	require.Empty(t, srv.Instance())
	stream := func(context.Context, int, *amqprpc.Sender[int]) error { return nil }
	require.Panics(t, func() {
		amqprpc.RegisterServerStream(amqprpc.NewServer(url), "q", stream, amqprpc.WithBroadcast())
	})
	cli := dial(t, url, amqprpc.WithoutControl())
	for _, err := range amqprpc.All[int, int](testContext(t), cli, "q", 1) {
		require.ErrorIs(t, err, amqprpc.CodeFailedPrecondition)
		require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
	}
}
