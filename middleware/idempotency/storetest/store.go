// Package storetest tests implementations of [idempotency.Store], as testing/slogtest
// tests handlers. The stores of this module pass these tests:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, storetest.Subject{
//			New:   func(t *testing.T) idempotency.Store { return newStore(t, 2*time.Second) },
//			TTL:   2 * time.Second,
//			Lease: 200 * time.Millisecond,
//		})
//	}
package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bbebcec1/amqprpc-go/middleware/idempotency"
)

// Subject is the store to test.
type Subject struct {
	// New makes an empty store that keeps answers for TTL. It registers any cleanup on
	// t.
	New func(t *testing.T) idempotency.Store

	// TTL is how long the store keeps answers. Lease is how long the tests claim keys.
	// In real time, Lease should be short, but long enough for a few operations, and
	// TTL at least as long.
	TTL, Lease time.Duration

	// Advance lets d pass for the store, by moving the store's clock or by waiting. It
	// is time.Sleep if nil.
	Advance func(d time.Duration)

	// Bubble runs each test in a testing/synctest bubble. Use it for stores in memory.
	Bubble bool
}

// Run runs all tests on s as subtests, one after another.
func Run(t *testing.T, s Subject) {
	if s.Advance == nil {
		s.Advance = time.Sleep
	}
	for _, test := range []struct {
		name string
		run  func(*suite)
	}{
		{"a claim excludes others", (*suite).claimExcludes},
		{"a completed key is done", (*suite).completed},
		{"the first answer stays", (*suite).firstStays},
		{"a released key is free", (*suite).released},
		{"nobody releases another's claim", (*suite).releaseOfAnothers},
		{"a claim runs out", (*suite).claimRunsOut},
		{"a claim is renewed", (*suite).claimRenewed},
		{"a claim that ran out can still be completed", (*suite).lateComplete},
		{"a claim that was taken over is lost", (*suite).takenOver},
		{"an answer expires", (*suite).answerExpires},
		{"an answer outlives its lease", (*suite).answerOutlivesLease},
		{"keys are apart", (*suite).keysApart},
		{"answers come back whole", (*suite).wholeAnswers},
		{"an answer is a copy", (*suite).copies},
		{"one of many claims", (*suite).oneOfMany},
		{"waiters are told", (*suite).waitersTold},
	} {
		t.Run(test.name, func(t *testing.T) {
			run := func(t *testing.T) { test.run(&suite{T: t, Subject: s, store: s.New(t)}) }
			if s.Bubble {
				synctest.Test(t, run)
			} else {
				run(t)
			}
		})
	}
}

type suite struct {
	*testing.T
	Subject
	store idempotency.Store
}

func (s *suite) claim(owner string) idempotency.Claim {
	return idempotency.Claim{Owner: owner, Fingerprint: "print of " + owner, Lease: s.Lease}
}

// begin calls Begin on key for owner, and checks the state.
func (s *suite) begin(key, owner string, state idempotency.State) idempotency.Entry {
	s.Helper()
	e, err := s.store.Begin(context.Background(), key, s.claim(owner))
	if err != nil {
		s.Fatalf("Begin(%q) by %s: %v", key, owner, err)
	}
	if e.State != state {
		s.Fatalf("Begin(%q) by %s: the key is %v, want %v", key, owner, e.State, state)
	}
	return e
}

func (s *suite) complete(key, owner, body string, want error) {
	s.Helper()
	err := s.store.Complete(context.Background(), key, s.claim(owner), answer(body))
	if !errors.Is(err, want) {
		s.Fatalf("Complete(%q) by %s: %v, want %v", key, owner, err, want)
	}
}

func (s *suite) release(key, owner string) {
	s.Helper()
	if err := s.store.Release(context.Background(), key, s.claim(owner)); err != nil {
		s.Fatalf("Release(%q) by %s: %v", key, owner, err)
	}
}

