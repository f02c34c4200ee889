package faultsuite

import (
	"context"
	"math/rand/v2"
	"net/url"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/faultproxy"
)

// These tests use real time, real sockets and real processes.

// run is a run of the suite on one broker. Clients, servers in this process and servers in
// child processes each connect through a proxy.
type run struct {
	seed      uint64
	broker    string
	duration  time.Duration
	processes int
	queues    []Queue
	// more returns the faults of the broker itself. prepare is called when the queues have
	// been declared.
	more    func(rec *Recorder) []Harm
	prepare func() error
}

func (r run) do(t *testing.T) {
	t.Helper()
	rec := NewRecorder()
	rec.Watch()
	clients, clientURL := proxied(t, r.broker)
	servers, serverURL := proxied(t, r.broker)
	locals := NewFleet(rec, "server", serverURL, r.queues, amqprpc.WithHeartbeat(time.Second))
	children := NewFleet(rec, "process", serverURL, r.queues)
	children.AsProcesses(t.TempDir())
	require.NoError(t, locals.Start())
	for range r.processes {
		require.NoError(t, children.Start())
	}
	defer func() {
		locals.Stop()
		children.Stop()
	}()
	awaitQueues(t, r.broker, r.queues, 1+r.processes)
	if r.prepare != nil {
		require.NoError(t, r.prepare())
	}

	ctx, cancel := context.WithTimeout(t.Context(), r.duration)
	defer cancel()
	harms := append(ProxyHarms(clients, "clients'", 2*time.Second, 4*time.Second),
		ProxyHarms(servers, "servers'", 2*time.Second, 4*time.Second)...)
	harms = append(harms, Harm{"a rolling deploy", func(*rand.Rand, func(time.Duration)) error { return locals.Roll() }})
	if r.processes > 0 {
		harms = append(harms,
			Harm{"kill -9 of a server", func(*rand.Rand, func(time.Duration)) error { return children.Kill() }},
			Harm{"a rolling deploy of processes", func(*rand.Rand, func(time.Duration)) error { return children.Roll() }})
	}
	var harm sync.WaitGroup
	var errs [2]error
	harm.Go(func() { errs[0] = Inject(ctx, rec, r.seed, time.Second, harms...) })
	if r.more != nil {
		harm.Go(func() { errs[1] = Inject(ctx, rec, r.seed+1<<32, 2*time.Second, r.more(rec)...) })
	}
	calm, calmed := context.WithCancel(t.Context())
	defer calmed()
	w := &Workload{
		Rec: rec, Seed: r.seed, URL: clientURL, Queues: r.queues, Clients: 4, Callers: 3,
		Options: []amqprpc.ClientOption{amqprpc.WithHeartbeat(time.Second)},
		Timeout: 4 * time.Second, Work: 300 * time.Millisecond, Pause: 60 * time.Millisecond, Pad: 300 << 10,
		Quick: func(q Queue) bool { return q == r.queues[0] }, Warm: 100,
		Calm: func(clients []*amqprpc.Client) context.Context {
			harm.Wait()
			r.connected(t, clients, 1+r.processes)
			rec.Calm()
			time.AfterFunc(2*time.Second, calmed)
			return calm
		},
	}
	require.NoError(t, w.Run(ctx))
	harm.Wait()
	require.NoError(t, errs[0])
	require.NoError(t, errs[1])
	require.NoError(t, Owed(rec, time.Minute))
	locals.Stop()
	children.Stop()
	rec.StopWatching()
	verdict(t, rec, r.seed)
}

// connected waits until all clients and servers are connected. A connection that is half-open
// is found out within three heartbeats of a second.
func (r run) connected(t *testing.T, clients []*amqprpc.Client, servers int) {
	t.Helper()
	pause(t.Context(), 3*time.Second)
	awaitQueues(t, r.broker, r.queues, servers)
	for _, c := range clients {
		require.Eventually(t, func() bool { return c.Status().Err() == nil }, time.Minute, 20*time.Millisecond, "a client is connected")
	}
}

// proxied starts a proxy before a broker, and returns the broker's URL through it.
func proxied(t *testing.T, broker string) (*faultproxy.Proxy, string) {
	t.Helper()
	u, err := url.Parse(broker)
	require.NoError(t, err)
	p, err := faultproxy.New(u.Host)
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	through, err := p.URL(broker)
	require.NoError(t, err)
	return p, through
}

// awaitQueues waits until each queue has the number of consumers.
func awaitQueues(t *testing.T, broker string, queues []Queue, consumers int) {
	t.Helper()
	conn, err := amqp.Dial(broker)
	require.NoError(t, err)
	defer conn.Close()
	for _, q := range queues {
		require.Eventually(t, func() bool {
			ch, err := conn.Channel()
			if err != nil {
				return false
			}
			defer ch.Close()
			got, err := ch.QueueDeclarePassive(q.Name, true, false, false, false, nil)
			return err == nil && got.Consumers >= consumers
		}, time.Minute, 20*time.Millisecond, "consumers of %s", q.Name)
	}
}

// All faults of the network and of server processes, on the in-process broker.
func TestFaultsThroughProxies(t *testing.T) {
	t.Parallel()
	b := amqptest.Start(t)
	run{
		seed: number(t, "AMQPRPC_FAULTS_SEED", 1), broker: b.URL(), duration: 2500 * time.Millisecond, processes: 1,
		queues: everyKind(""),
	}.do(t)
}
