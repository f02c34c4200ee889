package faultsuite

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
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
