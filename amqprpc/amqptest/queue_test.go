package amqptest_test

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

func TestPriorityQueue(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	declare(t, ch, "q", amqp.Table{"x-max-priority": 5})
	for _, m := range []struct {
		body     string
		priority uint8
	}{{"low", 1}, {"none", 0}, {"high", 5}, {"higher than there is", 9}, {"middle", 3}, {"high again", 5}} {
		require.NoError(t, ch.Publish("", "q", false, false, amqp.Publishing{Body: []byte(m.body), Priority: m.priority}))
	}
	require.Equal(t, []string{"high", "higher than there is", "high again", "middle", "low", "none"},
		bodies(t, consume(t, ch, "q", "", true, nil), 6))
}

func TestFullQueueDropsItsHead(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	declare(t, ch, "q", amqp.Table{"x-max-length": 2})
	publish(t, ch, "q", "a", "b", "c")
	require.Equal(t, []string{"b", "c"}, bodies(t, consume(t, ch, "q", "", true, nil), 2))

	declare(t, ch, "bytes", amqp.Table{"x-max-length-bytes": 5})
	publish(t, ch, "bytes", "aa", "bb", "cc")
	require.Equal(t, []string{"bb", "cc"}, bodies(t, consume(t, ch, "bytes", "", true, nil), 2))
}

func TestFullQueueRejectsPublishes(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	require.NoError(t, ch.Confirm(false))
	confirms := ch.NotifyPublish(make(chan amqp.Confirmation, 3))
	declare(t, ch, "q", amqp.Table{"x-max-length": 2, "x-overflow": "reject-publish"})
	publish(t, ch, "q", "a", "b", "c")
	for i, ack := range []bool{true, true, false} {
		require.Equal(t, amqp.Confirmation{DeliveryTag: uint64(i + 1), Ack: ack}, receive(t, confirms))
	}
	require.Equal(t, 2, count(t, ch, "q"))
}

func TestSingleActiveConsumer(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"classic", "quorum"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			ch := channel(t)
			_, err := ch.QueueDeclare("q", true, false, false, false,
				amqp.Table{"x-single-active-consumer": true, "x-queue-type": kind})
			require.NoError(t, err)
			one := consume(t, ch, "q", "one", true, nil)
			two := consume(t, ch, "q", "two", true, nil)
			publish(t, ch, "q", "a", "b")
			require.Equal(t, []string{"a", "b"}, bodies(t, one, 2))
			require.NoError(t, ch.Cancel("one", false))
			publish(t, ch, "q", "c")
			require.Equal(t, []string{"c"}, bodies(t, two, 1))
		})
	}
}

func TestExclusiveConsumer(t *testing.T) {
	t.Parallel()
	conn := dial(t, newBroker(t))
	ch := open(t, conn)
	declare(t, ch, "q", nil)
	_, err := ch.Consume("q", "only", true, true, false, false, nil)
	require.NoError(t, err)
	_, err = open(t, conn).Consume("q", "second", true, false, false, false, nil)
	requireCode(t, err, 403, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use")
	require.NoError(t, ch.Cancel("only", false))
	consume(t, open(t, conn), "q", "second", true, nil)
}

func TestGlobalPrefetchIsTheChannels(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	declare(t, ch, "a", nil)
	declare(t, ch, "b", nil)
	require.NoError(t, ch.Qos(2, 0, true))
	publish(t, ch, "a", "1", "2")
	publish(t, ch, "b", "3", "4")
	as := consume(t, ch, "a", "", false, nil)
	bs := consume(t, ch, "b", "", false, nil)
	receive(t, as)
	last := receive(t, as)
	require.Equal(t, []int{0, 2}, ready(t, ch, "a", "b"))
	require.NoError(t, last.Ack(true))
	bodies(t, bs, 2)
	require.Equal(t, []int{0, 0}, ready(t, ch, "a", "b"))
}

func TestRecoverRequeuesAll(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	declare(t, ch, "q", nil)
	publish(t, ch, "q", "a", "b")
	ds := consume(t, ch, "q", "", false, nil)
	bodies(t, ds, 2)
	//lint:ignore SA1019 RabbitMQ has it, whatever the driver thinks of it
	require.NoError(t, ch.Recover(true))
	for _, want := range []string{"a", "b"} {
		d := receive(t, ds)
		require.Equal(t, want, string(d.Body))
		require.True(t, d.Redelivered)
	}
}

func TestPurgeAndDelete(t *testing.T) {
	t.Parallel()
	conn := dial(t, newBroker(t))
	ch := open(t, conn)
	declare(t, ch, "q", nil)
	publish(t, ch, "q", "a", "b", "c")
	_, err := open(t, conn).QueueDelete("q", false, true, false)
	requireCode(t, err, 406, "PRECONDITION_FAILED - queue 'q' in vhost '/' not empty")
	n, err := ch.QueuePurge("q", false)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	publish(t, ch, "q", "d")
	n, err = ch.QueueDelete("q", false, false, false)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	n, err = ch.QueueDelete("q", false, false, false)
	require.NoError(t, err, "deleting what is not there succeeds")
	require.Zero(t, n)
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(t *testing.T, ch *amqp.Channel){
		"rejected": func(t *testing.T, ch *amqp.Channel) {
			publish(t, ch, "q", "x")
			d, ok, err := ch.Get("q", false)
			require.True(t, ok && err == nil)
			require.NoError(t, d.Reject(false))
		},
		"expired": func(t *testing.T, ch *amqp.Channel) {
			require.NoError(t, ch.Publish("", "q", false, false, amqp.Publishing{Expiration: "1", Body: []byte("x")}))
		},
		"maxlen": func(t *testing.T, ch *amqp.Channel) { publish(t, ch, "q", "x", "y") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ch := channel(t)
			declareExchange(t, ch, "dead", "fanout", nil)
			declare(t, ch, "graves", nil)
			bind(t, ch, "graves", "", "dead", nil)
			declare(t, ch, "q", amqp.Table{"x-dead-letter-exchange": "dead", "x-max-length": 1})
			kill(t, ch)
			d := receive(t, consume(t, ch, "graves", "", true, nil))
			require.Equal(t, "x", string(d.Body))
			require.Equal(t, []string{"dead", "q", ""}, []string{d.Exchange, d.RoutingKey, d.Expiration})
			require.Equal(t, name, d.Headers["x-first-death-reason"])
			require.Equal(t, "q", d.Headers["x-first-death-queue"])
			require.Equal(t, "", d.Headers["x-first-death-exchange"])
			deaths := d.Headers["x-death"].([]any)
			require.Len(t, deaths, 1)
			death := deaths[0].(amqp.Table)
			require.NotZero(t, death["time"])
			delete(death, "time")
			want := amqp.Table{"count": int64(1), "reason": name, "queue": "q", "exchange": "",
				"routing-keys": []any{"q"}}
			if name == "expired" {
				want["original-expiration"] = "1"
			}
			require.Equal(t, want, death)
		})
	}
}

