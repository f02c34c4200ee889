// Package side is a contender's client or server in a process of its own, so that
// neither shares a scheduler, a heap or a garbage collector with the other or with what
// measures them. The parent writes commands to the child's standard input, a line of
// JSON each, and reads an answer a line.
package side

import (
	"time"

	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/contender"
)

// The two roles of a child.
const (
	Server = "server"
	Client = "client"
)

// Spec says what a child is to be.
type Spec struct {
	Role      string            `json:"role"`
	Contender string            `json:"contender"`
	Options   contender.Options `json:"options"`
	// CountAllocations records every allocation with its stack, which is slow.
	CountAllocations bool `json:"countAllocations"`
}

// Command asks a child for one thing: whichever field is not nil.
type Command struct {
	Load    *Load    `json:"load,omitempty"`
	Offer   *Offer   `json:"offer,omitempty"`
	Hold    *Hold    `json:"hold,omitempty"`
	Work    *Work    `json:"work,omitempty"`
	Usage   *Usage   `json:"usage,omitempty"`
	Origins *Origins `json:"origins,omitempty"`
	Profile *Profile `json:"profile,omitempty"`
	Idle    *Idle    `json:"idle,omitempty"`
	Drop    *Drop    `json:"drop,omitempty"`
}

// Answer has the field of its command filled in, or an error.
type Answer struct {
	Command
	Error string `json:"error,omitempty"`
}

// Load has so many callers call without a pause, for so long (closed loop).
type Load struct {
	Callers  int           `json:"callers"`
	Duration time.Duration `json:"duration"`

	Result Result `json:"result"`
}

// Offer begins so many calls a second at random intervals, whether or not earlier ones
// have ended (open loop). Latency counts from when a call was due.
type Offer struct {
	Rate     float64       `json:"rate"`
	Duration time.Duration `json:"duration"`
	Deadline time.Duration `json:"deadline"` // of each call; 0 leaves it to the contender

	Offered int    `json:"offered"`
	Result  Result `json:"result"`
}

// Result is what became of calls.
type Result struct {
	Calls   int           `json:"calls"` // that succeeded in time
	Late    int           `json:"late"`  // that succeeded when the time was over
	Failed  int           `json:"failed"`
	Failure string        `json:"failure,omitempty"` // the first
	Elapsed time.Duration `json:"elapsed"`
	P50     time.Duration `json:"p50"`
	P99     time.Duration `json:"p99"`
	P999    time.Duration `json:"p999"`
}

// Hold makes so many calls that nobody answers, waits until the broker has all of their
// requests, and measures the memory that they take. The client is closed afterwards.
type Hold struct {
	Calls   int    `json:"calls"`
	Profile string `json:"profile"` // a file for a heap profile of them; "" is none

	Heap  int64 `json:"heap"`  // bytes, of all of them
	Stack int64 `json:"stack"` // by which their goroutines grew
}

// Work says what the server's handlers do from now on.
type Work struct {
	Each      time.Duration `json:"each"`
	SlowEvery int           `json:"slowEvery"` // one in so many takes Slow instead; 0 none
	Slow      time.Duration `json:"slow"`
}

// Usage is what a process has used since it started.
type Usage struct {
	CPU      time.Duration `json:"cpu"`
	Mallocs  uint64        `json:"mallocs"`
	Bytes    uint64        `json:"bytes"`
	Writes   uint64        `json:"writes"`   // system calls; 0 where the system does not count them
	Executed int64         `json:"executed"` // handlers started
}

// Origins are the allocations since the start, by who made them; see
// Spec.CountAllocations.
type Origins struct {
	Driver    int64            `json:"driver"`
	Framework int64            `json:"framework"`
	Rest      int64            `json:"rest"`  // the measuring itself
	Sites     map[string]int64 `json:"sites"` // the framework's, by line
}

// Profile starts a CPU profile into a file, or stops it if File is empty.
type Profile struct {
	File string `json:"file"`
}

// Idle is what a process has that does nothing.
type Idle struct {
	Started    time.Duration `json:"started"` // how long it took until it was ready
	Memory     uint64        `json:"memory"`  // heap and stacks, after a collection
	Goroutines int           `json:"goroutines"`
}

// Drop has all clients of a process lose their connections, and waits until a call with
// each has succeeded.
type Drop struct {
	Took time.Duration `json:"took"`
}
