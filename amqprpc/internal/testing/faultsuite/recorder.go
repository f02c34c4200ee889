package faultsuite

import (
	"os"
	"slices"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq"
)

// Recorder records the history of a run. All methods are safe for concurrent use.
type Recorder struct {
	mu       sync.Mutex
	h        History
	runs     map[string]int // index in h.Executions, by Run
	journals []string       // files that child processes write
	watch    chan struct{}  // closed to end the canary
	watching sync.WaitGroup
}

// NewRecorder returns a recorder with an empty history.
func NewRecorder() *Recorder {
	return &Recorder{runs: make(map[string]int)}
}

// begin records a call that is about to be made, and returns its index.
func (r *Recorder) begin(c Call) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h.Calls = append(r.h.Calls, c)
	return len(r.h.Calls) - 1
}

// end records the result of a call.
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
	r.h.Executions = append(r.h.Executions, e)
}

// Ended implements journal.
func (r *Recorder) Ended(run string, at time.Time, result Result, flow Flow) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i, ok := r.runs[run]; ok {
		e := &r.h.Executions[i]
		e.End, e.Result, e.Flow = at, result, flow
	}
}

// Note records a fault.
func (r *Recorder) Note(what string) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h.Faults = append(r.h.Faults, Fault{now, what})
}

// Lose records that a broker may have lost the messages it had until now: see [Loss].
func (r *Recorder) Lose(queue string, persistent bool) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h.Losses = append(r.h.Losses, Loss{now, queue, persistent})
}

// Calm records that from now on there are no faults: see [History].
func (r *Recorder) Calm() {
	r.Note("calm")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h.Calm = time.Now()
}

// Leave records something that is left after the run.
func (r *Recorder) Leave(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h.Leftovers = append(r.h.Leftovers, what)
}

// canaryBeat is the interval of the canary. A delay above canaryYawn is a stall.
const (
	canaryBeat = 5 * time.Millisecond
	canaryYawn = 5 * time.Millisecond
)

// scheduling is how late other processes may be. No canary runs in them.
const scheduling = time.Second

// contention is how late threads of this process may be, beside servers and proxies.
// With a real broker it is longer: the broker may use both cores of a small machine.
func contention() time.Duration {
	if os.Getenv(rabbitmq.EnvVersion) != "" {
		return 200 * time.Millisecond
	}
	return 100 * time.Millisecond
}

// Watch starts a canary: a goroutine that runs every few milliseconds, and records when
// it ran late. It is for runs in real time.
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

// yawn returns the stall between two runs of the canary, if there was one.
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

// History returns the record until now, including that of child processes.
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