// done checks that key is done, with the answer and the fingerprint of owner.
func (s *suite) done(key, owner, body string) {
	s.Helper()
	e := s.begin(key, "an asker", idempotency.Done)
	if string(e.Answer.Body) != body || e.Fingerprint != "print of "+owner {
		s.Fatalf("%q is done with %q and the fingerprint %q, want %q of %s", key, e.Answer.Body, e.Fingerprint, body, owner)
	}
}

func answer(body string) idempotency.Answer {
	return idempotency.Answer{ContentType: "text/plain", Body: []byte(body)}
}

func (s *suite) claimExcludes() {
	s.begin("k", "a", idempotency.Claimed)
	e := s.begin("k", "b", idempotency.Running)
	if e.Fingerprint != "print of a" {
		s.Fatalf("the fingerprint is %q, want that of the claim that runs", e.Fingerprint)
	}
	s.begin("k", "a", idempotency.Claimed)
}

func (s *suite) completed() {
	s.begin("k", "a", idempotency.Claimed)
	s.complete("k", "a", "answer", nil)
	s.done("k", "a", "answer")
	s.begin("k", "a", idempotency.Done)
}

func (s *suite) firstStays() {
	s.begin("k", "a", idempotency.Claimed)
	s.complete("k", "a", "first", nil)
	s.complete("k", "a", "again, after a lost acknowledgement", nil)
	s.done("k", "a", "first")
	s.complete("k", "b", "second", idempotency.ErrClaimLost)
	s.release("k", "a")
	s.done("k", "a", "first")
}

func (s *suite) released() {
	s.begin("k", "a", idempotency.Claimed)
	s.release("k", "a")
	s.release("k", "a")
	s.begin("k", "b", idempotency.Claimed)
	s.complete("k", "a", "late", idempotency.ErrClaimLost)
	s.complete("k", "b", "answer", nil)
	s.done("k", "b", "answer")
}

func (s *suite) releaseOfAnothers() {
	s.begin("k", "a", idempotency.Claimed)
	s.release("k", "b")
	s.begin("k", "b", idempotency.Running)
}

func (s *suite) claimRunsOut() {
	s.begin("k", "a", idempotency.Claimed)
	s.Advance(s.Lease + s.Lease/4)
	s.begin("k", "b", idempotency.Claimed)
	s.begin("k", "a", idempotency.Running)
}

func (s *suite) claimRenewed() {
	s.begin("k", "a", idempotency.Claimed)
	for range 3 {
		s.Advance(s.Lease / 2)
		s.begin("k", "a", idempotency.Claimed)
	}
	s.begin("k", "b", idempotency.Running)
}

func (s *suite) lateComplete() {
	s.begin("k", "a", idempotency.Claimed)
	s.Advance(s.Lease + s.Lease/4)
	s.complete("k", "a", "late, but first", nil)
	s.done("k", "a", "late, but first")
}

func (s *suite) takenOver() {
	s.begin("k", "a", idempotency.Claimed)
	s.Advance(s.Lease + s.Lease/4)
	s.begin("k", "b", idempotency.Claimed)
	s.complete("k", "a", "late", idempotency.ErrClaimLost)
	s.release("k", "a")
	s.begin("k", "c", idempotency.Running)
	s.complete("k", "b", "answer", nil)
	s.done("k", "b", "answer")
}

func (s *suite) answerExpires() {
	s.begin("k", "a", idempotency.Claimed)
	s.complete("k", "a", "answer", nil)
	s.Advance(s.TTL + s.TTL/4)
	s.begin("k", "b", idempotency.Claimed)
}

func (s *suite) answerOutlivesLease() {
	c := s.claim("a")
	c.Lease = s.TTL / 8
	if _, err := s.store.Begin(context.Background(), "k", c); err != nil {
		s.Fatal(err)
	}
	if err := s.store.Complete(context.Background(), "k", c, answer("answer")); err != nil {
		s.Fatal(err)
	}
	s.Advance(s.TTL / 4)
	s.done("k", "a", "answer")
}

