// Package side runs a contender's client or server in a process of its own. The two sides and
// the measuring process then share no scheduler, heap or garbage collector. The parent writes
// each command as a line of JSON to the child's standard input, and reads one line of JSON as
// the answer.
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

// Spec describes a child.
type Spec struct {
	Role      string            `json:"role"`
	Contender string            `json:"contender"`
	Options   contender.Options `json:"options"`
	// CountAllocations records every allocation with its stack. This is slow.
	CountAllocations bool `json:"countAllocations"`
}

// Command asks a child for one thing. Exactly one field is not nil.
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

	Take      *Take              `json:"take,omitempty"`
	Open      *Open              `json:"open,omitempty"`
	Talk      *Talk              `json:"talk,omitempty"`
	Quit      *Quit              `json:"quit,omitempty"`
	Ends      *Ends              `json:"ends,omitempty"`
	Stand     *Stand             `json:"stand,omitempty"`
	Keep      *Keep              `json:"keep,omitempty"`
	Count     *Count             `json:"count,omitempty"`
	Cut       *Cut               `json:"cut,omitempty"`
	Orphan    *Orphan            `json:"orphan,omitempty"`
	Lost      *Lost              `json:"lost,omitempty"`
	Broadcast *Broadcast         `json:"broadcast,omitempty"`
	Rest      *Rest              `json:"rest,omitempty"`
	Traffic   *contender.Traffic `json:"traffic,omitempty"`
}

// Answer repeats the command with its results, or has an error.
type Answer struct {
	Command
	Error string `json:"error,omitempty"`
}

// Load makes each caller make one call after the other for a duration (closed loop).
type Load struct {
	Callers  int           `json:"callers"`
	Duration time.Duration `json:"duration"`
	Pause    time.Duration `json:"pause"` // of a caller after each call

	Result Result `json:"result"`
}

// Offer starts calls at a given rate and random intervals. It does not wait for earlier calls
// (open loop). Latency counts from the time when a call was due.
type Offer struct {
	Rate     float64       `json:"rate"`
	Duration time.Duration `json:"duration"`
	Deadline time.Duration `json:"deadline"` // of each call; with 0 the contender chooses

	Offered int    `json:"offered"`
	Result  Result `json:"result"`
}

// Result counts the outcomes of calls.
type Result struct {
	Calls   int           `json:"calls"` // calls that succeeded in time
	Late    int           `json:"late"`  // calls that succeeded after the end
	Failed  int           `json:"failed"`
	Failure string        `json:"failure,omitempty"` // the first failure
	Elapsed time.Duration `json:"elapsed"`
	P50     time.Duration `json:"p50"`
	P99     time.Duration `json:"p99"`
	P999    time.Duration `json:"p999"`
}

// Hold makes calls that no server answers, waits until the broker has all requests, and
// measures the memory of the calls. Hold closes the client afterwards.
type Hold struct {
	Calls   int    `json:"calls"`
	Profile string `json:"profile"` // a file for a heap profile; "" means no profile

	Heap  int64 `json:"heap"`  // bytes for all calls
	Stack int64 `json:"stack"` // bytes by which the goroutines' stacks grew
}

// Work sets the work of the server's handlers from now on.
type Work struct {
	Each      time.Duration `json:"each"`
	SlowEvery int           `json:"slowEvery"` // one in SlowEvery requests takes Slow instead; 0 means none
	Slow      time.Duration `json:"slow"`
}

// Usage is the resource usage of a process since its start.
type Usage struct {
	CPU      time.Duration `json:"cpu"`
	Mallocs  uint64        `json:"mallocs"`
	Bytes    uint64        `json:"bytes"`
	Writes   uint64        `json:"writes"`   // system calls; 0 if the system does not count them
	Executed int64         `json:"executed"` // started handlers
}

// Origins counts the allocations since the start by origin; see Spec.CountAllocations.
type Origins struct {
	Driver    int64            `json:"driver"`
	Framework int64            `json:"framework"`
	Rest      int64            `json:"rest"`  // allocations by the measurement
	Sites     map[string]int64 `json:"sites"` // the framework's allocations by line
}

// Profile starts a CPU profile to a file. An empty File stops the profile.
type Profile struct {
	File string `json:"file"`
}

// Idle is the resource usage of an idle process.
type Idle struct {
	Started    time.Duration `json:"started"` // time until the process was ready
	Memory     uint64        `json:"memory"`  // heap and stacks after a collection
	Heap       uint64        `json:"heap"`    // heap alone
	Goroutines int           `json:"goroutines"`
}

// Drop drops the connections of all clients of a process, and waits until one call with each
// client has succeeded.
type Drop struct {
	Took time.Duration `json:"took"`
}
