package side

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/contender"
)

func (i *Idle) read(started time.Duration) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	i.Started, i.Memory, i.Goroutines = started, m.HeapAlloc+m.StackInuse, runtime.NumGoroutine()
	i.Heap = m.HeapAlloc
}

// run drops the connections. It then retries a call with each client until the call succeeds.
func (d *Drop) run(client contender.Client, clients int) error {
	dropper, ok := client.(contender.Dropper)
	if !ok {
		return errors.New("this contender does not come back")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	began := time.Now()
	dropper.Drop()
	errs := make([]error, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for errs[i] = client.Call(ctx, i); errs[i] != nil && ctx.Err() == nil; errs[i] = client.Call(ctx, i) {
				time.Sleep(time.Millisecond) // the connection was lost while the call was in flight
			}
		})
	}
	wg.Wait()
	d.Took = time.Since(began)
	return errors.Join(errs...)
}
