package idempotency_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/middleware/idempotency"
	"github.com/bbebcec1/amqprpc-go/middleware/idempotency/storetest"
)

func newClaim(owner string, lease time.Duration) idempotency.Claim {
	return idempotency.Claim{Owner: owner, Fingerprint: "print", Lease: lease}
}

// put stores an answer of key.
func put(t *testing.T, s idempotency.Store, key string) {
	t.Helper()
	c := newClaim("owner of "+key, time.Minute)
	e, err := s.Begin(t.Context(), key, c)
	require.NoError(t, err)
	require.Equal(t, idempotency.Claimed, e.State)
	require.NoError(t, s.Complete(t.Context(), key, c, idempotency.Answer{ContentType: "text/plain", Body: []byte(key)}))
}

// has reports whether key is done. If it is not, has leaves it free.
func has(t *testing.T, s idempotency.Store, key string) bool {
	t.Helper()
	c := newClaim("asker", time.Minute)
	e, err := s.Begin(t.Context(), key, c)
	require.NoError(t, err)
	require.NoError(t, s.Release(t.Context(), key, c))
	return e.State == idempotency.Done
}

func TestMemoryStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Subject{
		New: func(t *testing.T) idempotency.Store { return idempotency.NewMemoryStore(100, time.Hour) },
		TTL: time.Hour, Lease: time.Second, Bubble: true,
	})
}

func TestMemoryStoreIsBounded(t *testing.T) {
	t.Parallel()
	s := idempotency.NewMemoryStore(3, time.Hour)
	for i := range 3 {
		put(t, s, fmt.Sprint(i))
	}
	require.True(t, has(t, s, "0"), "asked for, it is not the oldest any more")
	put(t, s, "3")
	require.Equal(t, 3, s.Len())
	require.False(t, has(t, s, "1"))
	for _, key := range []string{"0", "2", "3"} {
		require.True(t, has(t, s, key), key)
	}
}

// No number of answers evicts a claim.
func TestMemoryStoreEvictsNoClaim(t *testing.T) {
	t.Parallel()
	s := idempotency.NewMemoryStore(2, time.Hour)
	_, err := s.Begin(t.Context(), "runs", newClaim("a", time.Hour))
	require.NoError(t, err)
	for i := range 100 {
		put(t, s, fmt.Sprint(i))
	}
	e, err := s.Begin(t.Context(), "runs", newClaim("b", time.Hour))
	require.NoError(t, err)
	require.Equal(t, idempotency.Running, e.State)
	require.Equal(t, 2, s.Len())
}

// A new answer removes expired answers that nobody asks for.
func TestMemoryStoreForgets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := idempotency.NewMemoryStore(0, 0)
		for i := range 1000 {
			put(t, s, fmt.Sprint(i))
		}
		require.Equal(t, 1000, s.Len())
		time.Sleep(idempotency.DefaultTTL - time.Nanosecond)
		require.True(t, has(t, s, "0"))
		time.Sleep(time.Nanosecond)
		require.False(t, has(t, s, "0"))
		put(t, s, "new")
		require.Equal(t, 1, s.Len())
	})
}

func TestMemoryStoreDefaultSize(t *testing.T) {
	t.Parallel()
	s := idempotency.NewMemoryStore(-1, time.Hour)
	for i := range 10_001 {
		c := newClaim("a", time.Hour)
		require.NoError(t, s.Complete(context.Background(), fmt.Sprint(i), c, idempotency.Answer{}))
	}
	require.Equal(t, 10_000, s.Len())
}

func TestEntryStateNames(t *testing.T) {
	t.Parallel()
	for s, name := range map[idempotency.State]string{
		0: "invalid", idempotency.Claimed: "claimed", idempotency.Running: "running", idempotency.Done: "done",
	} {
		require.Equal(t, name, s.String())
	}
}
