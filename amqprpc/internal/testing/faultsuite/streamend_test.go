package faultsuite

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// tick takes items of a stream of ticks until it has n, and returns how the stream ended.
func (ss *streamStage) tick(n int, then func()) (err error) {
	for i, err := range stageTicks.Call(ss.t.Context(), ss.client, 0) {
		if err != nil {
			return err
		}
		if i == n {
			then()
		}
	}
	return nil
}

// A stream whose other side is gone ends, at once where the broker can say so.
func TestStreamWhoseServerIsGone(t *testing.T) {
	t.Parallel()
	scenes := map[string]struct {
		within time.Duration
		do     func(ss *streamStage)
	}{
		"its connection hangs": {61 * time.Second, func(ss *streamStage) {
			ss.broker.Connection("streams").HalfOpen(amqptest.BothWays)
			ss.broker.RefuseConnections() // for ever, as far as the client knows
		}},
	}
	for name, scene := range scenes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStreamStage(t, nil, func(t *testing.T, ss *streamStage) {
				var began time.Time
				err := ss.tick(3, func() {
					scene.do(ss)
					began = time.Now()
				})
				require.ErrorIs(t, err, amqprpc.CodeUnavailable)
				require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
				require.LessOrEqual(t, time.Since(began), scene.within)
				require.NoError(t, ss.broker.AcceptConnections())
			})
		})
	}
}

// A stream that no server accepts does not wait for ever.
func TestNobodyAcceptsAStream(t *testing.T) {
	t.Parallel()
	onStreamStage(t, nil, func(t *testing.T, ss *streamStage) {
		ss.stop() // the queue stays
		began := time.Now()
		err := ss.tick(1, func() {})
		require.ErrorIs(t, err, amqprpc.CodeUnavailable)
		require.ErrorContains(t, err, "no server has accepted the stream within 30s")
		require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
		require.InDelta(t, 30*time.Second, time.Since(began), float64(time.Second))
	})
}

// A handler whose caller is gone is told.
func TestStreamWhoseClientIsGone(t *testing.T) {
	t.Parallel()
	scenes := map[string]struct {
		client []amqprpc.ClientOption
		within time.Duration
		do     func(ss *streamStage, cancel context.CancelFunc)
	}{
		"it gives up":  {nil, 10 * time.Millisecond, func(_ *streamStage, cancel context.CancelFunc) { cancel() }},
		"it is closed": {nil, 10 * time.Millisecond, func(ss *streamStage, _ context.CancelFunc) { ss.client.Close() }},
		"its queue is gone": {[]amqprpc.ClientOption{amqprpc.WithReplyMode(amqprpc.ReplyExclusive)}, 2 * time.Second, func(ss *streamStage, _ context.CancelFunc) {
			ss.broker.Connection("client").Cut()
		}},
		"it hangs": {nil, 62 * time.Second, func(ss *streamStage, _ context.CancelFunc) {
			ss.broker.Connection("client").HalfOpen(amqptest.BothWays)
			ss.broker.RefuseConnections()
		}},
	}
	for name, scene := range scenes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStreamStage(t, scene.client, func(t *testing.T, ss *streamStage) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				began := make(chan struct{})
				var reading sync.WaitGroup
				reading.Go(func() {
					for i, err := range stageTicks.Call(ctx, ss.client, 0) {
						if i == 2 && err == nil {
							close(began)
						}
					}
				})
				<-began
				scene.do(ss, cancel)
				require.Error(t, ss.handlerEnds(scene.within))
				require.NoError(t, ss.broker.AcceptConnections())
				reading.Wait()
			})
		})
	}
}

