// Package redisstore keeps the answers of package [idempotency] in Redis. All servers of a
// queue share these answers, and the answers outlive each server.
//
//	rdb := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
//	store := redisstore.New(rdb, time.Hour)
//	srv := amqprpc.NewServer(url, amqprpc.WithMiddleware(idempotency.New(store)))
//
// Set ContextTimeoutEnabled. Without it, go-redis ignores the context's deadline
// ([idempotency.WithStoreTimeout]), and bounds operations only by its own timeouts: a few
// seconds each, with several attempts.
//
// The store is as durable as its Redis. A Redis without persistence loses claims and
// answers when it restarts, and a failover loses what was not replicated yet. A call whose
// answer is lost runs again when it is repeated.
package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bbebcec1/amqprpc-go/middleware/idempotency"
)

// DefaultPrefix is the default prefix of the store's keys.
const DefaultPrefix = "amqprpc:idempotent:"

// Store is an [idempotency.Store] in Redis. It is safe for concurrent use. It has no
// connections or goroutines of its own: it uses the client's, and whoever made the
// client closes it.
//
// Each key is a hash with the fields owner, print and answer (JSON). A hash without an
// answer is a claim. Redis expires claims and answers. Each operation is one Lua script
// on one key, so the store works on Redis Cluster. It needs Redis 4 or later. Bodies
// may be any bytes. Metadata is text: invalid UTF-8 in it is replaced.
type Store struct {
	client                   redis.Scripter
	ttl                      time.Duration
	prefix                   string
	begin, complete, release *redis.Script
}

// Option configures [New].
type Option func(*Store)

// WithPrefix sets the prefix of the store's keys. Use it if several brokers or virtual
// hosts with the same queue names share a Redis. The default is [DefaultPrefix].
func WithPrefix(prefix string) Option {
	return func(s *Store) { s.prefix = prefix }
}

// New makes a store on client, which is a *redis.Client, *redis.ClusterClient or
// *redis.Ring. The store keeps an answer for ttl, rounded up to milliseconds, after it
// was stored. A ttl of zero or below means [idempotency.DefaultTTL]. The ttl and
// Redis's maxmemory bound the memory of all answers. With an eviction policy, Redis may
// evict claims, too, and the calls of evicted claims may run twice.
func New(client redis.Scripter, ttl time.Duration, opts ...Option) *Store {
	if ttl <= 0 {
		ttl = idempotency.DefaultTTL
	}
	s := &Store{
		client: client, ttl: ttl, prefix: DefaultPrefix,
		begin: redis.NewScript(beginScript), complete: redis.NewScript(completeScript), release: redis.NewScript(releaseScript),
	}
	for _, o := range opts {
		o(s)
	}
	return s
}

// The scripts read the fields owner, print and answer of KEYS[1]. An absent field is
// false. Redis has already deleted claims and answers that have expired.
const (
	// ARGV: owner, print, lease in ms. Returns state, print, answer.
	beginScript = `
local e = redis.call('HMGET', KEYS[1], 'owner', 'print', 'answer')
if e[3] then
  return {'done', e[2], e[3]}
end
if e[1] and e[1] ~= ARGV[1] then
  return {'running', e[2], ''}
end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'print', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {'claimed', ARGV[2], ''}`

	// ARGV: owner, print, ttl in ms, answer. Returns 1, or 0 if the claim is lost.
	completeScript = `
local e = redis.call('HMGET', KEYS[1], 'owner', 'answer')
if e[1] and e[1] ~= ARGV[1] then
  return 0
end
if not e[2] then
  redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'print', ARGV[2], 'answer', ARGV[4])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return 1`

	// ARGV: owner.
	releaseScript = `
local e = redis.call('HMGET', KEYS[1], 'owner', 'answer')
if e[1] == ARGV[1] and not e[2] then
  redis.call('DEL', KEYS[1])
end
return 1`
)

// Begin implements [idempotency.Store].
func (s *Store) Begin(ctx context.Context, key string, c idempotency.Claim) (idempotency.Entry, error) {
	v, err := s.begin.Run(ctx, s.client, s.keys(key), c.Owner, c.Fingerprint, millis(c.Lease)).StringSlice()
	if err == nil && len(v) != 3 {
		err = fmt.Errorf("the script returned %d values", len(v))
	}
	if err != nil {
		return idempotency.Entry{}, fmt.Errorf("redisstore: begin: %w", err)
	}
	e := idempotency.Entry{Fingerprint: v[1]}
	switch v[0] {
	case "claimed":
		e.State = idempotency.Claimed
	case "running":
		e.State = idempotency.Running
	default:
		e.State = idempotency.Done
		if err := json.Unmarshal([]byte(v[2]), &e.Answer); err != nil {
			return idempotency.Entry{}, fmt.Errorf("redisstore: begin: the stored answer cannot be read: %w", err)
		}
	}
	return e, nil
}

// Complete implements [idempotency.Store].
func (s *Store) Complete(ctx context.Context, key string, c idempotency.Claim, a idempotency.Answer) error {
	data, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("redisstore: complete: %w", err)
	}
	kept, err := s.complete.Run(ctx, s.client, s.keys(key), c.Owner, c.Fingerprint, millis(s.ttl), data).Bool()
	switch {
	case err != nil:
		return fmt.Errorf("redisstore: complete: %w", err)
	case !kept:
		return idempotency.ErrClaimLost
	default:
		return nil
	}
}

// Release implements [idempotency.Store].
func (s *Store) Release(ctx context.Context, key string, c idempotency.Claim) error {
	if err := s.release.Run(ctx, s.client, s.keys(key), c.Owner).Err(); err != nil {
		return fmt.Errorf("redisstore: release: %w", err)
	}
	return nil
}

func (s *Store) keys(key string) []string { return []string{s.prefix + key} }

// millis returns d in milliseconds, rounded up: a PEXPIRE of 0 deletes the key at once.
func millis(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}
