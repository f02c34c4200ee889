package side

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/contender"
)

// run starts each call when the call is due. Goroutines are reused for later calls.
func (o *Offer) run(client contender.Client) error {
	if o.Rate <= 0 {
		return errors.New("an offer wants a rate")
	}
	var (
		wg      sync.WaitGroup
		calls   atomic.Int64
		failure failures
		lat     = newLatencies()
		due     = make(chan time.Time)
	)
	call := func(n int, at time.Time) {
		ctx := context.Background()
		if o.Deadline > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, at.Add(o.Deadline))
			defer cancel()
		}
		if err := client.Call(ctx, n); err != nil {
			failure.add(err)
			return
		}
		lat.record(n, time.Since(at))
		calls.Add(1)
	}
	// Every contender gets the same intervals in every round.
	random := rand.New(rand.NewPCG(1, uint64(o.Duration)))
	begin := time.Now()
	at := begin
	for workers := 0; ; o.Offered++ {
		at = at.Add(time.Duration(random.ExpFloat64() / o.Rate * float64(time.Second)))
		if at.Sub(begin) > o.Duration {
			break
		}
		time.Sleep(time.Until(at))
		select {
		case due <- at:
		default:
			n, first := workers, at
			workers++
			wg.Go(func() {
				call(n, first)
				for at := range due {
					call(n, at)
				}
			})
		}
	}
	close(due)
	wg.Wait()
	o.Result = Result{Calls: int(calls.Load()), Elapsed: o.Duration}
	failure.into(&o.Result)
	lat.into(&o.Result)
	return nil
}
