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
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/faultproxy"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/rabbitmq"
)

// Real time, real sockets, real processes.

// run is a run of the suite against one broker: clients, servers in this process
// and servers in processes of their own each come through a proxy.
type run struct {
	seed      uint64
	broker    string
	duration  time.Duration
	processes int
	queues    []Queue
	// more are the harms of the broker itself; prepare is called when the queues
	// are there.
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
	w := &Workload{
		Rec: rec, Seed: r.seed, URL: clientURL, Queues: r.queues, Clients: 4, Callers: 3,
		Options: []amqprpc.ClientOption{amqprpc.WithHeartbeat(time.Second)},
		Timeout: 4 * time.Second, Work: 300 * time.Millisecond, Pause: 60 * time.Millisecond, Pad: 300 << 10,
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

// proxied is a proxy before a broker, and the broker's URL through it.
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

// awaitQueues waits until each queue has so many consumers.
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

// Everything that the network and the processes of servers can do, on the
// in-process broker.
func TestFaultsThroughProxies(t *testing.T) {
	t.Parallel()
	b := amqptest.Start(t)
	run{
		seed: number(t, "AMQPRPC_FAULTS_SEED", 1), broker: b.URL(), duration: 2500 * time.Millisecond, processes: 1,
		queues: []Queue{{Name: "least"}, {Name: "most", AtMostOnce: true}, {Name: "quorum", Quorum: true}},
	}.do(t)
}

// The same on a RabbitMQ, which is harmed as well. The node is this run's alone.
func TestFaultsOnRabbitMQ(t *testing.T) {
	t.Parallel()
	if node == nil {
		t.Skip("no RabbitMQ asked for: set " + rabbitmq.EnvVersion)
	}
	queues := []Queue{{Name: "suite.least"}, {Name: "suite.most", AtMostOnce: true}, {Name: "suite.quorum", Quorum: true}}
	harms := &nodeHarms{node: node, queue: queues[0].Name}
	run{
		seed: number(t, "AMQPRPC_FAULTS_SEED", 1), broker: node.URL(), duration: duration(t, 25*time.Second), processes: 2,
		queues: queues, more: harms.all, prepare: harms.declared,
	}.do(t)
}

// nodeHarms are what can be done to a node.
type nodeHarms struct {
	node  *rabbitmq.Node
	queue string    // a classic one, which may be deleted
	fresh time.Time // when queues were last declared
}

// settle is how long after a declaration a node may be killed: the first confirmed
// messages of a quorum queue of one node are not safe before,
// and Mnesia writes down
// what was declared only every two seconds.
const settle = 10 * time.Second

// patience is how long a node is given to do as it is told.
const patience = 2 * time.Minute

func (n *nodeHarms) declared() error {
	n.fresh = time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return n.node.Sync(ctx)
}

func (n *nodeHarms) all(rec *Recorder) []Harm {
	harm := func(name string, do func(ctx context.Context, rng *rand.Rand, wait func(time.Duration)) error) Harm {
		return Harm{name, func(rng *rand.Rand, wait func(time.Duration)) error {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			return do(ctx, rng, wait)
		}}
	}
	return []Harm{
		harm("close_all_connections", func(ctx context.Context, _ *rand.Rand, _ func(time.Duration)) error {
			return n.node.CloseAllConnections(ctx, "a test")
		}),
		harm("stop_app", func(ctx context.Context, rng *rand.Rand, wait func(time.Duration)) error {
			defer rec.Lose("", false)
			if err := n.node.StopApp(ctx); err != nil {
				return err
			}
			wait(upTo(rng, 2*time.Second))
			return n.node.StartApp(ctx)
		}),
		harm("kill -9 of the broker", func(ctx context.Context, _ *rand.Rand, wait func(time.Duration)) error {
			left := settle - time.Since(n.fresh)
			if wait(left); time.Since(n.fresh) < settle {
				return nil // the run is over
			}
			rec.Note("kill -9")
			err := n.node.Kill()
			rec.Lose("", false)
			if err != nil {
				return err
			}
			return n.node.Restart(ctx)
		}),
		harm("memory alarm", func(ctx context.Context, rng *rand.Rand, wait func(time.Duration)) error {
			if err := n.node.SetMemoryAlarm(ctx, true); err != nil {
				return err
			}
			rec.Note("the alarm is up")
			wait(upTo(rng, 2*time.Second))
			return n.node.SetMemoryAlarm(ctx, false)
		}),
		harm("SIGSTOP of the broker", func(_ context.Context, rng *rand.Rand, wait func(time.Duration)) error {
			if err := n.node.Pause(); err != nil {
				return err
			}
			wait(upTo(rng, 5*time.Second))
			return n.node.Resume()
		}),
		harm("a queue deleted under its consumers", func(ctx context.Context, _ *rand.Rand, _ func(time.Duration)) error {
			defer rec.Lose(n.queue, true)
			conn, err := amqp.Dial(n.node.URL())
			if err != nil {
				return err
			}
			defer conn.Close()
			ch, err := conn.Channel()
			if err != nil {
				return err
			}
			if _, err = ch.QueueDelete(n.queue, false, false, false); err != nil {
				return err
			}
			n.fresh = time.Now() // a server declares it again
			return nil
		}),
	}
}
