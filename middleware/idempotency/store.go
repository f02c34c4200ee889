package idempotency

import (
	"context"
	"errors"
	"time"
)

// Store remembers answers for [New]. One key is in one of three states: free,
// claimed by an execution that runs, or done with an answer. Each method changes a
// key's state in one step that no other can come between, also for stores that
// several processes share: a script of Redis, a statement of SQL. Package
// storetest has the tests that a Store must pass.
//
// All methods are called concurrently, honour ctx, and may be called again with the
// same arguments when an error left open whether they had their effect.
type Store interface {
	// Begin claims key for c.Owner if it is free, and renews the claim if it is the
	// owner's own; a claim of which Lease has passed since is no more, and its key is
	// free. The Entry says what there is now.
	Begin(ctx context.Context, key string, c Claim) (Entry, error)

	// Complete makes a the answer of key, to be kept for as long as the store keeps
	// answers, if key is claimed by c.Owner or free. It is [ErrClaimLost] if another
	// owner has claimed key or answered. It does not keep the slices and maps of a.
	Complete(ctx context.Context, key string, c Claim, a Answer) error

	// Release frees key if it is claimed by c.Owner, and does nothing otherwise.
	Release(ctx context.Context, key string, c Claim) error
}

// NonBlocking is an optional interface of a [Store]. If NonBlocking returns true, no
// method of the store waits for anything: [New] then passes it the request's context
// as it is, and [WithStoreTimeout] does not apply. This saves a timer per operation.
//
// A store that embeds another one has the other's NonBlocking: if its own methods may
// wait, it must declare one that returns false.
type NonBlocking interface {
	NonBlocking() bool
}

// Claim is an execution's claim of a key.
type Claim struct {
	Owner       string        // who claims: no two executions have the same
	Fingerprint string        // of the request, to be kept with the key; opaque to stores
	Lease       time.Duration // how long the claim lasts unless it is renewed
}

// State is what a [Store] knows of a key.
type State int

const (
	Claimed State = iota + 1 // by the owner who asked: it is to run
	Running                  // claimed by another owner
	Done                     // there is an answer
)

// String returns the state's name: claimed, running, done.
func (s State) String() string {
	switch s {
	case Claimed:
		return "claimed"
	case Running:
		return "running"
	case Done:
		return "done"
	default:
		return "invalid"
	}
}

// Entry is what [Store.Begin] found, or made.
type Entry struct {
	State       State
	Fingerprint string // of the claim that runs, or was done
	Answer      Answer // where State is Done; the receiver does not change what it holds

	// Changed is closed when an Running may have changed. It is nil where the
	// store cannot tell: then, and for claims that run out, Begin is called again from
	// time to time.
	Changed <-chan struct{}
}

// ErrClaimLost is what [Store.Complete] returns when another owner has claimed the
// key, or answered already.
var ErrClaimLost = errors.New("the claim is lost to another owner")

// DefaultTTL is how long stores keep an answer where nobody says otherwise.
const DefaultTTL = 24 * time.Hour
