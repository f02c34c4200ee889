package messaging

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// drained is closed exactly when no more deliveries are taken and all that was held is
// released, and nothing holds the subscription again after that.
func TestSubscriptionAccounting(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		s := newSubscription()
		held, deaf := 0, false
		for range 50 {
			over := deaf && held == 0
			switch r.IntN(5) {
			case 0:
				require.Equal(t, !deaf, s.hold(true))
				if !deaf {
					held++
				}
			case 1:
				require.Equal(t, !over, s.hold(false))
				if !over {
					held++
				}
			case 2, 3:
				if held > 0 {
					s.release()
					held--
				}
			default:
				if r.IntN(5) == 0 {
					s.deafen()
					deaf = true
				}
			}
			require.Equal(t, deaf && held == 0, isClosed(s.drained), "seed %d", seed)
		}
	}
}

// A reply at most once, whose channel is lost, goes on whichever channel its queue is
// consumed with next. Another reply does not: its request comes again.
func TestReplyAfterItsChannelWasLost(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	s := serve(t, broker, "q")
	conn := connect(t, broker)
	got := replies(t, conn, "r")
	publish(t, conn, "q", "at most once", "plain")
	requests := map[string]*request{}
	for range 2 {
		r := next(t, s.requests)
		requests[r.body] = r
	}
	once := requests["at most once"]
	require.True(t, once.AckNow())
	require.True(t, once.Acked())
	eventually(t, "it is acknowledged", func() bool { q, _ := broker.Queue("q"); return q.Unacked == 1 })
	server := serverConnection(broker)
	broker.RefuseConnections()
	server.Cut()
	<-requests["plain"].Context().Done()
	require.True(t, requests["plain"].Lost())
	require.False(t, once.Lost(), "it was acknowledged")
	require.False(t, requests["plain"].AckNow())
	require.False(t, requests["plain"].Acked())
	requests["plain"].finish(Done{To: "r", Body: []byte("plain")})
	once.Heartbeat("r", protocol.Reply{Heartbeat: time.Second}) // there is no channel for it
	once.finish(Done{To: "r", Body: []byte("once")})
	require.NoError(t, broker.AcceptConnections())
	require.Equal(t, "once", next(t, got))
	again := next(t, s.requests)
	require.Equal(t, "plain", again.body)
	again.finish(Done{To: "r", Body: []byte("second")})
	require.Equal(t, "second", next(t, got))
	s.stop()
	require.Empty(t, got)
	require.NoError(t, s.Drained())
	require.EqualValues(t, 2, s.handled.Load())
}

// serverConnection is the oldest connection: the server's.
func serverConnection(b *amqptest.Broker) *amqptest.Connection {
	for _, c := range b.Connections() {
		for _, ch := range c.Info().Channels {
			for _, tag := range ch.Consumers {
				if strings.HasPrefix(tag, protocol.ConsumerTag) {
					return c
				}
			}
		}
	}
	return nil
}

// The latest subscription may have been cancelled, and all that came on it be done: the
// reply then waits for the next one.
func TestReplyToASubscriptionThatIsDone(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	s := serve(t, broker, "q")
	conn := connect(t, broker)
	got := replies(t, conn, "r")
	publish(t, conn, "q", "1")
	once := next(t, s.requests)
	require.True(t, once.AckNow())
	eventually(t, "it is acknowledged", func() bool { q, _ := broker.Queue("q"); return q.Unacked == 0 })
	serverConnection(broker).Cut()
	next(t, s.ready)
	latest := s.consumer.latest()
	latest.deafen() // as when the broker has cancelled it
	next(t, latest.drained)
	once.Heartbeat("r", protocol.Reply{Heartbeat: time.Second})
	once.finish(Done{To: "r", Body: []byte("once")})
	require.Empty(t, got)
	require.True(t, broker.CancelConsumer("q", protocol.ConsumerTag))
	next(t, s.ready)
	require.Equal(t, "once", next(t, got))
}

