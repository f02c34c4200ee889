// Package redisstore keeps the answers of [idempotency.New] in Redis, so that
// all servers of a queue share them and they outlive each.
//
//	rdb := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
//	store := redisstore.New(rdb, time.Hour)
//	srv := amqprpc.NewServer(url, amqprpc.WithMiddleware(idempotency.New(store)))
//
// ContextTimeoutEnabled matters: without it go-redis bounds operations by its own
// timeouts only, a few seconds each with several attempts, instead of by ctx
// ([idempotency.WithStoreTimeout]).
//
// What Redis promises, the store promises: one without persistence forgets claims and
// answers when it restarts, and a failover to a replica loses those that had not been
// replicated; calls whose answers are lost run again when they are repeated.
package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bbebcec1/amqprpc-go/middleware/idempotency"
)

// DefaultPrefix is what the store's keys begin with.
const DefaultPrefix = "amqprpc:idempotent:"

// Store is a [idempotency.Store] in Redis. It is safe for concurrent use and has
// neither connections nor goroutines of its own: those are the client's, which who
// made it closes.
//
// Each key is a hash of the fields owner, print and answer (JSON), claimed while it
// has no answer; Redis expires claims and answers. Every operation is one Lua script on
// one key, so that it suits Redis Cluster as well. It needs Redis 4 or later. Bodies may
// be any bytes; metadata is text, of which what is not UTF-8 is replaced.
type Store struct {
	client                   redis.Scripter
	ttl                      time.Duration
	prefix                   string
	begin, complete, release *redis.Script
}

// Option configures [New].
type Option func(*Store)

// WithPrefix sets what the store's keys begin with, to keep apart systems that share
// a Redis: brokers and virtual hosts whose queues have the same names. The default is
// [DefaultPrefix].
func WithPrefix(prefix string) Option {
	return func(s *Store) { s.prefix = prefix }
}

// New makes a store on client, a *redis.Client, *redis.ClusterClient or *redis.Ring.
// Answers are kept for ttl from their completion on, rounded up to milliseconds; of
// zero or below that is [idempotency.DefaultTTL]. How much memory they take
// together is for ttl and Redis's maxmemory to bound; with an eviction policy Redis may
// evict claims as well, whose calls may then run twice.
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

// The scripts read owner, print and answer of KEYS[1]; absent fields are false. A
// claim or answer that has run out is not there any more: Redis sees to that.
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

// millis is d in milliseconds, rounded up, since PEXPIRE takes 0 for at once.
func millis(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}
