package faultsuite

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// restartFate is what a restart of the broker does to a call in flight.
type restartFate int

const (
	failsAtOnce      restartFate = iota // unavailable, outcome unknown
	isSentAgain                         // by the client
	isDeliveredAgain                    // by the broker, which has kept the request
)

// restartKinds are the kinds of calls that a restart of the broker finds in flight.
var restartKinds = []struct {
	name string
	opts []amqprpc.CallOption
	fate restartFate
}{
	{"plain", nil, failsAtOnce},
	{"fail fast", []amqprpc.CallOption{amqprpc.WithFailFast()}, failsAtOnce},
	{"with liveness", []amqprpc.CallOption{amqprpc.WithLiveness(10 * time.Second)}, failsAtOnce},
	{"idempotent", []amqprpc.CallOption{amqprpc.WithIdempotent()}, isSentAgain},
	{"idempotent with liveness", []amqprpc.CallOption{amqprpc.WithIdempotent(), amqprpc.WithLiveness(10 * time.Second)}, isSentAgain},
	{"persistent", []amqprpc.CallOption{amqprpc.WithPersistent()}, isDeliveredAgain},
	{"persistent and idempotent", []amqprpc.CallOption{amqprpc.WithPersistent(), amqprpc.WithIdempotent()}, isDeliveredAgain},
}

// restartClient is a kind of client.
type restartClient struct {
	name   string
	opts   []amqprpc.ClientOption
	loses  bool // replies, with every connection
	unsure bool // of a call's fate when the connection is lost
}

var restartClients = []restartClient{
	{"resumable", nil, false, false},
	{"without confirms", []amqprpc.ClientOption{amqprpc.WithoutConfirms()}, false, true},
	{"exclusive", []amqprpc.ClientOption{amqprpc.WithReplyMode(amqprpc.ReplyExclusive)}, true, true},
	{"direct", []amqprpc.ClientOption{amqprpc.WithReplyMode(amqprpc.ReplyDirect)}, true, true},
}

// fateOf is the fate of a call that has another one with a resumable client.
func (c *restartClient) fateOf(call string, resumable restartFate) restartFate {
	switch {
	case call == "persistent and idempotent" && c.unsure:
		return isSentAgain
	case resumable == isDeliveredAgain && c.loses:
		return failsAtOnce
	default:
		return resumable
	}
}

// A restart of the broker loses transient requests and keeps persistent ones. No call
// waits for its deadline to learn it.
func TestBrokerRestart(t *testing.T) {
	t.Parallel()
	for _, c := range restartClients {
		for _, k := range restartKinds {
			t.Run(c.name+"/"+k.name, func(t *testing.T) {
				t.Parallel()
				onStage(t, nil, c.opts, func(t *testing.T, s *stage) {
					f := s.call(k.opts...)
					require.Equal(t, 1, <-s.started)
					synctest.Wait()
					s.broker.Restart()
					s.ends(f, c.fateOf(k.name, k.fate))
				})
			})
		}
	}
}

// ends checks how a call ends after a restart.
func (s *stage) ends(f *amqprpc.Future[int], fate restartFate) {
	s.t.Helper()
	began := time.Now()
	switch fate {
	case failsAtOnce:
		s.fails(f, amqprpc.CodeUnavailable, amqprpc.OutcomeUnknown, time.Second)
		require.Zero(s.t, s.client.Stats().Resent)
		return
	case isSentAgain:
		for <-s.started != 2 { // a persistent first attempt may come before
		}
		require.EqualValues(s.t, 1, s.client.Stats().Resent)
	case isDeliveredAgain:
		require.Equal(s.t, 1, <-s.started)
		require.Zero(s.t, s.client.Stats().Resent)
	}
	require.LessOrEqual(s.t, time.Since(began), time.Second)
	s.let()
	s.answered(f)
}

