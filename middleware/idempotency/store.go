package idempotency

import (
	"context"
	"errors"
	"time"
)

// Store keeps answers for the middleware. A key is free, or claimed by a running
// execution, or done with an answer. Each method changes the state of a key in one
// atomic step, even if several processes share the store: use a Redis script or a
// single SQL statement. Package storetest has the tests that a Store must pass.
//
// All methods are called concurrently and must honour ctx. A method may be called again
// with the same arguments after an error that does not say whether the call took
// effect.
type Store interface {
	// Begin claims key for c.Owner if key is free, and renews the claim if c.Owner
	// holds it. A claim that has not been renewed for its Lease has expired, and its
	// key is free. The Entry says what the state of key is now.
	Begin(ctx context.Context, key string, c Claim) (Entry, error)

	// Complete stores a as the answer of key if key is free or claimed by c.Owner. The
	// store chooses how long it keeps the answer. Complete returns [ErrClaimLost] if
	// another owner has claimed key or stored an answer. The slices and maps of a must
	// be copied.
	Complete(ctx context.Context, key string, c Claim, a Answer) error

	// Release frees key if c.Owner has claimed it, and does nothing otherwise.
	Release(ctx context.Context, key string, c Claim) error
}

// NonBlocking is an optional interface of a [Store]. If NonBlocking returns true, no
// method of the store ever waits. The middleware then passes it the request's context
// as it is, and [WithStoreTimeout] does not apply, which saves a timer per operation.
//
// A store that embeds another store inherits its NonBlocking method. If the methods of
// the outer store may wait, it needs a NonBlocking method that returns false.
type NonBlocking interface {
	NonBlocking() bool
}

// Claim is the claim of an execution on a key.
type Claim struct {
	Owner       string        // unique to one execution
	Fingerprint string        // identifies the request's body; stored with the key, opaque to the store
	Lease       time.Duration // how long the claim lasts without renewal
}

// State is the state of a key in a [Store].
type State int

const (
	Claimed State = iota + 1 // by the owner that called Begin, which now runs
	Running                  // claimed by another owner
	Done                     // an answer is stored
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

// Entry is the state of a key after [Store.Begin].
type Entry struct {
	State       State
	Fingerprint string // of the request that runs, or has been answered
	Answer      Answer // if State is Done; read-only

	// Changed is closed when the execution that runs ends. It is nil if the store
	// cannot notify; the middleware then polls Begin. A claim that expires need not
	// close Changed, so the middleware polls rarely in any case.
	Changed <-chan struct{}
}

// ErrClaimLost is returned by [Store.Complete] if another owner has claimed the key or
// stored an answer.
var ErrClaimLost = errors.New("the claim is lost to another owner")

// DefaultTTL is how long the stores of this module keep an answer by default.
const DefaultTTL = 24 * time.Hour