// A reader that stands still holds its server back, costs a window, and loses nothing.
func TestStreamOfASlowReader(t *testing.T) {
	t.Parallel()
	const window, size = 64 << 10, 1 << 10
	onStreamStage(t, []amqprpc.ClientOption{amqprpc.WithWindow(window)}, func(t *testing.T, ss *streamStage) {
		n := 0
		for _, err := range stageFlood.Call(t.Context(), ss.client, size) {
			require.NoError(t, err)
			if n++; n%1000 == 0 {
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				ahead := ss.flooded.Load() - int64(n*size)
				require.LessOrEqual(t, ahead, int64(2*window), "sent and not taken")
			}
			if n == 3000 {
				break
			}
		}
		require.ErrorIs(t, ss.handlerEnds(time.Second), amqprpc.CodeCanceled)
	})
}

// With WithStallLimit a reader that stands still loses its stream.
func TestStallLimit(t *testing.T) {
	t.Parallel()
	onStreamStage(t, nil, func(t *testing.T, ss *streamStage) {
		var last error
		for _, err := range stageFlood.Call(t.Context(), ss.client, 1<<10) {
			time.Sleep(time.Minute)
			last = err
		}
		require.ErrorIs(t, last, amqprpc.CodeResourceExhausted)
		require.ErrorIs(t, ss.handlerEnds(time.Second), amqprpc.CodeResourceExhausted)
	}, amqprpc.WithStallLimit(30*time.Second))
}

// A drain lets streams run, and ends them when it has taken too long.
func TestDrainOfStreams(t *testing.T) {
	t.Parallel()
	onStreamStage(t, nil, func(t *testing.T, ss *streamStage) {
		var stopping sync.WaitGroup
		var began time.Time
		err := ss.tick(2, func() {
			began = time.Now()
			stopping.Go(ss.stop)
		})
		require.ErrorIs(t, err, amqprpc.CodeUnavailable)
		require.ErrorContains(t, err, "stopped")
		require.GreaterOrEqual(t, time.Since(began), 5*time.Second)
		stopping.Wait()
	}, amqprpc.WithDrainTimeout(5*time.Second))
	onStreamStage(t, nil, func(t *testing.T, ss *streamStage) {
		var stopping sync.WaitGroup
		n := 0
		for _, err := range stageCount.Call(t.Context(), ss.client, 1000) {
			require.NoError(t, err)
			if n++; n == 10 {
				stopping.Go(ss.stop)
			}
		}
		require.Equal(t, 1000, n)
		stopping.Wait()
	}, amqprpc.WithDrainTimeout(time.Minute))
}

// An upload whose source fails or panics is never taken for a whole one.
func TestUploadThatFailsHalfWay(t *testing.T) {
	t.Parallel()
	half := func(then func() error) func(func(int, error) bool) {
		return func(yield func(int, error) bool) {
			for i := range 500 {
				if !yield(i, nil) {
					return
				}
			}
			yield(0, then())
		}
	}
	broken := errors.New("the disk is gone")
	onStreamStage(t, nil, func(t *testing.T, ss *streamStage) {
		_, err := stageSum.Call(t.Context(), ss.client, half(func() error { return broken }))
		require.ErrorIs(t, err, broken)
		require.ErrorIs(t, ss.handlerEnds(time.Second), amqprpc.CodeCanceled)
		require.PanicsWithValue(t, "no", func() {
			stageSum.Call(t.Context(), ss.client, half(func() error { panic("no") }))
		})
		require.ErrorIs(t, ss.handlerEnds(time.Second), amqprpc.CodeCanceled)
		up, err := stageSum.Open(t.Context(), ss.client)
		require.NoError(t, err)
		require.NoError(t, up.Send(0))
		up.Cancel()
		require.ErrorIs(t, ss.handlerEnds(time.Second), amqprpc.CodeCanceled)
		require.Error(t, up.Send(1))
		_, err = up.CloseAndRecv()
		require.ErrorIs(t, err, amqprpc.CodeCanceled)
	})
}

