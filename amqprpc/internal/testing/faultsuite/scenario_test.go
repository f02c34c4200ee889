package faultsuite

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// Each of these tests injects a single fault at a chosen moment, in virtual time. So their
// bounds are exact.

// A connection that is lost again during its reconnection, at any byte, only delays a call.
func TestCallSurvivesASecondLossWhileReconnecting(t *testing.T) {
	t.Parallel()
	for at := 1; at < 2500; at += 97 {
		onStage(t, nil, nil, func(t *testing.T, s *stage) {
			f := s.call()
			<-s.started
			synctest.Wait() // the confirm has arrived
			s.wire.cutAfter(at)
			s.broker.Connection("client").Cut()
			time.Sleep(30 * time.Second)
			s.wire.cutAfter(0)
			s.let()
			s.answered(f)
			require.EqualValues(t, 1, s.runs.Load())
		})
	}
}

// The reply goes to a half-open connection of the client. The broker notices within three
// heartbeats, and redelivers the reply on the client's next connection.
func TestHalfOpenConsumerDelaysAReplyByThreeHeartbeats(t *testing.T) {
	t.Parallel()
	for after := time.Duration(0); after < 3*heartbeat; after += 700 * time.Millisecond {
		onStage(t, nil, nil, func(t *testing.T, s *stage) {
			f := s.call()
			<-s.started
			synctest.Wait()
			began := time.Now()
			s.broker.Connection("client").HalfOpen(amqptest.BothWays)
			time.Sleep(after)
			s.let()
			s.answered(f)
			require.LessOrEqual(t, time.Since(began), 3*heartbeat+time.Second)
			require.EqualValues(t, 1, s.runs.Load())
			synctest.Wait()
			require.EqualValues(t, 1, s.client.Stats().Reconnects)
		})
	}
}

// The request goes to a half-open connection of the server. When the broker notices, it
// redelivers the request on the server's next connection.
func TestHalfOpenServerIsFoundOut(t *testing.T) {
	t.Parallel()
	onStage(t, nil, nil, func(t *testing.T, s *stage) {
		f := s.call()
		<-s.started
		began := time.Now()
		s.broker.Connection("server").HalfOpen(amqptest.BothWays)
		<-s.started
		require.LessOrEqual(t, time.Since(began), 3*heartbeat+time.Second)
		s.let()
		s.answered(f)
	})
}

func TestReplyQueueExpiresWhileTheClientIsAway(t *testing.T) {
	t.Parallel()
	onStage(t, nil, []amqprpc.ClientOption{amqprpc.WithReplyQueueExpiry(5 * time.Second)}, func(t *testing.T, s *stage) {
		f, again := s.call(), s.call(amqprpc.WithIdempotent())
		<-s.started
		<-s.started
		synctest.Wait()
		s.broker.RefuseConnections()
		s.broker.Connection("client").Cut()
		time.Sleep(6 * time.Second)
		require.NoError(t, s.broker.AcceptConnections())
		// A client waits at most ten seconds between two attempts to connect.
		s.fails(f, amqprpc.CodeUnavailable, amqprpc.OutcomeUnknown, 11*time.Second)
		require.Equal(t, 2, <-s.started, "the idempotent one is sent again")
		s.let()
		s.answered(again)
	})
}

// A client that reconnects before its reply queue expires gets its replies.
func TestReplyQueueOutlivesTheConnection(t *testing.T) {
	t.Parallel()
	onStage(t, nil, nil, func(t *testing.T, s *stage) {
		f := s.call()
		<-s.started
		synctest.Wait()
		s.broker.RefuseConnections()
		s.broker.Connection("client").Cut()
		s.let()
		time.Sleep(45 * time.Second) // the queue expires after a minute
		require.NoError(t, s.broker.AcceptConnections())
		began := time.Now()
		s.answered(f)
		require.LessOrEqual(t, time.Since(began), 11*time.Second)
		require.EqualValues(t, 1, s.runs.Load())
	})
}

