package idempotency_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware/idempotency"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
)

// faultyStore is a store with some operations replaced.
type faultyStore struct {
	idempotency.Store
	begin    func(ctx context.Context, c idempotency.Claim) (idempotency.Entry, error)
	complete func(ctx context.Context) error
	release  func(ctx context.Context) error
}

func (s *faultyStore) Begin(ctx context.Context, key string, c idempotency.Claim) (idempotency.Entry, error) {
	if s.begin != nil {
		return s.begin(ctx, c)
	}
	return s.Store.Begin(ctx, key, c)
}

func (s *faultyStore) Complete(ctx context.Context, key string, c idempotency.Claim, a idempotency.Answer) error {
	if s.complete != nil {
		return s.complete(ctx)
	}
	return s.Store.Complete(ctx, key, c, a)
}

func (s *faultyStore) Release(ctx context.Context, key string, c idempotency.Claim) error {
	if s.release != nil {
		return s.release(ctx)
	}
	return s.Store.Release(ctx, key, c)
}

// nonBlockingStore is a store that says whether its methods never wait.
type nonBlockingStore struct {
	*faultyStore
	nonBlocking bool
}

func (s nonBlockingStore) NonBlocking() bool { return s.nonBlocking }

// Only a store that may wait gets a context with the timeout of WithStoreTimeout.
func TestStoreTimeoutOfNonBlockingStores(t *testing.T) {
	t.Parallel()
	require.True(t, idempotency.NewMemoryStore(0, 0).NonBlocking())
	for name, test := range map[string]struct {
		store   func(*faultyStore) idempotency.Store
		bounded bool
	}{
		"says nothing": {func(s *faultyStore) idempotency.Store { return s }, true},
		"may wait":     {func(s *faultyStore) idempotency.Store { return nonBlockingStore{s, false} }, true},
		"never waits":  {func(s *faultyStore) idempotency.Store { return nonBlockingStore{s, true} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, bounded := amqptest.Start(t).URL(), make(chan bool, 1)
			store := test.store(&faultyStore{
				Store: idempotency.NewMemoryStore(10, time.Hour),
				complete: func(ctx context.Context) error { // without the request's own deadline
					_, has := ctx.Deadline()
					bounded <- has
					return nil
				},
			})
			harness.Serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, "q", new(numbered).handle, idempotentOn(store)) })
			_, err := amqprpc.Call[int, int32](harness.Context(t), harness.Dial(t, url), "q", 1)
			require.NoError(t, err)
			require.Equal(t, test.bounded, <-bounded)
		})
	}
}

// sharedLog is a log that a test can read while it is written.
type sharedLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *sharedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *sharedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *sharedLog) option() idempotency.Option {
	return idempotency.WithLogger(slog.New(slog.NewTextHandler(l, nil)))
}

var errStore = errors.New("dial tcp 10.1.2.3:6379: connection refused")

func TestStoreIsDown(t *testing.T) {
	t.Parallel()
	down := func(context.Context) error { return errStore }
	hangs := func(ctx context.Context, _ idempotency.Claim) (idempotency.Entry, error) {
		<-ctx.Done()
		return idempotency.Entry{}, ctx.Err()
	}
	fails := func(context.Context, idempotency.Claim) (idempotency.Entry, error) {
		return idempotency.Entry{}, errStore
	}
	for _, test := range []struct {
		name  string
		store faultyStore
		opts  []idempotency.Option
		code  amqprpc.Code // of each of two calls; "" is CodeOK
		runs  int32
		log   string
	}{
		{name: "begin", store: faultyStore{begin: fails}, code: amqprpc.CodeUnavailable, log: "operation=begin"},
		{name: "begin, open", store: faultyStore{begin: fails}, opts: []idempotency.Option{idempotency.WithFailOpen()}, runs: 2, log: "fail_open=true"},
		{name: "begin hangs", store: faultyStore{begin: hangs}, code: amqprpc.CodeUnavailable, log: "deadline"},
		{name: "begin hangs, open", store: faultyStore{begin: hangs}, opts: []idempotency.Option{idempotency.WithFailOpen()}, runs: 2, log: "deadline"},
		{name: "begin returns nonsense", store: faultyStore{begin: func(context.Context, idempotency.Claim) (idempotency.Entry, error) {
			return idempotency.Entry{}, nil
		}}, code: amqprpc.CodeUnavailable, log: "an entry of the state 0"},
		{name: "an error that cannot be read", store: faultyStore{begin: func(_ context.Context, c idempotency.Claim) (idempotency.Entry, error) {
			return idempotency.Entry{State: idempotency.Done, Fingerprint: c.Fingerprint, Answer: idempotency.Answer{Error: []byte("{")}}, nil
		}}, code: amqprpc.CodeUnavailable, log: "cannot be read"},
		{name: "complete", store: faultyStore{complete: down}, runs: 2, log: "operation=complete",
			opts: []idempotency.Option{idempotency.WithLease(20 * time.Millisecond)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := amqptest.Start(t).URL()
			n, log := new(numbered), new(sharedLog)
			store := test.store
			store.Store = idempotency.NewMemoryStore(10, time.Hour)
			opts := append(test.opts, log.option(), idempotency.WithStoreTimeout(20*time.Millisecond))
			harness.Serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, "q", n.handle, idempotentOn(&store, opts...)) })
			cli := harness.Dial(t, url)
			for range 2 {
				_, err := amqprpc.Call[int, int32](harness.Context(t), cli, "q", 1, amqprpc.WithCallID("id"))
				require.Equal(t, cmp.Or(test.code, amqprpc.CodeOK), amqprpc.CodeOf(err), "%v", err)
				if err != nil {
					require.EqualError(t, err, "q: unavailable: the store of answers fails; nothing was run", "addresses are nobody's business")
					require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
				}
			}
			require.Equal(t, test.runs, n.runs.Load())
			require.Contains(t, log.String(), test.log)
			require.Contains(t, log.String(), "queue=q id=id")
		})
	}
}

