package faultsuite

import (
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// History is what is known of a run after its end.
type History struct {
	Calls      []Call
	Executions []Execution
	Faults     []Fault
	Losses     []Loss
	Stalls     []Stall
	Leftovers  []string // what outlived the run: calls still pending, servers that did not drain
	// Scheduling is how late a handler, in whichever process, may have recorded
	// that it started or that its ctx ended; zero in virtual time.
	Scheduling time.Duration
	// Contention is how late the machine may let a goroutine run while no canary
	// notices, because other threads of the process did run; zero in virtual time.
	Contention time.Duration
}

// Call is a call or a notification, from its caller's side.
type Call struct {
	ID           string
	Client       string // and its options, for people to read
	Queue        Queue
	Notification bool
	Idempotent   bool
	Persistent   bool

	Start  time.Time
	Limit  time.Time // when its ctx ends
	Expiry time.Time // when its request expires; zero for never
	End    time.Time // zero for one that never returned

	Err     string // the error's text; empty for a success
	Code    amqprpc.Code
	Outcome amqprpc.Outcome
	Answer  Answer // of a success, or the handler's error
}

// Answer is what a handler computed: for which call, in which execution.
type Answer struct {
	ID  string
	Run string
}

// Queue is a request queue of a run.
type Queue struct {
	Name       string
	Quorum     bool
	AtMostOnce bool
}

// Execution is one run of a handler. One that was killed has no end.
type Execution struct {
	ID          string // of the call
	Attempt     int
	Run         string // its own name: no other execution has it
	Server      string
	Redelivered bool
	Start       time.Time
	End         time.Time
	Result      Result
}

// Result is how an execution ended.
type Result string

// The results.
const (
	Answered  Result = "answered"
	Failed    Result = "failed"    // with an error of the handler's own
	Cancelled Result = "cancelled" // its ctx ended first
)

// Fault is something that was done to the run, or its end.
type Fault struct {
	Time time.Time
	What string
}

// Loss is something that a broker may lose messages by: a queue was deleted, or
// a broker restarted.
type Loss struct {
	Time       time.Time
	Queue      string // empty for all
	Persistent bool   // persistent messages may be lost, too
}

// Stall is a time in which the process of the callers did not run as it should,
// as a canary noticed: the machine was too busy. A call whose limit falls into it
// may return that much later.
type Stall struct{ From, To time.Time }
