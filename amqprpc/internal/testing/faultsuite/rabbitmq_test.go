package faultsuite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/faultproxy"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq"
)

// These tests inject faults into a RabbitMQ node. They share the node, so they run one
// after another.
func TestOnRabbitMQ(t *testing.T) { // not parallel, as TestCluster
	if node == nil {
		t.Skip("no RabbitMQ asked for: set " + rabbitmq.EnvVersion)
	}
	t.Run("RollingDeploy", testRollingDeploy)
	t.Run("CallsReturnWithTheirContextUnderMemoryAlarm", testMemoryAlarm)
	t.Run("CallsReturnWithTheirContextWhenTheBrokerIsStopped", testStoppedBroker)
	t.Run("DrainUnderMemoryAlarm", testDrainUnderMemoryAlarm)
	t.Run("Faults", testFaults)
	t.Run("PersistentCallsSurviveABrokerKilled", testBrokerKilled)
	t.Run("CallsInFlightWhenTheBrokerRestarts", testRestartInMidCall)
	t.Run("Streams", testStreams)
	t.Run("PoliciesThatDrop", testPoliciesThatDrop)
	t.Run("KilledInMidStream", testKilledInMidStream)
}

// testFaults is [TestFaultsThroughProxies] on a node, with faults of the node as well.
func testFaults(t *testing.T) {
	queues := everyKind("suite.")
	harms := &nodeHarms{node: node, queue: queues[0].Name}
	run{
		seed: number(t, "AMQPRPC_FAULTS_SEED", 1), broker: node.URL(), duration: duration(t, 20*time.Second), processes: 2,
		queues: queues, more: harms.all, prepare: harms.declared,
	}.do(t)
}

// nodeHarms makes the faults of a node.
type nodeHarms struct {
	node  *rabbitmq.Node
	queue string    // a classic queue, which may be deleted
	fresh time.Time // when the queues were last declared
}

// settle is how long a node must not be killed after a declaration. Before that, the first
// confirmed messages of a single node's quorum queue may be lost, and Mnesia writes
// declarations to disk only every two seconds.
const settle = 10 * time.Second

// patience bounds every command to a node.
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
				return nil // the run has ended
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
			n.fresh = time.Now() // a server declares the queue again
			return nil
		}),
	}
}

func testRollingDeploy(t *testing.T) {
	for _, atMostOnce := range []bool{false, true} {
		rec := NewRecorder()
		queue := Queue{Name: fmt.Sprintf("deploy.%v", atMostOnce), AtMostOnce: atMostOnce}
		deploy(t, rec, NewFleet(rec, "server", node.URL(), []Queue{queue}), node.URL(), nil, 6, 200*time.Millisecond)
	}
}

func testMemoryAlarm(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	h := underOneFault(t, node.URL(), func(*faultproxy.Proxy) {
		require.NoError(t, node.SetMemoryAlarm(ctx, true))
	}, func() { require.NoError(t, node.SetMemoryAlarm(ctx, false)) })
	refusedAtOnce(t, h)
}

func testStoppedBroker(t *testing.T) {
	underOneFault(t, node.URL(), func(*faultproxy.Proxy) {
		require.NoError(t, node.Pause())
	}, func() { require.NoError(t, node.Resume()) })
}

// Persistent requests that the broker has confirmed survive its death, and their calls
// succeed when the broker is back.
func testBrokerKilled(t *testing.T) {
	const calls = 50
	queue := "killed"
	started := make(chan struct{}, 2*calls)
	release := make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	serve, stop := context.WithCancel(ctx)
	srv := amqprpc.NewServer(node.URL(), amqprpc.WithLogger(nil))
	amqprpc.Register(srv, queue, func(ctx context.Context, n int) (int, error) {
		started <- struct{}{}
		select {
		case <-release:
			return n * n, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	})
	served := make(chan error, 1)
	go func() { served <- srv.Serve(serve) }()
	<-srv.Ready()
	cli, err := amqprpc.Dial(ctx, node.URL(), amqprpc.WithLogger(nil), amqprpc.WithPersistent())
	require.NoError(t, err)
	var futures []*amqprpc.Future[int]
	for i := range calls {
		futures = append(futures, amqprpc.Go[int, int](ctx, cli, queue, i))
	}
	for range calls {
		<-started
	}
	// Confirms come in the order of the publishes, so the requests are confirmed, too.
	require.NoError(t, amqprpc.Notify(ctx, cli, queue, 0))
	require.NoError(t, node.Sync(ctx))
	require.NoError(t, node.Kill())
	require.NoError(t, node.Restart(ctx))
	for range calls {
		<-started
	}
	close(release)
	for i, f := range futures {
		got, err := f.Await(ctx)
		require.NoError(t, err)
		require.Equal(t, i*i, got)
	}
	require.NoError(t, cli.Close())
	stop()
	require.NoError(t, <-served)
}
