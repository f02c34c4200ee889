package amqptest_test

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// The releases are compared in full by the differential suite; these are the
// differences that services feel.

var releases = map[amqptest.Version]string{
	amqptest.RabbitMQ310: "3.10", amqptest.RabbitMQ40: "4.0", amqptest.RabbitMQ43: "4.3",
}

func onEachRelease(t *testing.T, test func(t *testing.T, v amqptest.Version, ch *amqp.Channel)) {
	t.Helper()
	for v, name := range releases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, v, channel(t, amqptest.Follow(v)))
		})
	}
}

func TestQuorumDeliveryLimitByRelease(t *testing.T) {
	t.Parallel()
	onEachRelease(t, func(t *testing.T, v amqptest.Version, ch *amqp.Channel) {
		_, err := ch.QueueDeclare("q", true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
		require.NoError(t, err)
		ds := consume(t, ch, "q", "", false, nil)
		publish(t, ch, "q", "poison")
		for range 21 {
			d := receive(t, ds)
			require.NoError(t, d.Reject(true))
		}
		if v == amqptest.RabbitMQ310 {
			require.Equal(t, int64(21), receive(t, ds).Headers["x-delivery-count"], "there is no limit")
			return
		}
		require.Zero(t, count(t, ch, "q"))
		require.Empty(t, ds, "twenty is the limit")
	})
}

func TestNackCountsByRelease(t *testing.T) {
	t.Parallel()
	onEachRelease(t, func(t *testing.T, v amqptest.Version, ch *amqp.Channel) {
		_, err := ch.QueueDeclare("q", true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
		require.NoError(t, err)
		ds := consume(t, ch, "q", "", false, nil)
		publish(t, ch, "q", "x")
		require.NoError(t, receive(t, ds).Nack(false, true))
		want := amqp.Table{"x-delivery-count": int64(1)}
		if v == amqptest.RabbitMQ43 {
			want = amqp.Table{"x-acquired-count": int64(1)}
		}
		require.Equal(t, want, receive(t, ds).Headers)
	})
}

func TestMalformedReplyAddressByRelease(t *testing.T) {
	t.Parallel()
	for v, name := range releases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, newBroker(t, amqptest.Follow(v)))
			closed := conn.NotifyClose(make(chan *amqp.Error, 1))
			ch := open(t, conn)
			require.NoError(t, ch.Publish("", "amq.rabbitmq.reply-to.x.y", false, false, amqp.Publishing{}))
			if v < amqptest.RabbitMQ43 {
				requireCode(t, receive(t, closed), 541, "INTERNAL_ERROR")
				return
			}
			declare(t, ch, "q", nil) // nothing happened
		})
	}
}

func TestGlobalPrefetchByRelease(t *testing.T) {
	t.Parallel()
	onEachRelease(t, func(t *testing.T, v amqptest.Version, ch *amqp.Channel) {
		declare(t, ch, "q", nil)
		require.NoError(t, ch.Qos(1, 0, true))
		consume(t, ch, "q", "one", false, nil)
		consume(t, ch, "q", "two", false, nil)
		publish(t, ch, "q", "a", "b", "c")
		want := 2 // one for both
		if v == amqptest.RabbitMQ43 {
			want = 1 // one for each
		}
		require.Equal(t, want, count(t, ch, "q"))
	})
}
