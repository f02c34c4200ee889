package faultsuite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

const stageAll amqprpc.Method[int, string] = "stage.all"

// castMember is a server that takes broadcasts.
type castMember struct {
	*amqprpc.Server
	name    string
	dead    atomic.Bool
	dial    func(network, addr string) (net.Conn, error)
	started chan struct{}
	release chan struct{}
	mu      sync.Mutex
	runs    map[string]int // of each call
	stop    func()
}

// Dial dials the broker, unless the member is dead.
func (m *castMember) Dial(network, addr string) (net.Conn, error) {
	if m.dead.Load() {
		return nil, errors.New("the process is dead")
	}
	return m.dial(network, addr)
}

// handle waits until it is released: at once for 0.
func (m *castMember) handle(ctx context.Context, n int) (string, error) {
	r, _ := amqprpc.RequestFromContext(ctx)
	m.mu.Lock()
	m.runs[r.ID()]++
	m.mu.Unlock()
	if n == 0 {
		return m.name, nil
	}
	m.started <- struct{}{}
	select {
	case <-m.release:
		return m.name, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// cut cuts the member's connection.
func (s *stage) cut(name string) {
	for _, c := range s.broker.Connections() {
		if c.Name() == name {
			c.Cut()
		}
	}
}

// kill ends the member's connection for good.
func (s *stage) kill(m *castMember) {
	m.dead.Store(true)
	s.cut(m.name)
}

// onMembers runs a scene with n servers that take broadcasts.
func onMembers(t *testing.T, n int, client []amqprpc.ClientOption, scene func(*testing.T, *stage, []*castMember), handler ...amqprpc.HandlerOption) {
	t.Helper()
	onStage(t, nil, client, func(t *testing.T, s *stage) {
		all := make([]*castMember, n)
		for i := range all {
			m := &castMember{
				name: fmt.Sprint("member ", i), dial: s.broker.Dial, runs: make(map[string]int),
				started: make(chan struct{}, 100), release: make(chan struct{}),
			}
			m.Server = amqprpc.NewServer(s.broker.URL(), amqprpc.WithLogger(nil), amqprpc.WithDialer(m.Dial), amqprpc.WithConnectionName(m.name))
			stageAll.Register(m.Server, m.handle, append([]amqprpc.HandlerOption{amqprpc.WithBroadcast()}, handler...)...)
			m.stop = sync.OnceFunc(s.start(m.Server))
			defer m.stop()
			all[i] = m
		}
		synctest.Wait() // the mailboxes are open
		scene(t, s, all)
	})
}

// pairs are what a range has yielded.
type pairs struct {
	answers map[string]string // by instance
	failed  map[string]error
	last    error // without an instance
}

func collect(ctx context.Context, cli *amqprpc.Client, n int, opts ...amqprpc.CallOption) (p pairs) {
	p.answers, p.failed = make(map[string]string), make(map[string]error)
	for a, err := range stageAll.All(ctx, cli, n, opts...) {
		switch {
		case a.Instance == "":
			p.last = errors.Join(p.last, err)
		case err != nil:
			p.failed[a.Instance] = errors.Join(p.failed[a.Instance], err)
		default:
			p.answers[a.Instance] += a.Value
		}
	}
	return p
}

// answeredBy checks that members have answered once each.
func (p pairs) answeredBy(t *testing.T, members ...*castMember) {
	t.Helper()
	require.NoError(t, p.last)
	for _, m := range members {
		require.Equal(t, m.name, p.answers[m.Instance()], "%v", p)
	}
	require.Len(t, p.answers, len(members), "%v", p)
}

// An instance that dies while its handler runs is an error with its name. The others answer.
func TestInstanceDiesInMidBroadcast(t *testing.T) {
	t.Parallel()
	for _, mode := range []amqprpc.ReplyMode{amqprpc.ReplyResumable, amqprpc.ReplyExclusive, amqprpc.ReplyDirect} {
		onMembers(t, 3, []amqprpc.ClientOption{amqprpc.WithReplyMode(mode)}, func(t *testing.T, s *stage, all []*castMember) {
			began := time.Now()
			go func() {
				for _, m := range all {
					<-m.started
				}
				time.Sleep(time.Second) // all have accepted
				s.kill(all[0])
				close(all[1].release)
				close(all[2].release)
			}()
			p := collect(t.Context(), s.client, 1)
			p.answeredBy(t, all[1:]...)
			require.Len(t, p.failed, 1)
			err := p.failed[all[0].Instance()]
			require.ErrorIs(t, err, amqprpc.CodeUnavailable)
			require.ErrorContains(t, err, all[0].Instance())
			require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
			require.LessOrEqual(t, time.Since(began), 10*time.Second, "four heartbeats of 2 s")
			require.EqualValues(t, 1, s.client.Stats().Silent)
		})
	}
}

// The mailbox of a server that was killed outlives it for a minute. Nobody accepts in that time.
func TestNobodyAcceptsABroadcast(t *testing.T) {
	t.Parallel()
	onMembers(t, 1, nil, func(t *testing.T, s *stage, all []*castMember) {
		s.kill(all[0])
		synctest.Wait()
		began := time.Now()
		p := collect(t.Context(), s.client, 0)
		require.ErrorIs(t, p.last, amqprpc.CodeUnavailable)
		require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(p.last))
		require.InDelta(t, 250*time.Millisecond, time.Since(began), float64(time.Millisecond))
		began = time.Now()
		p = collect(t.Context(), s.client, 0, amqprpc.WithAcceptWait(3*time.Second))
		require.ErrorIs(t, p.last, amqprpc.CodeUnavailable)
		require.InDelta(t, 3*time.Second, time.Since(began), float64(time.Millisecond))
		time.Sleep(2 * time.Minute)
		p = collect(t.Context(), s.client, 0)
		require.ErrorIs(t, p.last, amqprpc.CodeUnavailable)
		require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(p.last), "%v", p.last)
	})
}