func TestRequestWithoutItsConfirmWhenTheConnectionIsLost(t *testing.T) {
	t.Parallel()
	onStage(t, nil, nil, func(t *testing.T, s *stage) {
		stop := s.broker.Tamper(func(amqptest.Message) amqptest.Fate { return amqptest.Fate{Unconfirmed: true} })
		f, again := s.call(), s.call(amqprpc.WithIdempotent())
		<-s.started
		<-s.started
		stop()
		s.broker.Connection("client").Cut()
		s.fails(f, amqprpc.CodeUnavailable, amqprpc.OutcomeUnknown, 0)
		require.Equal(t, 2, <-s.started)
		s.let()
		s.answered(again)
	})
}

func TestRefusedRequest(t *testing.T) {
	t.Parallel()
	onStage(t, nil, nil, func(t *testing.T, s *stage) {
		s.broker.Tamper(func(amqptest.Message) amqptest.Fate { return amqptest.Fate{Nack: true, Drop: true} })
		s.fails(s.call(), amqprpc.CodeUnavailable, amqprpc.OutcomeUnknown, 0)
		require.Zero(t, s.runs.Load())
	})
	// A queue whose node dies refuses what it has delivered already, with an overflow of
	// reject-publish as well.
	full := amqprpc.WithQueue(amqprpc.Queue{MaxLength: 100, Overflow: "reject-publish"})
	onStage(t, []amqprpc.HandlerOption{full}, nil, func(t *testing.T, s *stage) {
		s.broker.Tamper(func(amqptest.Message) amqptest.Fate { return amqptest.Fate{Nack: true} })
		s.fails(s.call(), amqprpc.CodeUnavailable, amqprpc.OutcomeUnknown, 0)
		<-s.started
	})
}

func TestMemoryAlarm(t *testing.T) {
	t.Parallel()
	onStage(t, nil, nil, func(t *testing.T, s *stage) {
		running := s.call()
		<-s.started
		s.broker.BlockPublishers("")
		// The broker sends connection.blocked after the first publish. It accepts that
		// message when the alarm is over.
		first := s.call(amqprpc.WithTimeout(3 * time.Second))
		synctest.Wait()
		s.fails(s.call(), amqprpc.CodeResourceExhausted, amqprpc.OutcomeNotSent, 0)
		err := amqprpc.Notify(context.Background(), s.client, stageQueue, 1)
		require.ErrorIs(t, err, amqprpc.CodeResourceExhausted)
		require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
		s.fails(first, amqprpc.CodeDeadlineExceeded, amqprpc.OutcomeUnknown, 3*time.Second)
		s.broker.UnblockPublishers()
		s.let()
		s.answered(running)
		synctest.Wait()
		s.answered(s.call())
	})
}

// An at-most-once server loses its connection after its handler has started. The handler
// continues and its reply arrives, or the caller learns that the outcome is unknown.
func TestServerLostAtMostOnce(t *testing.T) {
	t.Parallel()
	onStage(t, []amqprpc.HandlerOption{amqprpc.WithAtMostOnce()}, nil, func(t *testing.T, s *stage) {
		f := s.call()
		<-s.started
		synctest.Wait() // the ack has been sent
		s.broker.Connection("server").Cut()
		time.Sleep(time.Second)
		s.let()
		s.answered(f)

		// The broker does not get the server's ack of a second request, nor its reply.
		s.broker.Connection("server").Freeze(amqptest.FromClient)
		g := s.call()
		<-s.started
		synctest.Wait() // both have been sent
		s.broker.Connection("server").Cut()
		s.fails(g, amqprpc.CodeAborted, amqprpc.OutcomeUnknown, time.Second)
		require.EqualValues(t, 2, s.runs.Load())
	})
}

