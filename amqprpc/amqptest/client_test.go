package amqptest_test

import (
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// patience is how long a test waits for what must happen.
const patience = 5 * time.Second

func newBroker(t testing.TB, opts ...amqptest.Option) *amqptest.Broker {
	t.Helper()
	b := amqptest.NewBroker(opts...)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func dial(t testing.TB, b *amqptest.Broker) *amqp.Connection {
	t.Helper()
	conn, err := amqp.Dial(b.URL())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func open(t testing.TB, conn *amqp.Connection) *amqp.Channel {
	t.Helper()
	ch, err := conn.Channel()
	require.NoError(t, err)
	return ch
}

// channel is a channel of a connection of its own to a broker of its own.
func channel(t testing.TB, opts ...amqptest.Option) *amqp.Channel {
	t.Helper()
	return open(t, dial(t, newBroker(t, opts...)))
}

func declare(t testing.TB, ch *amqp.Channel, name string, args amqp.Table) amqp.Queue {
	t.Helper()
	q, err := ch.QueueDeclare(name, false, false, false, false, args)
	require.NoError(t, err)
	return q
}

func publish(t testing.TB, ch *amqp.Channel, key string, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		require.NoError(t, ch.Publish("", key, false, false, amqp.Publishing{Body: []byte(body)}))
	}
}

func consume(t testing.TB, ch *amqp.Channel, queue, tag string, noAck bool, args amqp.Table) <-chan amqp.Delivery {
	t.Helper()
	ds, err := ch.Consume(queue, tag, noAck, false, false, false, args)
	require.NoError(t, err)
	return ds
}

// receive waits for one value of a channel.
func receive[T any](t testing.TB, from <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-from:
		require.True(t, ok, "the Go channel is closed")
		return v
	case <-time.After(patience):
		require.FailNow(t, "nothing came")
		panic("unreachable")
	}
}

// bodies waits for n deliveries and acknowledges none.
func bodies(t testing.TB, from <-chan amqp.Delivery, n int) []string {
	t.Helper()
	var got []string
	for range n {
		got = append(got, string(receive(t, from).Body))
	}
	return got
}

// count is the number of ready messages, by a passive declaration.
func count(t testing.TB, ch *amqp.Channel, queue string) int {
	t.Helper()
	q, err := ch.QueueDeclarePassive(queue, false, false, false, false, nil)
	require.NoError(t, err)
	return q.Messages
}

// requireCode says that err is an AMQP exception of that code and text.
func requireCode(t testing.TB, err error, code int, text string) {
	t.Helper()
	var e *amqp.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code, e.Reason)
	require.Equal(t, text, e.Reason)
}
