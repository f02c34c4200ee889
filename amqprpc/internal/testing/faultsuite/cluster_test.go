package faultsuite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq"
)

// failover is the longest time that a quorum queue may be without a reachable leader. An
// election takes a second or two, but three nodes share two cores, and one of them is
// booting.
const failover = 15 * time.Second

// There are three nodes, and clients and servers know all of them. First the node of the
// request queue's leader dies, and then the node of a client's reply queue.
//
// The test is not parallel: three nodes on two cores would delay the tests beside them,
// which check that calls return in time.
func TestCluster(t *testing.T) {
	if node == nil {
		t.Skip("no RabbitMQ asked for: set " + rabbitmq.EnvVersion)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cfg := rabbitmq.Config{Version: node.Version()}
	if node.Version() == "4.3" {
		// Since 4.3, a quorum queue waits this long before it redelivers the messages of
		// consumers on an unreachable node. The default is a minute.
		cfg.Conf = []string{"consumer_disconnected_timeout = 1000"}
	}
	cluster, err := rabbitmq.StartCluster(ctx, 3, cfg)
	require.NoError(t, err)
	defer func() { require.NoError(t, cluster.Stop()) }()
	urls := cluster.URLs()
	queue := Queue{Name: "cluster", Quorum: true}
	rec := NewRecorder()
	// A queue's leader is on the node of the connection that declares the queue first.
	fleet := NewFleet(rec, "server", urls[1], []Queue{queue}, amqprpc.WithBrokers(urls[2], urls[0]), amqprpc.WithHeartbeat(time.Second))
	require.NoError(t, fleet.Start())
	defer fleet.Stop()
	awaitQueues(t, urls[1], []Queue{queue}, 1)
	dial := func(opts ...amqprpc.ClientOption) *amqprpc.Client {
		opts = append([]amqprpc.ClientOption{amqprpc.WithLogger(nil), amqprpc.WithBrokers(urls[2], urls[1]),
			amqprpc.WithHeartbeat(time.Second), amqprpc.WithPersistent(), amqprpc.WithTimeout(time.Minute)}, opts...)
		cli, err := amqprpc.Dial(ctx, urls[0], opts...)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, cli.Close()) })
		return cli
	}
	cli := dial()
	streams := streamsInCluster(ctx, t, urls)

	t.Run("LeaderKilled", func(t *testing.T) {
		require.Equal(t, cluster.Nodes[1].Name(), leader(ctx, t, cluster.Nodes[0], queue.Name))
		c := newStream(t, cli, queue)
		c.untilAnswered(t, 20)
		fresh := dial()
		rec.Note("the leader is killed")
		killed := time.Now()
		require.NoError(t, cluster.Nodes[1].Kill())
		// This is the channel's first request to the queue. RabbitMQ 3.10 refuses this
		// request and all later requests of the channel.
		refused := untilTaken(ctx, t, fresh, queue.Name, Job{ID: "fresh"})
		t.Logf("a channel new to the queue: answered %v after the leader was killed, refused %d times", time.Since(killed), refused)
		require.LessOrEqual(t, time.Since(killed), failover)
		c.untilAnswered(t, 20)
		t.Logf("20 answers more %v after the leader was killed", time.Since(killed))
		c.stop()
		for _, f := range c.failures {
			t.Log(f)
			h, _ := rec.History()
			for _, e := range h.Executions {
				if strings.HasPrefix(f, e.ID+":") {
					t.Logf("%+v killed %v", e, killed)
				}
			}
		}
		require.Empty(t, c.failures, "no call to a quorum queue fails for its leader")
		require.LessOrEqual(t, c.worst, failover, "the longest call")
	})
	require.NoError(t, cluster.Nodes[1].Restart(ctx))
	// The queue needs all its members back, or it loses its majority with the next node.
	require.Eventually(t, func() bool {
		out, err := cluster.Nodes[1].Ctl(ctx, "list_queues", "--no-table-headers", "name", "online")
		for line := range strings.Lines(out) {
			if members := strings.Count(line, "@localhost"); members != 0 && members != 3 { // a classic queue has none
				return false
			}
		}
		return err == nil
	}, time.Minute, time.Second, "the restarted node's member is back")

	t.Run("NodeOfTheReplyQueueKilled", func(t *testing.T) {
		again := dial(amqprpc.WithIdempotent())
		const calls = 2
		work := func(id string) Job { return Job{ID: id, Work: time.Second} }
		plain := make([]*amqprpc.Future[Reply], calls)
		idempotent := make([]*amqprpc.Future[Reply], calls)
		for i := range calls {
			id := fmt.Sprint("plain", i)
			plain[i] = amqprpc.Go[Job, Reply](ctx, cli, queue.Name, work(id), amqprpc.WithCallID(id))
			id = fmt.Sprint("again", i)
			idempotent[i] = amqprpc.Go[Job, Reply](ctx, again, queue.Name, work(id), amqprpc.WithCallID(id))
		}
		require.Eventually(t, func() bool { return running(rec, "plain")+running(rec, "again") > 0 }, time.Minute, 5*time.Millisecond)
		killed := time.Now()
		require.NoError(t, cluster.Nodes[0].Kill())
		for i := range calls {
			_, err := plain[i].Await(ctx)
			require.ErrorIs(t, err, amqprpc.CodeUnavailable)
			require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
		}
		require.LessOrEqual(t, time.Since(killed), failover, "at once, not at the deadline")
		t.Logf("calls whose reply queue is gone end %v after its node was killed", time.Since(killed))
		for i := range calls {
			reply, err := idempotent[i].Await(ctx)
			id := fmt.Sprint("again", i)
			if errors.Is(err, amqprpc.CodeUnavailable) {
				// The request was resent before the queue had a new leader, and the broker
				// refused it with basic.nack.
				untilTaken(ctx, t, again, queue.Name, work(id))
				continue
			}
			require.NoError(t, err)
			require.Equal(t, id, reply.ID)
		}
		t.Logf("idempotent ones are answered after %v", time.Since(killed))
		require.LessOrEqual(t, time.Since(killed), failover)
	})
	t.Run("StreamsMeanwhile", streams)
}

