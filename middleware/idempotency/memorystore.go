package idempotency

import (
	"bytes"
	"context"
	"maps"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// defaultAnswers is the default size of a MemoryStore.
const defaultAnswers = 10_000

// MemoryStore is a [Store] in the memory of this process. Use it for a queue with one
// server. Its answers are lost when the process ends. It has no goroutines and is safe
// for concurrent use. Make one with [NewMemoryStore].
type MemoryStore struct {
	ttl     time.Duration
	mu      sync.Mutex
	running map[string]*memoryClaim
	answers *simplelru.LRU[string, *memoryAnswer]
}

// Claims are kept apart from answers, so that new answers cannot evict a claim. There
// are as many claims as running handlers.
type memoryClaim struct {
	owner, fingerprint string
	until              time.Time
	changed            chan struct{}
}

type memoryAnswer struct {
	owner, fingerprint string
	until              time.Time
	answer             Answer
}

// NewMemoryStore makes a store that keeps at most size answers, each for ttl after it
// was stored. A full store evicts the answer that was least recently used. The size is
// a number of answers, not of bytes. A size below 1 means 10,000; a ttl of zero or
// below means [DefaultTTL].
func NewMemoryStore(size int, ttl time.Duration) *MemoryStore {
	if size < 1 {
		size = defaultAnswers
	}
	if ttl <= 0 {
		ttl = DefaultTTL
	}
	// The library's expirable LRU starts a goroutine that nothing can stop.
	answers, err := simplelru.NewLRU[string, *memoryAnswer](size, nil)
	if err != nil {
		panic(err) // cannot happen: size is positive
	}
	return &MemoryStore{ttl: ttl, running: make(map[string]*memoryClaim), answers: answers}
}

// NonBlocking implements [NonBlocking]: it returns true.
func (s *MemoryStore) NonBlocking() bool { return true }

// Len returns how many answers the store holds, including expired ones.
func (s *MemoryStore) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answers.Len()
}

// Begin implements [Store].
func (s *MemoryStore) Begin(_ context.Context, key string, c Claim) (Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if a := s.answer(key, now); a != nil {
		return Entry{State: Done, Fingerprint: a.fingerprint, Answer: a.answer}, nil
	}
	r := s.running[key]
	switch {
	case r != nil && r.owner == c.Owner:
		r.until = now.Add(c.Lease)
	case r != nil && now.Before(r.until):
		return Entry{State: Running, Fingerprint: r.fingerprint, Changed: r.changed}, nil
	default:
		s.free(key)
		s.running[key] = &memoryClaim{
			owner: c.Owner, fingerprint: c.Fingerprint, until: now.Add(c.Lease), changed: make(chan struct{}),
		}
	}
	return Entry{State: Claimed, Fingerprint: c.Fingerprint}, nil
}

// Complete implements [Store].
func (s *MemoryStore) Complete(_ context.Context, key string, c Claim, a Answer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if first := s.answer(key, now); first != nil {
		if first.owner == c.Owner {
			return nil
		}
		return ErrClaimLost
	}
	if r := s.running[key]; r != nil && r.owner != c.Owner && now.Before(r.until) {
		return ErrClaimLost
	}
	s.free(key)
	a.Body, a.Error, a.Header = bytes.Clone(a.Body), bytes.Clone(a.Error), maps.Clone(a.Header)
	for {
		if _, oldest, ok := s.answers.GetOldest(); !ok || now.Before(oldest.until) {
			break
		}
		s.answers.RemoveOldest()
	}
	s.answers.Add(key, &memoryAnswer{owner: c.Owner, fingerprint: c.Fingerprint, until: now.Add(s.ttl), answer: a})
	return nil
}

// Release implements [Store].
func (s *MemoryStore) Release(_ context.Context, key string, c Claim) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.running[key]; r != nil && r.owner == c.Owner {
		s.free(key)
	}
	return nil
}

// answer returns the answer of key, or nil if there is none or it has expired.
func (s *MemoryStore) answer(key string, now time.Time) *memoryAnswer {
	a, ok := s.answers.Get(key)
	if !ok {
		return nil
	}
	if !now.Before(a.until) {
		s.answers.Remove(key)
		return nil
	}
	return a
}

// free removes the claim of key and wakes its waiters.
func (s *MemoryStore) free(key string) {
	if r := s.running[key]; r != nil {
		delete(s.running, key)
		close(r.changed)
	}
}
