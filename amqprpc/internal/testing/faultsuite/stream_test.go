package faultsuite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

const (
	stageCount  amqprpc.ServerStream[int, int]    = "stage.count"
	stageSum    amqprpc.ClientStream[int, int]    = "stage.sum"
	stageDouble amqprpc.BidiStream[int, int]      = "stage.double"
	stageTicks  amqprpc.ServerStream[int, int]    = "stage.ticks"
	stageFlood  amqprpc.ServerStream[int, []byte] = "stage.flood"
)

// streamStage is a stage whose server has a handler of each kind of stream.
type streamStage struct {
	*stage
	server  *amqprpc.Server
	ends    chan error // how each handler has ended
	flooded atomic.Int64
	stop    func()
}

// onStreamStage runs a scene.
func onStreamStage(t *testing.T, client []amqprpc.ClientOption, scene func(*testing.T, *streamStage), server ...amqprpc.ServerOption) {
	t.Helper()
	onStage(t, nil, client, func(t *testing.T, s *stage) {
		ss := &streamStage{stage: s, ends: make(chan error, 1000)}
		ss.server = amqprpc.NewServer(s.broker.URL(), append([]amqprpc.ServerOption{
			amqprpc.WithLogger(nil), amqprpc.WithDialer(s.broker.Dial), amqprpc.WithConnectionName("streams"),
		}, server...)...)
		ss.register()
		ss.stop = sync.OnceFunc(ss.start(ss.server))
		defer ss.stop()
		scene(t, ss)
	})
}

func (ss *streamStage) register() {
	end := func(err error) error {
		ss.ends <- err
		return err
	}
	stageCount.Register(ss.server, func(ctx context.Context, n int, out *amqprpc.Sender[int]) error {
		for i := range n {
			if err := out.Send(i); err != nil {
				return end(err)
			}
			if i%100 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		return end(nil)
	})
	stageTicks.Register(ss.server, func(ctx context.Context, _ int, out *amqprpc.Sender[int]) error {
		for i := 0; ; i++ {
			if err := out.Send(i); err != nil {
				return end(err)
			}
			select {
			case <-ctx.Done():
				return end(ctx.Err())
			case <-time.After(time.Second):
			}
		}
	})
	stageFlood.Register(ss.server, func(ctx context.Context, size int, out *amqprpc.Sender[[]byte]) error {
		for {
			if err := out.Send(make([]byte, size)); err != nil {
				return end(err)
			}
			ss.flooded.Add(int64(size))
		}
	})
	stageSum.Register(ss.server, func(ctx context.Context, in *amqprpc.Receiver[int]) (int, error) {
		total, next := 0, 0
		for n, err := range in.All() {
			if err != nil {
				return 0, end(err)
			}
			if n != next {
				return 0, end(fmt.Errorf("item %d came where %d was expected", n, next))
			}
			total += n
			next++
		}
		return total, end(nil)
	})
	stageDouble.Register(ss.server, func(ctx context.Context, in *amqprpc.Receiver[int], out *amqprpc.Sender[int]) error {
		for n, err := range in.All() {
			if err == nil {
				err = out.Send(2 * n)
			}
			if err != nil {
				return end(err)
			}
		}
		return end(nil)
	})
}

// handlerEnds waits for the end of a handler.
func (ss *streamStage) handlerEnds(within time.Duration) error {
	ss.t.Helper()
	select {
	case err := <-ss.ends:
		return err
	case <-time.After(within):
		require.FailNow(ss.t, "the handler has not ended")
		return nil
	}
}

// streams runs a stream of each kind at once, with n items each, and checks that each item
// arrives once and in order.
func (ss *streamStage) streams(n int) {
	t := ss.t
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		next := 0
		for got, err := range stageCount.Call(t.Context(), ss.client, n) {
			if !expect(t, next, got, err) {
				return
			}
			next++
		}
		expect(t, n, next, nil)
	})
	all.Go(func() {
		got, err := stageSum.Call(t.Context(), ss.client, numbers(n))
		expect(t, n*(n-1)/2, got, err)
	})
	all.Go(func() {
		conv, err := stageDouble.Open(t.Context(), ss.client)
		if !expect(t, 0, 0, err) {
			return
		}
		defer conv.Close()
		all.Go(func() {
			for i := range n {
				if !expect(t, 0, 0, conv.Send(i)) {
					return
				}
			}
			expect(t, 0, 0, conv.CloseSend())
		})
		next := 0
		for got, err := range conv.All() {
			if !expect(t, 2*next, got, err) {
				return
			}
			next++
		}
		expect(t, n, next, nil)
	})
}