func (s *suite) keysApart() {
	for i, key := range []string{"", "k", "K", "k ", "k:", "{k}", "\x00", "ключ", "k\xff"} {
		owner := fmt.Sprint("owner ", i)
		s.begin(key, owner, idempotency.Claimed)
		s.complete(key, owner, key, nil)
	}
	s.done("k", "owner 1", "k")
	s.done("k\xff", "owner 8", "k\xff")
}

func (s *suite) wholeAnswers() {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for i, want := range []idempotency.Answer{
		{},
		{ContentType: "application/msgpack", Body: every, Header: map[string]string{"a": "b", "ключ": "€", "empty": ""}},
		{ContentType: "application/json", Body: make([]byte, 1<<20)},
		{Error: []byte(`{"code":"not_found","message":"no \"x\"","details":[{"name":"d","value":[1,2]}]}`), Header: map[string]string{"a": "b"}},
	} {
		key := fmt.Sprint("k", i)
		s.begin(key, "a", idempotency.Claimed)
		if err := s.store.Complete(context.Background(), key, s.claim("a"), want); err != nil {
			s.Fatalf("answer %d: %v", i, err)
		}
		got := s.begin(key, "b", idempotency.Done).Answer
		if len(got.Header) == 0 && len(want.Header) == 0 {
			got.Header = want.Header
		}
		if len(got.Body) == 0 && len(want.Body) == 0 {
			got.Body = want.Body
		}
		if !reflect.DeepEqual(got, want) {
			s.Fatalf("answer %d came back as %+v", i, got)
		}
	}
}

func (s *suite) copies() {
	a := answer("answer")
	a.Header = map[string]string{"a": "b"}
	s.begin("k", "a", idempotency.Claimed)
	if err := s.store.Complete(context.Background(), "k", s.claim("a"), a); err != nil {
		s.Fatal(err)
	}
	a.Body[0], a.Header["a"] = 'X', "X"
	got := s.begin("k", "b", idempotency.Done).Answer
	if string(got.Body) != "answer" || got.Header["a"] != "b" {
		s.Fatalf("the store's answer is %+v after its maker changed it", got)
	}
}

// oneOfMany has many owners race for one key. Exactly one of them gets the claim.
func (s *suite) oneOfMany() {
	const owners = 50
	var claimed atomic.Int32
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i := range owners {
		all.Go(func() {
			<-begin
			owner := fmt.Sprint("owner ", i)
			e, err := s.store.Begin(context.Background(), "k", s.claim(owner))
			if err != nil {
				s.Errorf("Begin: %v", err)
				return
			}
			if e.State != idempotency.Claimed {
				return
			}
			claimed.Add(1)
			if err := s.store.Complete(context.Background(), "k", s.claim(owner), answer(owner)); err != nil {
				s.Errorf("Complete: %v", err)
			}
		})
	}
	close(begin)
	all.Wait()
	if n := claimed.Load(); n != 1 {
		s.Fatalf("%d of %d owners got the claim", n, owners)
	}
	s.begin("k", "an asker", idempotency.Done)
}

// waitersTold checks that the end of a claim closes Changed. It applies only to stores
// that set Changed.
func (s *suite) waitersTold() {
	for name, end := range map[string]func(key string){
		"complete": func(key string) { s.complete(key, "a", "answer", nil) },
		"release":  func(key string) { s.release(key, "a") },
	} {
		s.begin(name, "a", idempotency.Claimed)
		e := s.begin(name, "b", idempotency.Running)
		if e.Changed == nil {
			return
		}
		select {
		case <-e.Changed:
			s.Fatal("Changed is closed while the claim runs")
		default:
		}
		end(name)
		select {
		case <-e.Changed:
		default:
			s.Fatalf("Changed is not closed by %s", name)
		}
	}
}