// A server that loses its connection during its drain ends with an error and leaks
// nothing. Another server gets the requests that it has not answered.
func TestConnectionLostWhileDraining(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := amqptest.Start(t, amqptest.WithoutListener())
		const calls = 10
		serve := func(name string, h amqprpc.Handler[int, int]) (stop func() error) {
			srv := amqprpc.NewServer(b.URL(), amqprpc.WithLogger(nil), amqprpc.WithDialer(b.Dial), amqprpc.WithConnectionName(name))
			amqprpc.Register(srv, stageQueue, h, amqprpc.WithConcurrency(1), amqprpc.WithPrefetch(calls))
			ctx, cancel := context.WithCancel(context.Background())
			served := make(chan error, 1)
			go func() { served <- srv.Serve(ctx) }()
			<-srv.Ready()
			return func() error { cancel(); return <-served }
		}
		stop := serve("first", func(ctx context.Context, n int) (int, error) {
			<-ctx.Done()
			time.Sleep(100 * time.Millisecond) // the other requests still wait in the queue
			return 0, ctx.Err()
		})
		cli, err := amqprpc.Dial(t.Context(), b.URL(), amqprpc.WithLogger(nil), amqprpc.WithDialer(b.Dial))
		require.NoError(t, err)
		var futures []*amqprpc.Future[int]
		for i := range calls {
			futures = append(futures, amqprpc.Go[int, int](t.Context(), cli, stageQueue, i))
		}
		synctest.Wait()
		time.AfterFunc(time.Second, func() { b.Connection("first").Cut() })
		began := time.Now()
		require.ErrorContains(t, stop(), "the connection was lost while draining: 10 requests")
		require.Equal(t, 1100*time.Millisecond, time.Since(began), "as soon as its handler heeds its ctx")
		stop = serve("second", func(_ context.Context, n int) (int, error) { return n * n, nil })
		for i, f := range futures {
			got, err := f.Await(t.Context())
			require.NoError(t, err)
			require.Equal(t, i*i, got)
		}
		require.NoError(t, cli.Close())
		require.NoError(t, stop())
	})
}

// A call returns when its context ends, under each fault of the network and the broker.
func TestCallReturnsWithItsContextUnderEachFault(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(s *stage){
		"broker frozen":            func(s *stage) { s.broker.Freeze(amqptest.BothWays) },
		"requests stalled":         func(s *stage) { s.broker.Freeze(amqptest.FromClient) },
		"replies stalled":          func(s *stage) { s.broker.Freeze(amqptest.ToClient) },
		"half-open":                func(s *stage) { s.broker.HalfOpen(amqptest.BothWays) },
		"half-open to the broker":  func(s *stage) { s.broker.HalfOpen(amqptest.FromClient) },
		"half-open from it":        func(s *stage) { s.broker.HalfOpen(amqptest.ToClient) },
		"memory alarm":             func(s *stage) { s.broker.BlockPublishers("") },
		"refused":                  func(s *stage) { s.broker.RefuseConnections(); s.broker.CutConnections() },
		"cut":                      func(s *stage) { s.broker.CutConnections() },
		"confirms lost":            func(s *stage) { s.tamper(amqptest.Fate{Unconfirmed: true}) },
		"requests lost":            func(s *stage) { s.tamper(amqptest.Fate{Drop: true}) },
		"the server does nothing":  func(*stage) {},
		"its consumer is gone":     func(s *stage) { s.broker.CancelConsumer(stageQueue, "amqprpc") },
		"the broker is restarted":  func(s *stage) { s.broker.Restart() },
		"the channels are closed":  func(s *stage) { s.broker.Connection("client").CloseChannel(1, 406, "closed") },
		"the connection is closed": func(s *stage) { s.broker.Connection("client").Close("closed") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStage(t, nil, nil, func(t *testing.T, s *stage) {
				fault(s)
				var callers sync.WaitGroup
				for i := range 40 {
					callers.Go(func() {
						// This is over three times the time to notice a silent broker.
						ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i+1)*700*time.Millisecond)
						defer cancel()
						var err error
						if i%3 == 0 {
							err = amqprpc.Notify(ctx, s.client, stageQueue, i)
						} else {
							_, err = amqprpc.Call[int, int](ctx, s.client, stageQueue, i)
						}
						if limit, _ := ctx.Deadline(); time.Now().After(limit) {
							t.Errorf("call %d returned %v after its ctx had ended: %v", i, time.Since(limit), err)
						}
					})
				}
				callers.Wait()
				require.NoError(t, s.broker.AcceptConnections())
				s.broker.Thaw()
				s.broker.UnblockPublishers()
			})
		})
	}
}