// expect checks a result on a goroutine that is not the test's.
func expect(t *testing.T, want, got int, err error) bool {
	t.Helper()
	if err != nil || want != got {
		t.Errorf("got %d, %v; want %d", got, err, want)
		return false
	}
	return true
}

// numbers are the numbers below n, a hundred a millisecond.
func numbers(n int) func(func(int, error) bool) {
	return func(yield func(int, error) bool) {
		for i := range n {
			if i%100 == 0 {
				time.Sleep(time.Millisecond)
			}
			if !yield(i, nil) {
				return
			}
		}
	}
}

// Streams outlive what happens to connections, and lose, double and swap nothing.
func TestStreamsSurvive(t *testing.T) {
	t.Parallel()
	cut := func(ss *streamStage, name string) {
		if c := ss.broker.Connection(name); c != nil {
			c.Cut()
		}
	}
	harms := map[string]func(ss *streamStage, rng *rand.Rand){
		"nothing":          func(*streamStage, *rand.Rand) {},
		"client cut":       func(ss *streamStage, _ *rand.Rand) { cut(ss, "client") },
		"server cut":       func(ss *streamStage, _ *rand.Rand) { cut(ss, "streams") },
		"both cut":         func(ss *streamStage, _ *rand.Rand) { ss.broker.CutConnections() },
		"broker restarted": func(ss *streamStage, _ *rand.Rand) { ss.broker.Restart() },
		"client half-open": func(ss *streamStage, _ *rand.Rand) { ss.broker.Connection("client").HalfOpen(amqptest.BothWays) },
		"publishing blocked": func(ss *streamStage, _ *rand.Rand) {
			ss.broker.BlockPublishers("")
			time.Sleep(50 * time.Millisecond)
			ss.broker.UnblockPublishers()
		},
		"channels closed": func(ss *streamStage, rng *rand.Rand) {
			for _, name := range []string{"client", "streams"} {
				if c := ss.broker.Connection(name); c != nil {
					channels := c.Info().Channels
					ch := channels[rng.IntN(len(channels))]
					c.CloseChannel(ch.Number, 406, "a fault")
				}
			}
		},
	}
	for name, harm := range harms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStreamStage(t, nil, func(t *testing.T, ss *streamStage) {
				done := make(chan struct{})
				var harming sync.WaitGroup
				harming.Go(func() {
					rng := rand.New(rand.NewPCG(1, 2))
					for {
						select {
						case <-done:
							return
						case <-time.After(time.Duration(5+rng.IntN(50)) * time.Millisecond):
							harm(ss, rng)
						}
					}
				})
				ss.streams(3_000)
				close(done)
				harming.Wait()
			})
		})
	}
}

// A broker that drops messages of streams, doubles or delays them costs time and no item.
func TestStreamsSurviveLossOfMessages(t *testing.T) {
	t.Parallel()
	for name, fate := range map[string]amqptest.Fate{
		"dropped": {Drop: true},
		"doubled": {Copies: 1},
		"late":    {Delay: 20 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStreamStage(t, nil, func(t *testing.T, ss *streamStage) {
				var n atomic.Int64
				ss.broker.Tamper(func(m amqptest.Message) amqptest.Fate {
					if m.ContentType == "application/vnd.amqprpc.stream" && n.Add(1)%5 == 0 {
						return fate
					}
					return amqptest.Fate{}
				})
				ss.streams(2_000)
			})
		})
	}
}

// A stream whose accept is lost begins when its server is heard for the first time.
func TestStreamWhoseAcceptIsLost(t *testing.T) {
	t.Parallel()
	onStreamStage(t, nil, func(t *testing.T, ss *streamStage) {
		var lost atomic.Bool
		ss.broker.Tamper(func(m amqptest.Message) amqptest.Fate {
			first := m.ContentType == "application/vnd.amqprpc.stream" && lost.CompareAndSwap(false, true)
			return amqptest.Fate{Drop: first}
		})
		next := 0
		for got, err := range stageCount.Call(t.Context(), ss.client, 1000) {
			require.NoError(t, err)
			require.Equal(t, next, got)
			next++
		}
		require.Equal(t, 1000, next)
		require.True(t, lost.Load())
	})
}

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
		n := 0
		for _, err := range stageCount.Call(t.Context(), ss.client, 1000) {
			require.NoError(t, err)
			if n++; n == 10 {
				go ss.stop()
			}
		}
		require.Equal(t, 1000, n)
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
