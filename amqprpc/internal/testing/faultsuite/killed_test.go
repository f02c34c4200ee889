package faultsuite

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq"
)

const (
	// roundTrip bounds what takes a round trip on a busy machine.
	roundTrip = 3 * time.Second
	// threeBeats is how long a peer is silent before it is taken for dead. A beat is 15 s.
	threeBeats = 62 * time.Second
)

// Processes are killed with kill -9 while streams of all kinds are open. The other side learns
// it in a round trip if the queue of the killed one is gone, or else after three beats.
func testKilledInMidStream(t *testing.T) {
	t.Run("Client", func(t *testing.T) {
		t.Parallel()
		testKilledClient(t, "gone", true, roundTrip, amqprpc.KindServerStream)
	})
	t.Run("Server", func(t *testing.T) {
		t.Parallel()
		testKilledServer(t, "gone", true, roundTrip, amqprpc.KindClientStream)
	})
	// It takes a minute and is nothing that the versions of RabbitMQ do.
	if node.Version() == rabbitmq.DefaultVersion || os.Getenv("AMQPRPC_FAULTS_DURATION") != "" {
		t.Run("ClientWhoseQueueStays", func(t *testing.T) { t.Parallel(); testKilledClient(t, "stays", false, threeBeats, everyStream...) })
		t.Run("ServerWhoseQueueStays", func(t *testing.T) { t.Parallel(); testKilledServer(t, "stays", false, threeBeats, everyStream...) })
	}
}

// everyStream are the kinds of streams.
var everyStream = []amqprpc.Kind{amqprpc.KindServerStream, amqprpc.KindClientStream, amqprpc.KindBidiStream}

func streamQueues(prefix string, kinds []amqprpc.Kind) (queues []Queue) {
	for _, k := range kinds {
		queues = append(queues, Queue{Name: fmt.Sprint(prefix, k), Kind: k})
	}
	return queues
}

func testKilledClient(t *testing.T, name string, loses bool, within time.Duration, kinds ...amqprpc.Kind) {
	rec := NewRecorder()
	queues := streamQueues("killed.client."+name+".", kinds)
	fleet := NewFleet(rec, "server", node.URL(), queues)
	require.NoError(t, fleet.Start())
	defer fleet.Stop()
	awaitQueues(t, node.URL(), queues, 1)
	c, err := startChild(rec, t.TempDir(), childConfig{Name: "client", URL: node.URL(), Queues: queues, Client: true, Loses: loses})
	require.NoError(t, err)
	handlers := func() (started, ended int) {
		h, err := rec.History()
		require.NoError(t, err)
		for _, e := range h.Executions {
			if started++; !e.End.IsZero() {
				ended++
			}
		}
		return started, ended
	}
	require.Eventually(t, func() bool { n, _ := handlers(); return n == len(queues) }, patience, 10*time.Millisecond, "the streams are open")
	pause(t.Context(), 100*time.Millisecond) // in their middle
	_, ended := handlers()
	require.Zero(t, ended)
	killed := time.Now()
	c.kill()
	require.Eventually(t, func() bool { _, n := handlers(); return n == len(queues) }, within+roundTrip, 10*time.Millisecond, "the handlers are told")
	t.Logf("all handlers ended %v after their client was killed", time.Since(killed))
	require.LessOrEqual(t, time.Since(killed), within)
	h, err := rec.History()
	require.NoError(t, err)
	for _, e := range h.Executions {
		require.Equal(t, Cancelled, e.Result)
		require.False(t, e.Flow.Clean, "nobody has ended the upload")
		require.LessOrEqual(t, len(e.Flow.Got), 1, "%v", e.Flow.Got)
	}
	fleet.Stop()
	h, err = rec.History()
	require.NoError(t, err)
	require.Empty(t, h.Leftovers)
}

func testKilledServer(t *testing.T, name string, deleted bool, within time.Duration, kinds ...amqprpc.Kind) {
	rec := NewRecorder()
	queues := streamQueues("killed.server."+name+".", kinds)
	c, err := startChild(rec, t.TempDir(), childConfig{Name: "server", URL: node.URL(), Queues: queues})
	require.NoError(t, err)
	defer c.kill()
	awaitQueues(t, node.URL(), queues, 1)
	cli, err := amqprpc.Dial(t.Context(), node.URL(), amqprpc.WithLogger(nil))
	require.NoError(t, err)
	defer cli.Close()
	open := make(chan struct{}, len(queues))
	ends := make(chan error, len(queues))
	for _, q := range queues {
		var items atomic.Int64
		go func() {
			ends <- endless(t.Context(), cli, q, func() {
				if items.Add(1) == 20 {
					open <- struct{}{}
				}
			})
		}()
	}
	for range queues {
		select {
		case <-open:
		case err := <-ends:
			require.NoError(t, err, "a stream has ended before")
		}
	}
	killed := time.Now()
	c.kill()
	if deleted {
		h, err := rec.History()
		require.NoError(t, err)
		deleteQueueOnNode(t, "amqprpc.instance."+h.Executions[0].Instance)
	}
	for range queues {
		select {
		case err := <-ends:
			require.ErrorIs(t, err, amqprpc.CodeUnavailable)
			require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
		case <-time.After(within + roundTrip):
			require.FailNow(t, "a stream goes on without its server")
		}
	}
	t.Logf("all streams ended %v after their server was killed", time.Since(killed))
	require.LessOrEqual(t, time.Since(killed), within)
	require.Zero(t, cli.Stats().Pending)
}

func deleteQueueOnNode(t *testing.T, name string) {
	t.Helper()
	conn, err := amqp.Dial(node.URL())
	require.NoError(t, err)
	defer conn.Close()
	ch, err := conn.Channel()
	require.NoError(t, err)
	_, err = ch.QueueDelete(name, false, false, false)
	require.NoError(t, err)
}
