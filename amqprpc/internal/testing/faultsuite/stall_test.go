package faultsuite

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/faultproxy"
)

// A call returns within 50 ms after its context has ended, even if the buffers of its
// real socket are full.

func TestCallsReturnWithTheirContextOnStalledSockets(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*faultproxy.Proxy){
		"ToBroker":         func(p *faultproxy.Proxy) { p.Stall(faultproxy.ToBroker) },
		"ToClient":         func(p *faultproxy.Proxy) { p.Stall(faultproxy.ToClient) },
		"BrokerHalfOpen":   func(p *faultproxy.Proxy) { p.Refuse(); p.DropBroker(faultproxy.RST) },
		"ClientHalfOpen":   func(p *faultproxy.Proxy) { p.Refuse(); p.DropClients(faultproxy.FIN) },
		"NothingListening": func(p *faultproxy.Proxy) { p.Refuse(); p.Cut(faultproxy.RST) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := amqptest.Start(t)
			underOneFault(t, b.URL(), fault, func() {})
		})
	}
	t.Run("MemoryAlarm", func(t *testing.T) {
		t.Parallel()
		b := amqptest.Start(t)
		h := underOneFault(t, b.URL(), func(*faultproxy.Proxy) { b.BlockPublishers("") }, b.UnblockPublishers)
		refusedAtOnce(t, h)
	})
}

// underOneFault makes calls during a fault, after it has filled every buffer, and checks
// the guarantees.
func underOneFault(t *testing.T, broker string, fault func(*faultproxy.Proxy), undo func()) *History {
	t.Helper()
	rec := NewRecorder()
	rec.Watch()
	proxy, through := proxied(t, broker)
	queues := []Queue{{Name: "fault"}}
	fleet := NewFleet(rec, "server", broker, queues)
	require.NoError(t, fleet.Start())
	defer fleet.Stop()
	awaitQueues(t, broker, queues, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	undone := sync.OnceFunc(func() {
		undo()
		proxy.Resume(faultproxy.ToBroker)
		proxy.Resume(faultproxy.ToClient)
		proxy.Cut(faultproxy.RST)
	})
	defer undone()
	var fill sync.WaitGroup
	var filled atomic.Int64
	defer fill.Wait()
	w := &Workload{
		Rec: rec, Seed: 1, URL: through, Queues: queues, Clients: 4, Callers: 4,
		Options: []amqprpc.ClientOption{amqprpc.WithHeartbeat(time.Second)},
		Timeout: 500 * time.Millisecond, Pause: time.Millisecond, Pad: 100 << 10,
		Dialled: func(clients []*amqprpc.Client) {
			fault(proxy)
			rec.Note("the fault begins")
			for _, c := range clients {
				for range 12 { // MiB, more than the buffers of the kernel and the proxy
					fill.Go(func() {
						_ = amqprpc.Notify(ctx, c, "nowhere", make([]byte, 1<<20))
						filled.Add(1)
					})
				}
			}
			// Encoding so much keeps the machine busy, so the calls start afterwards.
			for ctx.Err() == nil {
				n := filled.Load()
				for _, c := range clients {
					n += c.Stats().Pending
				}
				if n >= int64(12*len(clients)) {
					break
				}
				pause(ctx, time.Millisecond)
			}
			// The calls get two seconds, however long the filling took.
			calls := time.AfterFunc(2*time.Second, cancel)
			t.Cleanup(func() { calls.Stop() })
		},
		Ended: func() {
			undone() // so that the clients can close their connections
			fill.Wait()
		},
	}
	require.NoError(t, w.Run(ctx))
	fleet.Stop()
	rec.StopWatching()
	h, err := rec.History()
	require.NoError(t, err)
	require.Empty(t, Report(h, 1))
	unsuccessful := 0
	for _, c := range h.Calls {
		if c.Err != "" {
			unsuccessful++
		}
	}
	require.NotZero(t, unsuccessful, "a fault that no call notices proves nothing")
	t.Logf("%d of %d calls failed", unsuccessful, len(h.Calls))
	return h
}

// refusedAtOnce checks a history under a memory alarm. Each client's first publishes have
// the outcome unknown at their deadline. All others are refused at once.
func refusedAtOnce(t *testing.T, h *History) {
	t.Helper()
	refused := 0
	for _, c := range h.Calls {
		if c.Code != amqprpc.CodeResourceExhausted {
			continue
		}
		refused++
		require.Equal(t, amqprpc.OutcomeNotSent, c.Outcome, c.Err)
	}
	require.NotZero(t, refused)
}