// What a user does to the loop ends the handler, and the next call works.
func TestLoopsThatEndOtherwise(t *testing.T) {
	t.Parallel()
	loops := map[string]func(ss *streamStage){
		"panic": func(ss *streamStage) {
			defer func() { recover() }()
			for range stageTicks.Call(context.Background(), ss.client, 0) {
				panic("no")
			}
		},
		"goexit": func(ss *streamStage) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range stageTicks.Call(context.Background(), ss.client, 0) {
					runtime.Goexit()
				}
			}()
			<-done
		},
		"calls in the loop": func(ss *streamStage) {
			for i := range stageTicks.Call(context.Background(), ss.client, 0) {
				got, err := stageSum.Call(context.Background(), ss.client, amqprpc.Items(func(yield func(int) bool) { yield(0) }))
				expect(ss.t, 0, got, err)
				<-ss.ends
				if i == 3 {
					break
				}
			}
		},
		"ranged twice": func(ss *streamStage) {
			call := stageCount.Call(context.Background(), ss.client, 3)
			for range 2 {
				n := 0
				for range call {
					n++
				}
				expect(ss.t, 3, n, nil)
			}
			<-ss.ends
		},
		"never ranged": func(ss *streamStage) {
			stageTicks.Call(context.Background(), ss.client, 0)
			ss.ends <- nil
		},
	}
	for name, loop := range loops {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStreamStage(t, nil, func(t *testing.T, ss *streamStage) {
				loop(ss)
				ss.handlerEnds(time.Second)
				ss.streams(10)
			})
		})
	}
}

// An error of a handler comes behind what it has sent.
func TestErrorEndsAStream(t *testing.T) {
	t.Parallel()
	onStage(t, nil, nil, func(t *testing.T, s *stage) {
		srv := amqprpc.NewServer(s.broker.URL(), amqprpc.WithLogger(nil), amqprpc.WithDialer(s.broker.Dial))
		amqprpc.RegisterServerStream(srv, "error", func(_ context.Context, n int, out *amqprpc.Sender[string]) error {
			for range n {
				if err := out.Send(strings.Repeat("x", 10_000)); err != nil {
					return err
				}
			}
			return amqprpc.Errorf(amqprpc.CodeNotFound, "we have no tea").WithDetail("left", 0)
		})
		defer s.start(srv)()
		n, call := 0, amqprpc.ServerStream[int, string]("error").Call(t.Context(), s.client, 100)
		for _, err := range call {
			if err == nil {
				n++
				continue
			}
			require.ErrorIs(t, err, amqprpc.CodeNotFound)
			require.ErrorContains(t, err, "we have no tea")
			require.Equal(t, amqprpc.OutcomeExecuted, amqprpc.OutcomeOf(err))
			left, ok := amqprpc.Detail[int](err, "left")
			require.True(t, ok)
			require.Zero(t, left)
		}
		require.Equal(t, 100, n)
	})
}

// Whoever closes a stream while somebody receives its end never makes a clean end of an error.
func TestCloseBesideAnError(t *testing.T) {
	t.Parallel()
	onStage(t, nil, nil, func(t *testing.T, s *stage) {
		const talk amqprpc.BidiStream[int, int] = "refusing"
		srv := amqprpc.NewServer(s.broker.URL(), amqprpc.WithLogger(nil), amqprpc.WithDialer(s.broker.Dial))
		talk.Register(srv, func(context.Context, *amqprpc.Receiver[int], *amqprpc.Sender[int]) error {
			return amqprpc.Errorf(amqprpc.CodeNotFound, "we have no tea")
		})
		defer s.start(srv)()
		for i := range 300 {
			conv, err := talk.Open(t.Context(), s.client)
			require.NoError(t, err)
			start := make(chan struct{})
			go func() { <-start; conv.Close() }()
			synctest.Wait() // the end has come
			close(start)
			for range i % 50 {
				runtime.Gosched()
			}
			_, err = conv.Recv()
			require.Error(t, err)
			require.NotErrorIs(t, err, io.EOF)
			conv.Close()
		}
	})
}