// A client notices a restart also after other faults, and takes none of them for one.
func TestRestartIsNoticedAfterOtherFaults(t *testing.T) {
	t.Parallel()
	reconnected := func(s *stage) {
		for n := s.client.Stats().Reconnects; s.client.Stats().Reconnects == n; time.Sleep(time.Millisecond) {
		}
		synctest.Wait()
	}
	faults := map[string]func(s *stage){
		"none":              func(*stage) {},
		"connection cut":    func(s *stage) { s.broker.Connection("client").Cut(); reconnected(s) },
		"connection closed": func(s *stage) { s.broker.Connection("client").Close("closed"); reconnected(s) },
		"cut often": func(s *stage) {
			for range 20 {
				s.broker.Connection("client").Cut()
				reconnected(s)
			}
		},
		"half-open": func(s *stage) { s.broker.Connection("client").HalfOpen(amqptest.BothWays); reconnected(s) },
		"half-open, and the broker has noticed": func(s *stage) {
			s.broker.Connection("client").HalfOpen(amqptest.BothWays)
			time.Sleep(4 * heartbeat)
		},
		"half-open, and cut": func(s *stage) {
			s.broker.Connection("client").HalfOpen(amqptest.BothWays)
			time.Sleep(4 * heartbeat)
			s.broker.Connection("client").Cut()
			reconnected(s)
		},
		"an hour": func(*stage) { time.Sleep(time.Hour) },
		"memory alarm": func(s *stage) {
			s.broker.BlockPublishers("")
			time.Sleep(9 * time.Minute)
			s.broker.UnblockPublishers()
		},
		"the marker's channel": func(s *stage) { s.closeMarker(); time.Sleep(time.Second) },
		"the marker's consumer": func(s *stage) {
			for _, q := range s.broker.Queues() {
				if q.Name != stageQueue {
					s.broker.CancelConsumer(q.Name, "amqprpc") // the older consumer
				}
			}
			time.Sleep(time.Second)
		},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := []amqprpc.ClientOption{amqprpc.WithTimeout(24 * time.Hour)}
			onStage(t, []amqprpc.HandlerOption{amqprpc.WithHandlerTimeout(24 * time.Hour)}, opts, func(t *testing.T, s *stage) {
				f, again := s.call(), s.call(amqprpc.WithIdempotent())
				<-s.started
				<-s.started
				synctest.Wait()
				fault(s)
				require.Zero(t, s.client.Stats().Resent, "no restart yet")
				require.Empty(t, s.started)
				s.broker.RefuseConnections()
				s.broker.Restart()
				time.Sleep(20 * time.Second)
				require.NoError(t, s.broker.AcceptConnections())
				s.fails(f, amqprpc.CodeUnavailable, amqprpc.OutcomeUnknown, 11*time.Second)
				require.Equal(t, 2, <-s.started)
				s.let()
				s.answered(again)
			}, amqptest.WithConsumerTimeout(48*time.Hour))
		})
	}
}

// closeMarker closes the channel of the marker as a consumer timeout does.
func (s *stage) closeMarker() {
	s.t.Helper()
	c := s.broker.Connection("client")
	for _, ch := range c.Info().Channels {
		if ch.Prefetch == 1 {
			require.True(s.t, c.CloseChannel(ch.Number, 406, "delivery acknowledgement timed out"))
			return
		}
	}
	require.Fail(s.t, "there is no marker")
}

// A broker with a short consumer_timeout closes the marker's channel again and again.
// That costs no connection and no call.
func TestMarkerUnderAShortConsumerTimeout(t *testing.T) {
	t.Parallel()
	onStage(t, []amqprpc.HandlerOption{amqprpc.WithAtMostOnce()}, nil, func(t *testing.T, s *stage) {
		f := s.call()
		<-s.started
		for range 10 {
			time.Sleep(30 * time.Second) // a client waits at most ten between two attempts to connect
			s.broker.Connection("client").Cut()
		}
		time.Sleep(30 * time.Second)
		require.EqualValues(t, 10, s.client.Stats().Reconnects)
		s.let()
		s.answered(f)
	}, amqptest.WithConsumerTimeout(3*time.Second))
}

// Markers cost calls nothing: a call is one message each way.
func TestMarkerCostsCallsNothing(t *testing.T) {
	t.Parallel()
	onStage(t, nil, nil, func(t *testing.T, s *stage) {
		s.let()
		s.answered(s.call())
		record := s.broker.Record()
		const calls = 100
		for range calls {
			s.answered(s.call())
			time.Sleep(time.Second)
		}
		published := 0
		for _, e := range record.Events() {
			if e.Kind == amqptest.Published {
				published++
			}
		}
		require.Equal(t, 2*calls, published, fmt.Sprint("publishes for ", calls, " calls"))
	})
}

