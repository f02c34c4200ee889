package redisstore_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware/idempotency"
	"github.com/bbebcec1/amqprpc-go/middleware/idempotency/redisstore"
	"github.com/bbebcec1/amqprpc-go/middleware/idempotency/storetest"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
)

// miniredis runs in this process, and the test moves its clock.
func TestStoreOnMiniredis(t *testing.T) {
	t.Parallel()
	var mini *miniredis.Miniredis
	storetest.Run(t, storetest.Subject{
		New: func(t *testing.T) idempotency.Store {
			mini = miniredis.RunT(t)
			return redisstore.New(newClient(t, mini.Addr()), time.Hour)
		},
		TTL: time.Hour, Lease: time.Minute,
		Advance: func(d time.Duration) { mini.FastForward(d) },
	})
}

func TestStoreOnRedis(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	var stores atomic.Int32
	storetest.Run(t, storetest.Subject{
		New: func(t *testing.T) idempotency.Store {
			return redisstore.New(newClient(t, server.addr), 4*time.Second, redisstore.WithPrefix(fmt.Sprint(stores.Add(1), ":")))
		},
		TTL: 4 * time.Second, Lease: time.Second, // long enough for a busy machine
	})
}

func TestPrefixes(t *testing.T) {
	t.Parallel()
	mini := miniredis.RunT(t)
	c := newClient(t, mini.Addr())
	claim := idempotency.Claim{Owner: "a", Lease: time.Minute}
	for _, s := range []*redisstore.Store{
		redisstore.New(c, time.Hour),
		redisstore.New(c, time.Hour, redisstore.WithPrefix("other/")),
	} {
		e, err := s.Begin(t.Context(), "k", claim)
		require.NoError(t, err)
		require.Equal(t, idempotency.Claimed, e.State)
	}
	require.ElementsMatch(t, []string{redisstore.DefaultPrefix + "k", "other/k"}, mini.Keys())
}

func TestTimesInRedis(t *testing.T) {
	t.Parallel()
	mini := miniredis.RunT(t)
	s := redisstore.New(newClient(t, mini.Addr()), 0, redisstore.WithPrefix(""))
	_, err := s.Begin(t.Context(), "k", idempotency.Claim{Owner: "a", Lease: time.Nanosecond})
	require.NoError(t, err)
	require.Equal(t, time.Millisecond, mini.TTL("k"))
	require.NoError(t, s.Complete(t.Context(), "k", idempotency.Claim{Owner: "a"}, idempotency.Answer{}))
	require.Equal(t, idempotency.DefaultTTL, mini.TTL("k"))
}

// A foreign value at one of the store's keys is an error, never an answer.
func TestForeignValues(t *testing.T) {
	t.Parallel()
	mini := miniredis.RunT(t)
	s := redisstore.New(newClient(t, mini.Addr()), time.Hour, redisstore.WithPrefix(""))
	claim := idempotency.Claim{Owner: "a", Lease: time.Minute}
	require.NoError(t, mini.Set("string", "x"))
	mini.HSet("json", "owner", "b", "print", "p", "answer", "{")
	mini.HSet("half", "owner", "b", "answer", "{}")
	for _, key := range []string{"string", "json", "half"} {
		_, err := s.Begin(t.Context(), key, claim)
		require.ErrorContains(t, err, "redisstore: begin: ", key)
	}
	require.ErrorContains(t, s.Complete(t.Context(), "string", claim, idempotency.Answer{}), "redisstore: complete: ")
	require.ErrorContains(t, s.Release(t.Context(), "string", claim), "redisstore: release: ")
	require.ErrorContains(t, s.Complete(t.Context(), "k", claim, idempotency.Answer{Error: []byte("{")}), "redisstore: complete: ")
}

func TestContextEnds(t *testing.T) {
	t.Parallel()
	mini := miniredis.RunT(t)
	s := redisstore.New(newClient(t, mini.Addr()), time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Begin(ctx, "k", idempotency.Claim{Owner: "a", Lease: time.Minute})
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, mini.Keys())
}

