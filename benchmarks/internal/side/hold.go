package side

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/contender"
)

const holdLimit = 30 * time.Second

// run measures calls that wait for an answer. It ends the calls by closing the client.
func (h *Hold) run(client contender.Client, o contender.Options) error {
	conn, err := amqp.Dial(o.URL)
	if err != nil {
		return err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	// The callers' goroutines do not belong to the client, so they start before the
	// measurement.
	var waiting, calls sync.WaitGroup
	begin := make(chan struct{})
	waiting.Add(h.Calls)
	for i := range h.Calls {
		calls.Go(func() {
			waiting.Done()
			<-begin
			_ = client.Call(context.Background(), i) // the call ends when the client closes
		})
	}
	waiting.Wait()
	before := settled()
	close(begin)
	err = waitForDepth(ch, o.Queue, h.Calls)
	after := settled()
	h.Heap = int64(after.HeapAlloc) - int64(before.HeapAlloc)
	h.Stack = int64(after.StackInuse) - int64(before.StackInuse)
	err = errors.Join(err, h.profile(), client.Close())
	calls.Wait()
	return err
}

// profile writes a heap profile.
func (h *Hold) profile() error {
	if h.Profile == "" {
		return nil
	}
	f, err := os.Create(h.Profile)
	if err != nil {
		return err
	}
	return errors.Join(pprof.WriteHeapProfile(f), f.Close())
}

// settled returns the memory in use after a collection.
func settled() runtime.MemStats {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m
}

// waitForDepth waits until a queue has n messages.
func waitForDepth(ch *amqp.Channel, queue string, n int) error {
	limit := time.After(holdLimit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		if err != nil {
			return err
		}
		if q.Messages >= n {
			return nil
		}
		select {
		case <-tick.C:
		case <-limit:
			return fmt.Errorf("after %v the queue has %d messages, not %d", holdLimit, q.Messages, n)
		}
	}
}
