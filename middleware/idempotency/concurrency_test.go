package idempotency_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware/idempotency"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
)

// blindStore is a store that cannot notify, so the middleware polls it.
type blindStore struct{ idempotency.Store }

func (s blindStore) Begin(ctx context.Context, key string, c idempotency.Claim) (idempotency.Entry, error) {
	e, err := s.Store.Begin(ctx, key, c)
	e.Changed = nil
	return e, err
}

func TestConcurrentRepetitions(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]idempotency.Store{
		"told":    idempotency.NewMemoryStore(100, time.Hour),
		"polling": blindStore{idempotency.NewMemoryStore(100, time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := amqptest.Start(t).URL()
			n := new(numbered)
			started, release := make(chan struct{}, 100), make(chan struct{})
			for range 2 {
				harness.Serve(t, url, func(s *amqprpc.Server) {
					amqprpc.Register(s, "q", func(ctx context.Context, i int) (int32, error) {
						started <- struct{}{}
						<-release
						return n.handle(ctx, i)
					}, idempotentOn(store))
				})
			}
			var futures []*amqprpc.Future[int32]
			for range 4 {
				cli := harness.Dial(t, url)
				for range 5 {
					futures = append(futures, amqprpc.Go[int, int32](harness.Context(t), cli, "q", 1, amqprpc.WithCallID("id")))
				}
			}
			<-started
			// A repetition ends with its context, even if the first execution still runs.
			ctx, cancel := context.WithTimeout(harness.Context(t), 100*time.Millisecond)
			defer cancel()
			_, err := amqprpc.Call[int, int32](ctx, harness.Dial(t, url), "q", 1, amqprpc.WithCallID("id"))
			require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded)
			close(release)
			for _, f := range futures {
				got, err := f.Await(harness.Context(t))
				require.NoError(t, err)
				require.EqualValues(t, 1, got)
			}
			require.EqualValues(t, 1, n.runs.Load())
			require.Empty(t, started)
		})
	}
}

// A call that was answered keeps its answer, and no call runs twice at a time, in any
// order of repetitions, failures and successes.
func TestUnderLoad(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	const calls, callers = 40, 4
	var mu sync.Mutex
	running, runs := make(map[int]bool), make(map[int]int)
	handler := func(_ context.Context, i int) (int, error) {
		mu.Lock()
		if running[i] {
			mu.Unlock()
			panic("runs already")
		}
		running[i] = true
		runs[i]++
		run := runs[i]
		mu.Unlock()
		defer func() { mu.Lock(); running[i] = false; mu.Unlock() }()
		switch {
		case run < i%4: // its first runs fail
			return 0, amqprpc.Errorf(amqprpc.CodeUnavailable, "not yet")
		case i%3 == 0:
			return 0, amqprpc.Errorf(amqprpc.CodeNotFound, "run %d", run)
		}
		return i*100 + run, nil
	}
	store := idempotency.NewMemoryStore(calls, time.Hour)
	for range 2 {
		harness.Serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, "q", handler, idempotentOn(blindStore{store})) })
	}
	var all sync.WaitGroup
	for range callers {
		cli := harness.Dial(t, url)
		for i := range calls {
			all.Go(func() {
				final := max(1, i%4)
				for {
					got, err := amqprpc.Call[int, int](harness.Context(t), cli, "q", i, amqprpc.WithCallID(fmt.Sprint(i)))
					switch {
					case errors.Is(err, amqprpc.CodeUnavailable):
						continue
					case i%3 == 0:
						if fmt.Sprint(err) != fmt.Sprintf("q: not_found: run %d", final) {
							t.Errorf("call %d: %v, want run %d", i, err, final)
						}
					case err != nil || got != i*100+final:
						t.Errorf("call %d: %d, %v, want run %d", i, got, err, final)
					}
					return
				}
			})
		}
	}
	all.Wait()
	for i, n := range runs {
		require.Equal(t, max(1, i%4), n, "runs of call %d", i)
	}
}