// A reply that waits for a channel goes on waiting if that one is lost at once.
func TestReplyToASubscriptionThatIsLost(t *testing.T) {
	t.Parallel()
	c := &Consumer{dropped: true} // while the channel was opened
	c.redirect(task{delivery: &Delivery{done: Done{To: "r"}}})
	s := newSubscription()
	s.consumer = c
	newSharedChannel(t.Context(), nil).place(s)
	c.adopt(s)
	require.True(t, s.lost())
	require.Zero(t, s.left.Load())
	require.Len(t, c.orphans, 1)
	require.Equal(t, "r", c.orphans[0].delivery.done.To)
}

// What cannot be accepted is rejected, and the rest goes on.
func TestRequestThatIsNotAccepted(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	s := serve(t, broker, "q")
	conn := connect(t, broker)
	publish(t, conn, "q", "reject", "fine", "reject")
	r := next(t, s.requests)
	require.Equal(t, "fine", r.body)
	r.finish(Done{})
	eventually(t, "all are settled", func() bool { q, _ := broker.Queue("q"); return q.Unacked == 0 && q.Ready == 0 })
	s.stop()
	require.NoError(t, s.Drained())
}

// A drain takes no more requests, and waits for those that it has.
func TestDrain(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	s := serve(t, broker, "q")
	conn := connect(t, broker)
	got := replies(t, conn, "r")
	publish(t, conn, "q", "1", "2")
	first, second := next(t, s.requests), next(t, s.requests)
	stopped := make(chan struct{})
	go func() { s.stop(); close(stopped) }()
	eventually(t, "nobody consumes", func() bool { q, _ := broker.Queue("q"); return len(q.Consumers) == 0 })
	publish(t, conn, "q", "3")
	first.finish(Done{To: "r", Body: []byte("1")})
	require.Equal(t, "1", next(t, got))
	require.False(t, isClosed(stopped))
	second.finish(Done{To: "r", Body: []byte("2")})
	require.Equal(t, "2", next(t, got))
	next(t, stopped)
	require.NoError(t, s.Drained())
	q, _ := broker.Queue("q")
	require.Equal(t, 1, q.Ready)
}

// What a drain leaves is handed back, and counted.
func TestDrainThatTakesTooLong(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	s := serve(t, broker, "q")
	s.DrainTimeout = 10 * time.Millisecond
	publish(t, connect(t, broker), "q", "1", "2")
	first, second := next(t, s.requests), next(t, s.requests)
	go func() {
		<-first.Context().Done()
		first.finish(Done{})
		second.finish(Done{})
	}()
	s.stop()
	require.ErrorContains(t, s.Drained(), "2 requests had to be handed back")
	eventually(t, "they are there again", func() bool { q, _ := broker.Queue("q"); return q.Ready == 2 })
}

// A queue whose declaration fails is tried again, on a channel of its own each time; a
// queue that is deleted is made anew.
func TestQueueIsServedAgain(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	s := serve(t, broker, "q")
	conn := connect(t, broker)
	ch, err := conn.Open(t.Context(), ignore{})
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, ch.DeleteQueue(t.Context(), "q"))
		require.ErrorContains(t, next(t, s.unserved), "the broker cancelled the consumer")
		next(t, s.ready)
	}
	require.True(t, serverConnection(broker).CloseChannel(s.channel(broker), 406, "PRECONDITION_FAILED - timeout"))
	require.ErrorContains(t, next(t, s.unserved), "the channel was closed")
	next(t, s.ready)
	publish(t, conn, "q", "1")
	next(t, s.requests).finish(Done{})
	eventually(t, "the channels of before are closed", func() bool { return len(serverConnection(broker).Info().Channels) == 1 })
}

// channel is the number of the channel that consumes.
func (s *served) channel(b *amqptest.Broker) uint16 {
	q, _ := b.Queue(s.consumer.Queue)
	return q.Consumers[0].Channel
}

// Replies that wait for a connection take bounded memory, however long they are.
func TestOrphansAreBounded(t *testing.T) {
	t.Parallel()
	c := &Consumer{}
	body := make([]byte, orphanOctetsMost/4)
	for range 5 {
		c.redirect(task{delivery: &Delivery{done: Done{To: "r", Body: body}}})
	}
	require.Len(t, c.orphans, 4)
	c.redirect(task{delivery: &Delivery{done: Done{To: "short"}}})
	require.Len(t, c.orphans, 5, "an empty reply takes no more")
}