// FuzzStoredAnswer reads any value of the field answer.
func FuzzStoredAnswer(f *testing.F) {
	mini, err := miniredis.Run()
	require.NoError(f, err)
	f.Cleanup(mini.Close)
	c := redis.NewClient(&redis.Options{Addr: mini.Addr()})
	f.Cleanup(func() { c.Close() })
	s := redisstore.New(c, time.Hour, redisstore.WithPrefix(""))
	for _, seed := range []string{"", "{}", "null", "[]", `{"body":"!"}`, `{"header":{"a":1}}`, `{"error":{"code":"not_found"}}`, `{"content_type":"application/json","body":"MQ=="}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, stored string) {
		mini.HSet("k", "owner", "a", "print", "p", "answer", stored)
		e, err := s.Begin(context.Background(), "k", idempotency.Claim{Owner: "b", Lease: time.Minute})
		if err != nil {
			require.Zero(t, e)
			return
		}
		require.Equal(t, idempotency.Done, e.State)
	})
}

// serve serves the queue q until the test ends.
func serve(t *testing.T, url string, h amqprpc.Handler[int, int32], mw amqprpc.Middleware) {
	t.Helper()
	harness.Serve(t, url, func(srv *amqprpc.Server) { amqprpc.Register(srv, "q", h) }, amqprpc.WithMiddleware(mw))
}

// Two servers with their own connections to Redis share their answers. Without Redis they
// refuse requests.
func TestServersShareAnswers(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	b := amqptest.NewBroker()
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	var runs atomic.Int32
	started, release := make(chan struct{}, 100), make(chan struct{})
	handler := func(ctx context.Context, fail int) (int32, error) {
		started <- struct{}{}
		<-release
		run := runs.Add(1)
		amqprpc.ReplyHeader(ctx)["run"] = fmt.Sprint(run)
		if fail != 0 {
			return 0, amqprpc.Errorf(amqprpc.CodeNotFound, "run %d", run).WithDetail("run", run)
		}
		return run, nil
	}
	for range 2 {
		store := redisstore.New(newClient(t, server.addr), time.Hour)
		serve(t, b.URL(), handler, idempotency.New(store, idempotency.WithLogger(nil), idempotency.WithStoreTimeout(500*time.Millisecond)))
	}
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	cli, err := amqprpc.Dial(ctx, b.URL(), amqprpc.WithLogger(nil))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cli.Close()) })

	var futures []*amqprpc.Future[int32]
	for range 10 { // both servers get some of these
		futures = append(futures, amqprpc.Go[int, int32](ctx, cli, "q", 0, amqprpc.WithCallID("a")))
	}
	<-started
	close(release)
	for _, f := range futures {
		got, err := f.Await(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, got)
	}
	for range 4 {
		var h amqprpc.Header
		_, err := amqprpc.Call[int, int32](ctx, cli, "q", 1, amqprpc.WithCallID("b"), amqprpc.WithReplyHeader(&h))
		require.EqualError(t, err, "q: not_found: run 2")
		run, ok := amqprpc.Detail[int](err, "run")
		require.True(t, ok)
		require.Equal(t, 2, run)
		require.Equal(t, amqprpc.Header{"run": "2"}, h)
	}
	require.EqualValues(t, 2, runs.Load())

	server.stop()
	_, err = amqprpc.Call[int, int32](ctx, cli, "q", 0, amqprpc.WithCallID("c"))
	require.ErrorIs(t, err, amqprpc.CodeUnavailable)
	require.False(t, strings.Contains(err.Error(), server.addr), err)
	require.EqualValues(t, 2, runs.Load())
}

// The claim of a killed server expires, and the repetition that waits for it runs.
func TestClaimOfTheDead(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	b := amqptest.NewBroker()
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	store := redisstore.New(newClient(t, server.addr), time.Hour)
	const lease = 300 * time.Millisecond
	serve(t, b.URL(), func(context.Context, int) (int32, error) { return 1, nil }, idempotency.New(store, idempotency.WithLogger(nil)))
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	cli, err := amqprpc.Dial(ctx, b.URL(), amqprpc.WithLogger(nil))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cli.Close()) })

	start := time.Now()
	_, err = store.Begin(ctx, "1:q:id", idempotency.Claim{Owner: "the dead", Lease: lease})
	require.NoError(t, err)
	got, err := amqprpc.Call[int, int32](ctx, cli, "q", 0, amqprpc.WithCallID("id"))
	require.NoError(t, err)
	require.EqualValues(t, 1, got)
	require.GreaterOrEqual(t, time.Since(start), lease)
}