// An instance that accepts late is let in while another one is awaited, and for 50 ms after the
// last accept.
func TestLateAcceptIsLetIn(t *testing.T) {
	t.Parallel()
	onMembers(t, 3, nil, func(t *testing.T, s *stage, all []*castMember) {
		for _, c := range s.broker.Connections() {
			if c.Name() == all[2].name {
				c.Freeze(amqptest.BothWays) // both directions
				go func() { time.Sleep(3 * time.Second); c.Thaw() }()
			}
		}
		go func() {
			<-all[0].started
			<-all[1].started
			close(all[0].release)
			<-all[2].started
			time.Sleep(time.Second) // its accept is under way
			close(all[1].release)
			close(all[2].release)
		}()
		collect(t.Context(), s.client, 1).answeredBy(t, all...)
		began := time.Now()
		collect(t.Context(), s.client, 0).answeredBy(t, all...)
		require.Less(t, time.Since(began), 80*time.Millisecond)
	})
}

// A broadcast survives lost connections of both sides. What comes again does not run again.
func TestBroadcastSurvivesConnections(t *testing.T) {
	t.Parallel()
	onMembers(t, 3, nil, func(t *testing.T, s *stage, all []*castMember) {
		go func() {
			for _, m := range all {
				<-m.started
			}
			time.Sleep(100 * time.Millisecond) // all have accepted
			s.broker.CutConnections()          // before the mailboxes have acknowledged
			time.Sleep(5 * time.Second)
			for _, m := range all {
				close(m.release)
			}
		}()
		collect(t.Context(), s.client, 1).answeredBy(t, all...)
		for _, m := range all {
			require.EqualValues(t, 1, m.Stats().InstanceRequests-m.Stats().InstanceRepeated)
			require.EqualValues(t, 1, m.Stats().InstanceRepeated, "the broker has delivered it again")
			for _, n := range m.runs {
				require.Equal(t, 1, n)
			}
		}
	})
}

// A restart of the broker loses no answer of those that have accepted.
func TestBroadcastSurvivesARestart(t *testing.T) {
	t.Parallel()
	onMembers(t, 2, nil, func(t *testing.T, s *stage, all []*castMember) {
		go func() {
			for _, m := range all {
				<-m.started
			}
			time.Sleep(100 * time.Millisecond) // all have accepted
			s.broker.Restart()
			time.Sleep(5 * time.Second)
			for _, m := range all {
				close(m.release)
			}
		}()
		collect(t.Context(), s.client, 1).answeredBy(t, all...)
	})
}

// Replies that end with the connection end the broadcast with it.
func TestBroadcastLosesItsReplyQueue(t *testing.T) {
	t.Parallel()
	for _, mode := range []amqprpc.ReplyMode{amqprpc.ReplyExclusive, amqprpc.ReplyDirect} {
		onMembers(t, 2, []amqprpc.ClientOption{amqprpc.WithReplyMode(mode)}, func(t *testing.T, s *stage, all []*castMember) {
			go func() {
				<-all[0].started
				<-all[1].started
				time.Sleep(100 * time.Millisecond) // both have accepted
				s.cut("client")
			}()
			p := collect(t.Context(), s.client, 1)
			require.ErrorIs(t, p.last, amqprpc.CodeUnavailable)
			require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(p.last))
			require.Empty(t, p.answers)
			close(all[0].release)
			close(all[1].release)
			synctest.Wait()
			time.Sleep(time.Second)
			collect(t.Context(), s.client, 0).answeredBy(t, all...) // on the next connection
		})
	}
}

// A server that drains answers the broadcasts that it has, and refuses further ones.
func TestBroadcastAtADrain(t *testing.T) {
	t.Parallel()
	onMembers(t, 1, nil, func(t *testing.T, s *stage, all []*castMember) {
		m := all[0]
		second := make(chan pairs)
		go func() {
			<-m.started
			go m.stop()
			time.Sleep(time.Second)
			second <- collect(t.Context(), s.client, 1)
			close(m.release)
		}()
		first := make(chan pairs)
		go func() { first <- collect(t.Context(), s.client, 1) }()
		err := (<-second).failed[m.Instance()]
		require.ErrorIs(t, err, amqprpc.CodeUnavailable)
		require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
		(<-first).answeredBy(t, m)
		m.stop()
		require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(collect(t.Context(), s.client, 1).last), "the mailbox is gone")
	})
}