// All kinds of calls are in flight on a node that is restarted: killed, and told to stop.
func testRestartInMidCall(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	queue := "restart.in.mid.call"
	started := make(chan string, 1000)
	var release atomic.Pointer[chan struct{}]
	serve, stop := context.WithCancel(ctx)
	srv := amqprpc.NewServer(node.URL(), amqprpc.WithLogger(nil))
	amqprpc.Register(srv, queue, func(ctx context.Context, id string) (string, error) {
		r, _ := amqprpc.RequestFromContext(ctx)
		wait := *release.Load()
		started <- fmt.Sprint(id, " ", r.Attempt())
		select {
		case <-wait:
			return id, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}, amqprpc.WithMaxDeliveries(0))
	wait := make(chan struct{})
	release.Store(&wait)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(serve) }()
	<-srv.Ready()
	last, err := amqprpc.Dial(ctx, node.URL(), amqprpc.WithLogger(nil))
	require.NoError(t, err)
	defer last.Close()
	for name, restart := range map[string]func() error{
		"killed":  func() error { return errors.Join(node.Kill(), node.Restart(ctx)) },
		"stopped": func() error { return node.Restart(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			wait := make(chan struct{})
			release.Store(&wait)
			type inFlight struct {
				name   string
				fate   restartFate
				future *amqprpc.Future[string]
			}
			var calls []inFlight
			waiting := make(map[string]bool)
			for _, c := range restartClients {
				cli, err := amqprpc.Dial(ctx, node.URL(), append([]amqprpc.ClientOption{amqprpc.WithLogger(nil)}, c.opts...)...)
				require.NoError(t, err)
				defer cli.Close()
				for _, k := range restartKinds {
					id := name + "/" + c.name + "/" + k.name
					waiting[id+" 1"] = true
					calls = append(calls, inFlight{id, c.fateOf(k.name, k.fate), amqprpc.Go[string, string](ctx, cli, queue, id, k.opts...)})
				}
			}
			for len(waiting) > 0 {
				delete(waiting, awaitStart(t, started))
			}
			// A node that is killed forgets what was declared just before, reply queues, too, and
			// what it has not confirmed. It confirms a queue's messages in their order.
			require.NoError(t, amqprpc.Notify(ctx, last, queue, name, amqprpc.WithPersistent()))
			require.NoError(t, node.Sync(ctx))
			require.NoError(t, restart())
			back := time.Now()
			for _, c := range calls {
				if c.fate == failsAtOnce {
					_, err := c.future.Await(ctx)
					require.ErrorIs(t, err, amqprpc.CodeUnavailable, c.name)
					require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err), c.name)
				}
			}
			t.Logf("%s: plain calls ended %v after the node was back", name, time.Since(back))
			require.LessOrEqual(t, time.Since(back), 15*time.Second)
			attempts := make(map[string]bool)
			for _, c := range calls {
				// Once handlers are let go, a call that is delivered again can be answered
				// before its second attempt starts.
				for second := c.name + " 2"; c.fate == isSentAgain && !attempts[second]; {
					attempts[awaitStart(t, started)] = true
				}
			}
			close(wait)
			for _, c := range calls {
				if c.fate != failsAtOnce {
					got, err := c.future.Await(ctx)
					require.NoError(t, err, c.name)
					require.Equal(t, c.name, got)
				}
			}
			t.Logf("%s: all calls ended %v after the node was back", name, time.Since(back))
			require.LessOrEqual(t, time.Since(back), 30*time.Second)
			for len(started) > 0 {
				attempts[<-started] = true
			}
			for _, c := range calls {
				require.Equal(t, c.fate == isSentAgain, attempts[c.name+" 2"], "%s is sent again", c.name)
			}
		})
	}
	stop()
	require.NoError(t, <-served)
}

// awaitStart waits for a handler to start, and returns what it has said of itself.
func awaitStart(t *testing.T, started <-chan string) string {
	t.Helper()
	select {
	case s := <-started:
		return s
	case <-time.After(patience):
		require.FailNow(t, "a handler has not started")
		return ""
	}
}
