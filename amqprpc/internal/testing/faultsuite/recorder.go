package faultsuite

import (
	"os"
	"slices"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq"
)

// Recorder gathers a history while it happens. All its methods are safe for
// concurrent use.
type Recorder struct {
	mu       sync.Mutex
	h        History
	runs     map[string]int // index in h.Executions by Run
	ran      map[string]int // executions by the call's id
	journals []string       // files that child processes write
	watch    chan struct{}  // ends the canary
	watching sync.WaitGroup
}

// NewRecorder begins a history.
func NewRecorder() *Recorder {
	return &Recorder{runs: make(map[string]int), ran: make(map[string]int)}
}

// begin notes a call that is about to be made, and returns its place.
func (r *Recorder) begin(c Call) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h.Calls = append(r.h.Calls, c)
	return len(r.h.Calls) - 1
}

// end notes how a call ended.
func (r *Recorder) end(place int, finish func(*Call)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	finish(&r.h.Calls[place])
}

// Started implements journal.
func (r *Recorder) Started(e Execution) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runs[e.Run] = len(r.h.Executions)
	r.ran[e.ID]++
	r.h.Executions = append(r.h.Executions, e)
}

// Ended implements journal.
func (r *Recorder) Ended(run string, at time.Time, result Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i, ok := r.runs[run]; ok {
		r.h.Executions[i].End, r.h.Executions[i].Result = at, result
	}
}

// Note notes a fault.
func (r *Recorder) Note(what string) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h.Faults = append(r.h.Faults, Fault{now, what})
}

// Lose notes that from now back a broker may have lost messages: see [Loss].
func (r *Recorder) Lose(queue string, persistent bool) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h.Losses = append(r.h.Losses, Loss{now, queue, persistent})
}

// Leave notes something that outlived the run.
func (r *Recorder) Leave(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h.Leftovers = append(r.h.Leftovers, what)
}

// canaryBeat is how often the canary looks at the clock, and canaryYawn from how
// late on it counts.
const (
	canaryBeat = 5 * time.Millisecond
	canaryYawn = 5 * time.Millisecond
)

// scheduling is how late other processes may be, of which no canary tells.
const scheduling = time.Second

// contention is the same of threads of this process, beside servers and proxies;
// and beside brokers, which take both cores of a small machine for themselves.
func contention() time.Duration {
	if os.Getenv(rabbitmq.EnvVersion) != "" {
		return 200 * time.Millisecond
	}
	return 100 * time.Millisecond
}

// Watch starts a canary: a goroutine that wants to run every few milliseconds,
// and notes when it could not. It is for runs in real time.
func (r *Recorder) Watch() {
	r.h.Scheduling, r.h.Contention = scheduling, contention()
	r.watch = make(chan struct{})
	r.watching.Go(func() {
		t := time.NewTicker(canaryBeat)
		defer t.Stop()
		last := time.Now()
		for {
			select {
			case <-r.watch:
				return
			case <-t.C:
			}
			now := time.Now()
			if s, late := yawn(last, now); late {
				r.mu.Lock()
				r.h.Stalls = append(r.h.Stalls, s)
				r.mu.Unlock()
			}
			last = now
		}
	})
}

// yawn is the stall that a canary noticed which sang at last and now, if it did.
func yawn(last, now time.Time) (Stall, bool) {
	return Stall{last.Add(canaryBeat), now}, now.Sub(last) > canaryBeat+canaryYawn
}

// StopWatching ends the canary.
func (r *Recorder) StopWatching() {
	if r.watch != nil {
		close(r.watch)
		r.watching.Wait()
		r.watch = nil
	}
}

// History returns what has been recorded until now, child processes included.
func (r *Recorder) History() (*History, error) {
	r.mu.Lock()
	h := r.h
	h.Calls = slices.Clone(h.Calls)
	h.Executions = slices.Clone(h.Executions)
	h.Faults = slices.Clone(h.Faults)
	h.Losses = slices.Clone(h.Losses)
	h.Stalls = slices.Clone(h.Stalls)
	h.Leftovers = slices.Clone(h.Leftovers)
	journals := slices.Clone(r.journals)
	r.mu.Unlock()
	for _, name := range journals {
		es, err := readJournal(name)
		if err != nil {
			return nil, err
		}
		h.Executions = append(h.Executions, es...)
	}
	return &h, nil
}