// A claim that cannot be released expires. The caller still gets the handler's error.
func TestReleaseFails(t *testing.T) {
	t.Parallel()
	url, log := amqptest.Start(t).URL(), new(sharedLog)
	store := &faultyStore{Store: idempotency.NewMemoryStore(10, time.Hour), release: func(context.Context) error { return errStore }}
	var runs atomic.Int32
	harness.Serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", func(context.Context, int) (int32, error) {
			if runs.Add(1) == 1 {
				return 0, amqprpc.CodeUnavailable
			}
			return runs.Load(), nil
		}, idempotentOn(store, log.option(), idempotency.WithLease(50*time.Millisecond)))
	})
	cli := harness.Dial(t, url)
	_, err := amqprpc.Call[int, int32](harness.Context(t), cli, "q", 1, amqprpc.WithCallID("id"))
	require.ErrorIs(t, err, amqprpc.CodeUnavailable)
	got, err := amqprpc.Call[int, int32](harness.Context(t), cli, "q", 1, amqprpc.WithCallID("id"))
	require.NoError(t, err)
	require.EqualValues(t, 2, got)
	require.Contains(t, log.String(), "operation=release")
}

// A store that is unavailable for less than a lease costs only a line in the log.
func TestRenewalFails(t *testing.T) {
	t.Parallel()
	n, log, known := new(numbered), new(sharedLog), new(sync.Map)
	memory := idempotency.NewMemoryStore(10, time.Hour)
	var renewals atomic.Int32
	store := &faultyStore{Store: memory, begin: func(ctx context.Context, c idempotency.Claim) (idempotency.Entry, error) {
		if _, renewal := known.LoadOrStore(c.Owner, true); renewal && renewals.Add(1)%3 != 0 {
			return idempotency.Entry{}, errStore
		}
		return memory.Begin(ctx, "1:q:id", c)
	}}
	inBubble(t, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", func(ctx context.Context, i int) (int32, error) {
			time.Sleep(time.Minute)
			return n.handle(ctx, i)
		}, idempotentOn(store, log.option(), idempotency.WithLease(10*time.Second)))
	}, func(ctx context.Context, t *testing.T, cli *amqprpc.Client) {
		got, err := amqprpc.Call[int, int32](ctx, cli, "q", 1, amqprpc.WithCallID("id"))
		require.NoError(t, err)
		require.EqualValues(t, 1, got)
		require.EqualValues(t, 18, renewals.Load(), "one every third of the lease")
		require.Contains(t, log.String(), "operation=renew")
		require.NotContains(t, log.String(), "lease of a call ended")
	})
}

// A request whose context ends during Begin releases the claim.
func TestEndsWhileItClaims(t *testing.T) {
	t.Parallel()
	url, n := amqptest.Start(t).URL(), new(numbered)
	memory := idempotency.NewMemoryStore(10, time.Hour)
	var asked atomic.Int32
	store := &faultyStore{Store: memory}
	store.begin = func(ctx context.Context, c idempotency.Claim) (idempotency.Entry, error) {
		e, err := memory.Begin(ctx, "1:q:id", c)
		if asked.Add(1) == 1 {
			<-ctx.Done()
			return idempotency.Entry{}, ctx.Err()
		}
		return e, err
	}
	harness.Serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", n.handle, idempotentOn(store, idempotency.WithStoreTimeout(time.Hour)))
	})
	cli := harness.Dial(t, url)
	ctx, cancel := context.WithTimeout(harness.Context(t), 500*time.Millisecond)
	defer cancel()
	_, err := amqprpc.Call[int, int32](ctx, cli, "q", 1, amqprpc.WithCallID("id"))
	require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded)
	require.EqualValues(t, 1, asked.Load())
	start := time.Now()
	got, err := amqprpc.Call[int, int32](harness.Context(t), cli, "q", 1, amqprpc.WithCallID("id"))
	require.NoError(t, err)
	require.EqualValues(t, 1, got)
	require.Less(t, time.Since(start), 5*time.Second, "it waited for the claim to run out")
}