// Servers are replaced as in a rolling deploy, under load. No call is lost, runs twice or
// fails.
func TestRollingDeployUnderLoad(t *testing.T) {
	t.Parallel()
	for _, atMostOnce := range []bool{false, true} {
		t.Run(fmt.Sprintf("at most once %v", atMostOnce), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				broker := amqptest.Start(t, amqptest.WithoutListener())
				rec := NewRecorder()
				fleet := NewFleet(rec, "server", broker.URL(), []Queue{{Name: "calls", AtMostOnce: atMostOnce}}, amqprpc.WithDialer(broker.Dial))
				deploy(t, rec, fleet, broker.URL(), []amqprpc.ClientOption{amqprpc.WithDialer(broker.Dial)}, 20, 200*time.Millisecond)
			})
		})
	}
}

// deploy replaces the fleet's server several times under load. It checks that every call
// has run once and succeeded.
func deploy(t *testing.T, rec *Recorder, fleet *Fleet, url string, opts []amqprpc.ClientOption, times int, every time.Duration) {
	t.Helper()
	require.NoError(t, fleet.Start())
	opts = append([]amqprpc.ClientOption{amqprpc.WithLogger(nil)}, opts...)
	cli, err := amqprpc.Dial(t.Context(), url, opts...)
	require.NoError(t, err)
	queue := fleet.queues[0].Name
	require.Eventually(t, func() bool {
		_, err := amqprpc.Call[Job, Reply](t.Context(), cli, queue, Job{ID: "first"}, amqprpc.WithCallID("first"))
		return err == nil
	}, 20*time.Second, 10*time.Millisecond, "the first server serves")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var callers sync.WaitGroup
	var calls atomic.Int64
	for i := range 8 {
		callers.Go(func() {
			for k := 0; ctx.Err() == nil; k++ {
				id := fmt.Sprintf("%d.%d", i, k)
				job := Job{ID: id, Work: time.Duration(k%20) * time.Millisecond}
				reply, err := amqprpc.Call[Job, Reply](context.Background(), cli, queue, job, amqprpc.WithCallID(id))
				calls.Add(1)
				if err != nil || reply.ID != id {
					t.Errorf("call %s: %v, %v", id, reply, err)
				}
			}
		})
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for range times {
		<-tick.C
		require.NoError(t, fleet.Roll())
	}
	<-tick.C
	cancel()
	callers.Wait()
	require.NoError(t, cli.Close())
	fleet.Stop()
	h, err := rec.History()
	require.NoError(t, err)
	for _, f := range h.Faults {
		require.NotContains(t, f.What, "ends", "a server drains cleanly")
	}
	require.Empty(t, h.Leftovers)
	ran := make(map[string]int)
	for _, e := range h.Executions {
		ran[e.ID]++
		require.False(t, e.Redelivered, "%s was handed back", e.ID)
		require.Equal(t, Answered, e.Result)
	}
	delete(ran, "first")
	require.EqualValues(t, calls.Load(), len(ran), "each ran")
	for id, n := range ran {
		require.Equal(t, 1, n, "call %s", id)
	}
	t.Logf("%d calls over %d servers", calls.Load(), times+1)
}
