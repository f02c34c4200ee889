package side

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/contender"
)

// run makes the callers call until the time is over. Later replies count for the latency but
// not for the throughput, because waiting for the slowest call would stretch a short run.
func (l *Load) run(client contender.Client) {
	var (
		wg      sync.WaitGroup
		calls   atomic.Int64
		late    atomic.Int64
		failure failures
		lat     = newLatencies()
	)
	ctx := context.Background()
	start := time.Now()
	end := start.Add(l.Duration)
	for i := range l.Callers {
		wg.Go(func() {
			done := int64(0)
			defer func() { calls.Add(done) }()
			for begin := time.Now(); begin.Before(end); {
				err := client.Call(ctx, i)
				now := time.Now()
				if err != nil {
					failure.add(err)
					return
				}
				lat.record(i, now.Sub(begin))
				if now.After(end) {
					late.Add(1)
					return
				}
				done++
				if begin = now; l.Pause > 0 {
					time.Sleep(l.Pause)
					begin = time.Now()
				}
			}
		})
	}
	wg.Wait()
	l.Result = Result{Calls: int(calls.Load()), Late: int(late.Load()), Elapsed: l.Duration}
	if l.Result.Calls == 0 { // the machine was too busy for one call in time, so count the late calls
		l.Result = Result{Calls: int(late.Load()), Elapsed: time.Since(start)}
	}
	failure.into(&l.Result)
	lat.into(&l.Result)
}

// failures counts errors and keeps the first error.
type failures struct {
	mu    sync.Mutex
	n     int
	first error
}

func (f *failures) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n++; f.first == nil {
		f.first = err
	}
}

func (f *failures) into(r *Result) {
	r.Failed = f.n
	if f.first != nil {
		r.Failure = f.first.Error()
	}
}