func TestDeadLettersCountTheirDeaths(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	declare(t, ch, "work", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "retry"})
	declare(t, ch, "retry", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "work", "x-message-ttl": 1})
	ds := consume(t, ch, "work", "", false, nil)
	publish(t, ch, "work", "x")
	for round := range 3 {
		d := receive(t, ds)
		deaths, _ := d.Headers["x-death"].([]any)
		if round > 0 {
			require.Len(t, deaths, 2)
			for _, death := range deaths {
				require.Equal(t, int64(round), death.(amqp.Table)["count"])
			}
			require.Equal(t, "retry", deaths[0].(amqp.Table)["queue"], "the last comes first")
		}
		require.NoError(t, d.Nack(false, false))
	}
}

func TestDeadLettersDoNotGoRoundByThemselves(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	declare(t, ch, "q", amqp.Table{"x-dead-letter-exchange": "", "x-message-ttl": 1})
	publish(t, ch, "q", "x")
	require.Eventually(t, func() bool { return count(t, ch, "q") == 0 }, patience, 1e6)
}

func TestTransactions(t *testing.T) {
	t.Parallel()
	conn := dial(t, newBroker(t))
	ch, other := open(t, conn), open(t, conn)
	declare(t, ch, "in", nil)
	declare(t, ch, "out", nil)
	publish(t, ch, "in", "a", "b")
	require.NoError(t, ch.Tx())
	ds := consume(t, ch, "in", "", false, nil)
	first, second := receive(t, ds), receive(t, ds)
	publish(t, ch, "out", "x")
	require.NoError(t, first.Ack(false))
	require.Equal(t, 0, count(t, other, "out"), "not before the commit")
	require.NoError(t, ch.TxRollback())
	require.Equal(t, 0, count(t, other, "out"))

	require.NoError(t, first.Ack(false)) // it is unacknowledged again
	publish(t, ch, "out", "y", "z")
	require.NoError(t, ch.TxCommit())
	require.Equal(t, 2, count(t, other, "out"))
	require.NoError(t, second.Nack(false, true))
	require.NoError(t, ch.TxCommit())
	require.True(t, receive(t, ds).Redelivered)
	require.NoError(t, ch.Close())
	require.Equal(t, 1, count(t, other, "in"))
}

func TestQuorumQueueCountsDeliveries(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	declare(t, ch, "graves", nil)
	_, err := ch.QueueDeclare("q", true, false, false, false, amqp.Table{"x-queue-type": "quorum",
		"x-delivery-limit": 2, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"})
	require.NoError(t, err)
	ds := consume(t, ch, "q", "", false, nil)
	publish(t, ch, "q", "x")
	for n := range 3 {
		d := receive(t, ds)
		require.Equal(t, n > 0, d.Redelivered)
		if n > 0 {
			require.Equal(t, int64(n), d.Headers["x-delivery-count"])
		} else {
			require.NotContains(t, d.Headers, "x-delivery-count")
		}
		require.NoError(t, d.Nack(false, true))
	}
	d := receive(t, consume(t, ch, "graves", "", true, nil))
	require.Equal(t, "delivery_limit", d.Headers["x-first-death-reason"])
}

func TestQuorumQueueRequeuesAtItsEnd(t *testing.T) {
	t.Parallel()
	conn := dial(t, newBroker(t))
	ch, other := open(t, conn), open(t, conn)
	_, err := ch.QueueDeclare("q", true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
	require.NoError(t, err)
	publish(t, ch, "q", "a", "b", "c")
	require.NoError(t, ch.Qos(1, 0, false))
	d := receive(t, consume(t, ch, "q", "tag", false, nil))
	require.NoError(t, ch.Cancel("tag", false))
	require.NoError(t, d.Nack(false, true))
	require.NoError(t, ch.Close())
	require.Equal(t, []string{"b", "c", "a"}, bodies(t, consume(t, other, "q", "", true, nil), 3))
}
