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
	// Calm is since when there are no faults and everything is connected again; zero for
	// never. From then on, a handler learns within a second that its caller is gone.
	Calm time.Time
	// Contention is how late a goroutine may run without a canary noticing, because
	// other threads of the process were running. It is zero in virtual time.
	Contention time.Duration
}

// Call is a call, a notification, a stream or a broadcast as its caller sees it. The kind of
// the queue says which.
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

	Left    bool     // the caller has left the stream before its end
	Flow    Flow     // of a stream
	Answers []Answer // to a broadcast
}

// Answer is the answer of a handler: the call and the execution that it belongs to.
type Answer struct {
	ID       string
	Run      string
	Instance string // of an answer to a broadcast; with an error, the rest is empty
}

// Flow is what one side of a stream has sent and received.
type Flow struct {
	Sent  int    // items that it has begun to send
	Done  bool   // it has ended its items
	Got   []Span // items that it has received
	Clean bool   // it has received their end
}

// Span is items that have come one after another, with numbers that rise by one.
type Span struct {
	Of    string // their sender: an execution, or the ID of the call
	First int
	Count int
}

// receive records an item.
func (f *Flow) receive(of string, n int) {
	if last := len(f.Got) - 1; last >= 0 {
		if s := &f.Got[last]; s.Of == of && s.First+s.Count == n {
			s.Count++
			return
		}
	}
	f.Got = append(f.Got, Span{of, n, 1})
}

// Queue is a request queue of a run.
type Queue struct {
	Name       string
	Quorum     bool
	AtMostOnce bool
	Kind       amqprpc.Kind // of its handler
	Broadcast  bool         // its handler takes broadcasts, and its calls are broadcasts
}

// Execution is one run of a handler. An execution that was killed has no end.
type Execution struct {
	ID          string // of the call
	Attempt     int
	Run         string // its unique name
	Server      string
	Instance    string
	Redelivered bool
	Start       time.Time
	End         time.Time
	Result      Result
	Flow        Flow // of a stream
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
