package faultsuite

import (
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// History is the record of a run.
type History struct {
	Calls      []Call
	Executions []Execution
	Faults     []Fault
	Losses     []Loss
	Stalls     []Stall
	Leftovers  []string // calls still pending after the run, servers that did not drain
	// Scheduling is how late a handler, in any process, may have recorded its start or
	// the end of its context. It is zero in virtual time.
	Scheduling time.Duration
	// Contention is how late a goroutine may run without a canary noticing, because
	// other threads of the process were running. It is zero in virtual time.
	Contention time.Duration
}

// Call is a call or a notification as its caller sees it.
type Call struct {
	ID           string
	Client       string // its name and options, for the story
	Queue        Queue
	Notification bool
	Idempotent   bool
	Persistent   bool

	Start  time.Time
	Limit  time.Time // the end of its context
	Expiry time.Time // the expiry of its request; zero for never
	End    time.Time // zero if it never returned

	Err     string // the error's text; empty for a success
	Code    amqprpc.Code
	Outcome amqprpc.Outcome
	Answer  Answer // of a success, or the handler's error
}

// Answer is the answer of a handler: the call and the execution that it belongs to.
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

// Execution is one run of a handler. An execution that was killed has no end.
type Execution struct {
	ID          string // of the call
	Attempt     int
	Run         string // its unique name
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
	Failed    Result = "failed"    // the handler returned its own error
	Cancelled Result = "cancelled" // its context ended first
)

// Fault is a fault, or the end of a fault.
type Fault struct {
	Time time.Time
	What string
}

// Loss is a fault that may lose messages: a queue was deleted, or a broker restarted.
type Loss struct {
	Time       time.Time
	Queue      string // empty for all queues
	Persistent bool   // persistent messages may be lost as well
}

// Stall is a time during which the process of the callers did not run as it should,
// because the machine was busy. A canary measures it. A call whose limit is within a
// stall may return later.
type Stall struct{ From, To time.Time }
