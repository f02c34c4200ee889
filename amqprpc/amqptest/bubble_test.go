package amqptest_test

import (
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// In these tests time is virtual: an hour takes no time at all.

// inBubble runs a test with a broker that is reached through memory.
func inBubble(t *testing.T, test func(*testing.T, *amqptest.Broker)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := amqptest.Start(t, amqptest.WithoutListener())
		test(t, b)
		require.NoError(t, b.Close())
	})
}

func dialMemory(t *testing.T, b *amqptest.Broker, heartbeat time.Duration) *amqp.Connection {
	t.Helper()
	conn, err := amqp.DialConfig(b.URL(), amqp.Config{Dial: b.Dial, Heartbeat: heartbeat, Vhost: "/"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestBubbleIdleConnectionsLive(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *amqptest.Broker) {
		conn := dialMemory(t, b, 5*time.Second)
		time.Sleep(time.Hour)
		open(t, conn)
		require.Equal(t, 5*time.Second, b.Connections()[0].Info().Heartbeat)
	})
}

func TestBubbleBrokerGivesUpASilentClient(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *amqptest.Broker) {
		conn := dialMemory(t, b, 10*time.Second)
		ch := open(t, conn)
		_, err := ch.QueueDeclare("q", false, false, true, false, nil)
		require.NoError(t, err)
		began := time.Now()
		b.HalfOpen(amqptest.FromClient)
		record := b.Record()
		_, err = record.Wait(t.Context(), 1, func(e amqptest.Event) bool { return e.Kind == amqptest.ConnectionClosed })
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(began), 20*time.Second)
		require.LessOrEqual(t, time.Since(began), 30*time.Second)
		_, exists := b.Queue("q")
		require.False(t, exists, "an exclusive queue goes with its connection")
	})
}

func TestBubbleClientGivesUpASilentBroker(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *amqptest.Broker) {
		conn := dialMemory(t, b, 10*time.Second)
		open(t, conn)
		closed := conn.NotifyClose(make(chan *amqp.Error, 1))
		began := time.Now()
		b.HalfOpen(amqptest.BothWays)
		require.NotNil(t, <-closed)
		require.LessOrEqual(t, time.Since(began), 30*time.Second)
	})
}

func TestBubbleFrozenBrokerLosesNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *amqptest.Broker) {
		conn := dialMemory(t, b, time.Minute)
		ch := open(t, conn)
		declare(t, ch, "q", nil)
		b.Freeze(amqptest.BothWays)
		publish(t, ch, "q", "x")
		time.Sleep(45 * time.Second) // less than the client's patience
		synctest.Wait()
		q, _ := b.Queue("q")
		require.Zero(t, q.Ready)
		b.Thaw()
		synctest.Wait()
		q, _ = b.Queue("q")
		require.Equal(t, 1, q.Ready)
	})
}

func TestBubbleMessagesExpireAtTheHead(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *amqptest.Broker) {
		ch := open(t, dialMemory(t, b, time.Minute))
		declare(t, ch, "q", nil)
		for _, m := range []struct{ body, expiration string }{
			{"first", "60000"}, {"second", "10000"}, {"third", ""},
		} {
			require.NoError(t, ch.Publish("", "q", false, false,
				amqp.Publishing{Body: []byte(m.body), Expiration: m.expiration}))
		}
		require.Equal(t, 3, count(t, ch, "q"))
		time.Sleep(59 * time.Second)
		require.Equal(t, 3, count(t, ch, "q"), "the second waits behind the first")
		time.Sleep(2 * time.Second)
		require.Equal(t, 1, count(t, ch, "q"))
	})
}

func TestBubbleQueueTTL(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *amqptest.Broker) {
		ch := open(t, dialMemory(t, b, time.Minute))
		declare(t, ch, "q", amqp.Table{"x-message-ttl": 60_000})
		publish(t, ch, "q", "a")
		time.Sleep(30 * time.Second)
		publish(t, ch, "q", "b")
		time.Sleep(31 * time.Second)
		require.Equal(t, 1, count(t, ch, "q"))
		time.Sleep(30 * time.Second)
		require.Equal(t, 0, count(t, ch, "q"))
	})
}

func TestBubbleUnusedQueuesExpire(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *amqptest.Broker) {
		ch := open(t, dialMemory(t, b, time.Minute))
		declare(t, ch, "q", amqp.Table{"x-expires": 60_000})
		exists := func() bool { _, ok := b.Queue("q"); return ok }
		time.Sleep(40 * time.Second)
		declare(t, ch, "q", amqp.Table{"x-expires": 60_000}) // a use
		time.Sleep(40 * time.Second)
		require.True(t, exists())
		consume(t, ch, "q", "tag", true, nil)
		time.Sleep(time.Hour)
		require.True(t, exists(), "it is in use")
		require.NoError(t, ch.Cancel("tag", false))
		time.Sleep(59 * time.Second)
		require.True(t, exists())
		time.Sleep(2 * time.Second)
		require.False(t, exists())
	})
}

func TestBubbleUnacknowledgedDeliveryClosesItsChannel(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *amqptest.Broker) {
		ch := open(t, dialMemory(t, b, time.Minute))
		closed := ch.NotifyClose(make(chan *amqp.Error, 1))
		declare(t, ch, "q", nil)
		ds := consume(t, ch, "q", "", false, nil)
		publish(t, ch, "q", "a")
		first := receive(t, ds)
		time.Sleep(20 * time.Minute)
		publish(t, ch, "q", "b")
		receive(t, ds)
		require.NoError(t, first.Ack(false))
		time.Sleep(29 * time.Minute)
		require.Empty(t, closed)
		time.Sleep(2 * time.Minute)
		requireCode(t, <-closed, 406, "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. "+
			"Timeout value used: 1800000 ms. This timeout value can be configured, see consumers doc guide to learn more")
		q, _ := b.Queue("q")
		require.Equal(t, 1, q.Ready)
	})
}

func TestBubbleSilentHandshakeEnds(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *amqptest.Broker) {
		nc, err := b.Dial("tcp", "")
		require.NoError(t, err)
		began := time.Now()
		_, err = nc.Read(make([]byte, 1))
		require.Error(t, err)
		require.Equal(t, 10*time.Second, time.Since(began))
	})
}

// A message's time runs from its arrival, whoever has it meanwhile.
func TestBubbleTimeToLiveRunsInAConsumersHands(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *amqptest.Broker) {
		ch := open(t, dialMemory(t, b, 0))
		declare(t, ch, "q", amqp.Table{"x-message-ttl": 10_000})
		ds := consume(t, ch, "q", "c", false, nil)
		publish(t, ch, "q", "x")
		d := receive(t, ds)
		require.NoError(t, ch.Cancel("c", false))
		time.Sleep(6 * time.Second)
		require.NoError(t, d.Reject(true))
		require.Equal(t, 1, count(t, ch, "q"))
		time.Sleep(3 * time.Second)
		require.Equal(t, 1, count(t, ch, "q"))
		time.Sleep(2 * time.Second)
		require.Zero(t, count(t, ch, "q"))
	})
}