// thief waits until the owner's claim has expired, and claims the key for another owner.
func thief(t *testing.T, s idempotency.Store, key string) idempotency.Claim {
	t.Helper()
	c := idempotency.Claim{Owner: "thief", Lease: time.Hour}
	for {
		e, err := s.Begin(t.Context(), key, c)
		require.NoError(t, err)
		if e.State == idempotency.Claimed {
			return c
		}
		require.Equal(t, idempotency.Running, e.State)
		<-time.After(time.Millisecond)
	}
}

// asleep suppresses renewals until woken is set, like a process that is suspended.
func asleep(store idempotency.Store, woken *atomic.Bool) *faultyStore {
	var known sync.Map
	return &faultyStore{Store: store, begin: func(ctx context.Context, c idempotency.Claim) (idempotency.Entry, error) {
		if _, renewal := known.LoadOrStore(c.Owner, true); renewal && !woken.Load() {
			return idempotency.Entry{State: idempotency.Claimed}, nil
		}
		return store.Begin(ctx, "1:q:id", c)
	}}
}

// An execution that has lost its claim answers with the answer that was stored first.
func TestClaimIsTaken(t *testing.T) {
	t.Parallel()
	stolen := idempotency.Answer{ContentType: "application/json", Body: []byte("77")}
	for name, test := range map[string]struct {
		heeds bool // the handler returns when its ctx ends
		end   func(s idempotency.Store, c idempotency.Claim) error
		want  int32
		err   amqprpc.Code
	}{
		"completes late": {
			end: func(s idempotency.Store, c idempotency.Claim) error {
				return s.Complete(context.Background(), "1:q:id", c, stolen)
			},
			want: 77,
		},
		"is cancelled": {
			heeds: true,
			end: func(s idempotency.Store, c idempotency.Claim) error {
				return s.Complete(context.Background(), "1:q:id", c, stolen)
			},
			want: 77,
		},
		"completes late, and the other gives up": {
			end: func(s idempotency.Store, c idempotency.Claim) error {
				return s.Release(context.Background(), "1:q:id", c)
			},
			want: 1,
		},
		"is cancelled, and the other gives up": {
			heeds: true,
			end: func(s idempotency.Store, c idempotency.Claim) error {
				return s.Release(context.Background(), "1:q:id", c)
			},
			err: amqprpc.CodeCanceled,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, log := amqptest.Start(t).URL(), new(sharedLog)
			memory := idempotency.NewMemoryStore(10, time.Hour)
			started, release := make(chan struct{}, 10), make(chan struct{})
			var runs atomic.Int32
			var woken atomic.Bool
			harness.Serve(t, url, func(s *amqprpc.Server) {
				amqprpc.Register(s, "q", func(ctx context.Context, _ int) (int32, error) {
					run := runs.Add(1)
					started <- struct{}{}
					if test.heeds {
						<-ctx.Done()
						return 0, ctx.Err()
					}
					<-release
					return run, nil
				}, idempotentOn(asleep(memory, &woken), log.option(), idempotency.WithLease(30*time.Millisecond)))
			})
			f := amqprpc.Go[int, int32](harness.Context(t), harness.Dial(t, url), "q", 1, amqprpc.WithCallID("id"))
			<-started
			c := thief(t, memory, "1:q:id")
			woken.Store(true)
			close(release)
			require.Eventually(t, func() bool { return strings.Contains(log.String(), "lease of a call ended") }, harness.Patience, time.Millisecond)
			require.NoError(t, test.end(memory, c))
			got, err := f.Await(harness.Context(t))
			require.Equal(t, cmp.Or(test.err, amqprpc.CodeOK), amqprpc.CodeOf(err), "%v", err)
			require.Equal(t, test.want, got)
			require.EqualValues(t, 1, runs.Load(), "one request runs its handler once")
		})
	}
}

// A store that panics while a handler runs costs nothing but the renewal.
func TestStoreThatPanicsInARenewal(t *testing.T) {
	t.Parallel()
	var begun, panics atomic.Int64
	store := &faultyStore{Store: idempotency.NewMemoryStore(0, 0)}
	store.begin = func(ctx context.Context, c idempotency.Claim) (idempotency.Entry, error) {
		if begun.Add(1) > 1 {
			panics.Add(1)
			panic("Begin")
		}
		return store.Store.Begin(ctx, "key", c)
	}
	url := amqptest.Start(t).URL()
	harness.Serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", func(ctx context.Context, n int) (int, error) {
			for panics.Load() < 2 && ctx.Err() == nil {
				runtime.Gosched()
			}
			return n, nil
		}, amqprpc.WithMiddleware(idempotency.New(store, idempotency.WithLease(0), idempotency.WithLogger(nil))))
	})
	got, err := amqprpc.Call[int, int](harness.Context(t), harness.Dial(t, url), "q", 7)
	require.NoError(t, err)
	require.Equal(t, 7, got)
}