// streamsInCluster begins streams of all kinds, and goes on while nodes die. The result ends
// them and checks what has passed.
func streamsInCluster(ctx context.Context, t *testing.T, urls []string) func(*testing.T) {
	t.Helper()
	rec := NewRecorder()
	// How long it takes on a machine that boots nodes is the affair of other tests.
	rec.h.Scheduling, rec.h.Contention = time.Minute, time.Minute
	queues := streamQueues("cluster.", everyStream)
	for i := range queues {
		queues[i].Quorum = true
	}
	fleet := NewFleet(rec, "streams", urls[1], queues, amqprpc.WithBrokers(urls[2], urls[0]), amqprpc.WithHeartbeat(time.Second))
	require.NoError(t, fleet.Start())
	awaitQueues(t, urls[1], queues, 1)
	ctx, stop := context.WithCancel(ctx)
	w := &Workload{
		Rec: rec, Seed: 1, URL: urls[0], Queues: queues, Clients: 2, Callers: 2,
		Options: []amqprpc.ClientOption{amqprpc.WithBrokers(urls[2], urls[1]), amqprpc.WithHeartbeat(time.Second)},
		Timeout: 10 * time.Second, Work: 300 * time.Millisecond, Pause: 100 * time.Millisecond, Pad: 100 << 10,
	}
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() { stop(); fleet.Stop() })
	return func(t *testing.T) {
		rec.Note("nodes have been killed")
		stop()
		require.NoError(t, <-done)
		fleet.Stop()
		verdict(t, rec, 1)
	}
}

// untilTaken repeats a call until the broker accepts the request. It returns how often the
// broker refused it.
func untilTaken(ctx context.Context, t *testing.T, cli *amqprpc.Client, queue string, job Job) (refused int) {
	t.Helper()
	for {
		reply, err := amqprpc.Call[Job, Reply](ctx, cli, queue, job, amqprpc.WithCallID(job.ID))
		if err == nil {
			require.Equal(t, job.ID, reply.ID)
			return refused
		}
		require.ErrorIs(t, err, amqprpc.CodeUnavailable)
		require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
		refused++
		time.Sleep(50 * time.Millisecond)
	}
}

// running returns the number of executions of calls whose IDs begin with prefix.
func running(rec *Recorder, prefix string) int {
	h, _ := rec.History()
	n := 0
	for _, e := range h.Executions {
		if strings.HasPrefix(e.ID, prefix) {
			n++
		}
	}
	return n
}

// leader returns the name of the node with the leader of a quorum queue.
func leader(ctx context.Context, t *testing.T, n *rabbitmq.Node, queue string) string {
	t.Helper()
	out, err := n.Ctl(ctx, "list_queues", "--no-table-headers", "name", "leader")
	require.NoError(t, err)
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == queue {
			return f[1]
		}
	}
	require.FailNow(t, "no such queue", out)
	return ""
}

// stream makes calls in the background.
type stream struct {
	end      context.CancelFunc
	done     sync.WaitGroup
	answered chan struct{}

	mu       sync.Mutex
	worst    time.Duration
	failures []string
}

func newStream(t *testing.T, cli *amqprpc.Client, queue Queue) *stream {
	ctx, cancel := context.WithCancel(context.Background())
	s := &stream{end: cancel, answered: make(chan struct{})}
	t.Cleanup(s.stop)
	for i := range 4 {
		s.done.Go(func() {
			for k := 0; ctx.Err() == nil; k++ {
				id := fmt.Sprintf("stream%d.%d", i, k)
				began := time.Now()
				reply, err := amqprpc.Call[Job, Reply](context.Background(), cli, queue.Name, Job{ID: id}, amqprpc.WithCallID(id))
				s.mu.Lock()
				s.worst = max(s.worst, time.Since(began))
				if err != nil || reply.ID != id {
					s.failures = append(s.failures, fmt.Sprintf("%s: %v, %v", id, reply.ID, err))
				}
				s.mu.Unlock()
				select {
				case s.answered <- struct{}{}:
				case <-ctx.Done():
				}
			}
		})
	}
	return s
}

func (s *stream) untilAnswered(t *testing.T, n int) {
	t.Helper()
	for range n {
		select {
		case <-s.answered:
		case <-time.After(patience):
			require.FailNow(t, "no more answers")
		}
	}
}

func (s *stream) stop() {
	s.end()
	s.done.Wait()
}