// A mailbox has room for as many requests as handlers may run, beside those of the queue.
func TestBroadcastWithoutRoom(t *testing.T) {
	t.Parallel()
	onMembers(t, 1, nil, func(t *testing.T, s *stage, all []*castMember) {
		m := all[0]
		queued := stageAll.Go(t.Context(), s.client, 1) // takes the only worker
		<-m.started
		first := make(chan pairs)
		go func() { first <- collect(t.Context(), s.client, 2) }() // accepted, and waits for the worker
		time.Sleep(time.Minute)
		err := collect(t.Context(), s.client, 3).failed[m.Instance()]
		require.ErrorIs(t, err, amqprpc.CodeResourceExhausted)
		require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
		require.EqualValues(t, 1, m.Stats().InstanceRefused)
		close(m.release)
		(<-first).answeredBy(t, m)
		_, err = queued.Await(t.Context())
		require.NoError(t, err)
		collect(t.Context(), s.client, 4).answeredBy(t, m)
	}, amqprpc.WithConcurrency(1))
}

// A call to an instance ends soon if the instance dies, and at once if it is gone.
func TestCallToAnInstanceThatDies(t *testing.T) {
	t.Parallel()
	onMembers(t, 2, nil, func(t *testing.T, s *stage, all []*castMember) {
		to := amqprpc.WithInstance(all[0].Instance())
		f := stageAll.Go(t.Context(), s.client, 1, to, amqprpc.WithLiveness(time.Second))
		<-all[0].started
		time.Sleep(time.Second) // it has accepted
		s.kill(all[0])
		began := time.Now()
		_, err := f.Await(t.Context())
		require.ErrorIs(t, err, amqprpc.CodeUnavailable)
		require.LessOrEqual(t, time.Since(began), 5*time.Second)
		_, err = stageAll.Call(t.Context(), s.client, 1, to, amqprpc.WithFailFast())
		require.ErrorIs(t, err, amqprpc.CodeUnavailable)
		require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
		time.Sleep(2 * time.Minute)
		_, err = stageAll.Call(t.Context(), s.client, 1, to)
		require.ErrorIs(t, err, amqprpc.CodeUnavailable)
		require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
	})
}

// All waits for a connection, unless it is told to fail fast.
func TestBroadcastWithoutAConnection(t *testing.T) {
	t.Parallel()
	onMembers(t, 1, nil, func(t *testing.T, s *stage, all []*castMember) {
		s.broker.RefuseConnections()
		s.broker.CutConnections()
		synctest.Wait()
		p := collect(t.Context(), s.client, 0, amqprpc.WithFailFast())
		require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(p.last))
		p = collect(t.Context(), s.client, 0, amqprpc.WithTimeout(5*time.Second))
		require.ErrorIs(t, p.last, amqprpc.CodeDeadlineExceeded)
		require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(p.last))
		go func() {
			time.Sleep(10 * time.Second)
			if err := s.broker.AcceptConnections(); err != nil {
				panic(err)
			}
		}()
		p = collect(t.Context(), s.client, 0, amqprpc.WithAcceptWait(time.Minute))
		p.answeredBy(t, all...)
	})
}

// Under random faults, no handler runs twice for a broadcast, no instance has two pairs, and each
// range ends in time.
func TestBroadcastsUnderFaults(t *testing.T) {
	t.Parallel()
	for _, seed := range seeds(t, 10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			onMembers(t, 4, nil, func(t *testing.T, s *stage, all []*castMember) {
				rng := rand.New(rand.NewPCG(seed, 7))
				ctx, cancel := context.WithCancel(t.Context())
				var harm sync.WaitGroup
				harm.Go(func() {
					for ctx.Err() == nil {
						if c := s.broker.Connections(); len(c) > 0 {
							switch c := c[rng.IntN(len(c))]; rng.IntN(3) {
							case 0:
								c.Cut()
							case 1:
								c.Freeze(amqptest.FromClient)
								time.Sleep(time.Duration(rng.IntN(4000)) * time.Millisecond)
								c.Thaw()
							default:
								s.broker.CutConnections()
							}
						}
						time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond)
					}
				})
				answers := 0
				for range 50 {
					began := time.Now()
					seen := make(map[string]bool)
					for a, err := range stageAll.All(ctx, s.client, 0, amqprpc.WithTimeout(20*time.Second), amqprpc.WithAcceptWait(2*time.Second)) {
						require.False(t, seen[a.Instance], "%v %v", a, err)
						if seen[a.Instance] = true; err == nil {
							answers++
						}
					}
					require.LessOrEqual(t, time.Since(began), 21*time.Second)
				}
				cancel()
				harm.Wait()
				require.Greater(t, answers, 50)
				for _, m := range all {
					m.mu.Lock()
					for id, n := range m.runs {
						require.Equal(t, 1, n, id)
					}
					m.mu.Unlock()
				}
			})
		})
	}
}
