package amqptest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

func TestBrokerTakesAndDelivers(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	q := declare(t, ch, "work", nil)
	require.Equal(t, "work", q.Name)
	publish(t, ch, "work", "a", "b", "c")
	ds := consume(t, ch, "work", "me", false, nil)
	for _, want := range []string{"a", "b", "c"} {
		d := receive(t, ds)
		require.Equal(t, want, string(d.Body))
		require.Equal(t, "me", d.ConsumerTag)
		require.Equal(t, "work", d.RoutingKey)
		require.False(t, d.Redelivered)
		require.NoError(t, d.Ack(false))
	}
	require.Equal(t, 0, count(t, ch, "work"))
}

func TestPropertiesSurvive(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	declare(t, ch, "q", nil)
	want := amqp.Publishing{
		Headers: amqp.Table{"s": "text", "i": int32(7), "l": int64(8), "b": true, "n": nil,
			"t": amqp.Table{"inner": "x"}, "a": []any{"y", int16(1)}, "f": 1.5},
		ContentType: "text/plain", ContentEncoding: "utf-8", DeliveryMode: 2, Priority: 3,
		CorrelationId: "c", ReplyTo: "r", Expiration: "60000", MessageId: "m",
		Timestamp: time.Unix(1700000000, 0), Type: "t", UserId: "guest", AppId: "a",
		Body: []byte(strings.Repeat("x", 300_000)),
	}
	require.NoError(t, ch.Publish("", "q", false, false, want))
	d := receive(t, consume(t, ch, "q", "", true, nil))
	require.Equal(t, want.Headers, d.Headers)
	require.Equal(t, want.Body, d.Body)
	require.Equal(t, want.Timestamp.UTC(), d.Timestamp.UTC())
	require.Equal(t, []any{want.ContentType, want.ContentEncoding, want.DeliveryMode, want.Priority,
		want.CorrelationId, want.ReplyTo, want.Expiration, want.MessageId, want.Type, want.UserId, want.AppId},
		[]any{d.ContentType, d.ContentEncoding, d.DeliveryMode, d.Priority,
			d.CorrelationId, d.ReplyTo, d.Expiration, d.MessageId, d.Type, d.UserId, d.AppId})
}

func TestUnroutableMandatoryIsReturnedBeforeItsConfirm(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	require.NoError(t, ch.Confirm(false))
	returns := ch.NotifyReturn(make(chan amqp.Return, 1))
	confirms := ch.NotifyPublish(make(chan amqp.Confirmation, 2))
	require.NoError(t, ch.Publish("", "nobody", true, false, amqp.Publishing{Body: []byte("x")}))
	require.NoError(t, ch.Publish("", "nobody", false, false, amqp.Publishing{}))
	r := receive(t, returns)
	require.Equal(t, uint16(312), r.ReplyCode)
	require.Equal(t, "NO_ROUTE", r.ReplyText)
	require.Equal(t, "nobody", r.RoutingKey)
	require.Equal(t, "x", string(r.Body))
	require.Equal(t, amqp.Confirmation{DeliveryTag: 1, Ack: true}, receive(t, confirms))
	require.Equal(t, amqp.Confirmation{DeliveryTag: 2, Ack: true}, receive(t, confirms))
}

func TestConfirmsComeInOrder(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	require.NoError(t, ch.Confirm(false))
	const n = 1000
	confirms := ch.NotifyPublish(make(chan amqp.Confirmation, n))
	declare(t, ch, "q", nil)
	for range n {
		publish(t, ch, "q", "x")
	}
	for i := range uint64(n) {
		require.Equal(t, amqp.Confirmation{DeliveryTag: i + 1, Ack: true}, receive(t, confirms))
	}
	require.Equal(t, n, count(t, ch, "q"))
}

func TestPrefetchBoundsDeliveries(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	declare(t, ch, "q", nil)
	require.NoError(t, ch.Qos(2, 0, false))
	publish(t, ch, "q", "a", "b", "c", "d")
	ds := consume(t, ch, "q", "", false, nil)
	first := receive(t, ds)
	receive(t, ds)
	require.Equal(t, 2, count(t, ch, "q"))
	require.NoError(t, first.Ack(false))
	require.Equal(t, "c", string(receive(t, ds).Body))
	require.Equal(t, 1, count(t, ch, "q"))
}

func TestRejectedMessagesComeBackInPlace(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	declare(t, ch, "q", nil)
	publish(t, ch, "q", "a", "b", "c", "d")
	var got []amqp.Delivery
	for range 3 {
		d, ok, err := ch.Get("q", false)
		require.NoError(t, err)
		require.True(t, ok)
		got = append(got, d)
	}
	require.NoError(t, got[1].Nack(false, true))
	require.NoError(t, got[2].Reject(true))
	require.NoError(t, got[0].Nack(false, true))
	ds := consume(t, ch, "q", "", true, nil)
	for i, want := range []string{"a", "b", "c", "d"} {
		d := receive(t, ds)
		require.Equal(t, want, string(d.Body))
		require.Equal(t, i < 3, d.Redelivered)
	}
}

func TestClosedChannelRequeues(t *testing.T) {
	t.Parallel()
	conn := dial(t, newBroker(t))
	ch, other := open(t, conn), open(t, conn)
	declare(t, ch, "q", nil)
	publish(t, ch, "q", "a", "b")
	bodies(t, consume(t, ch, "q", "", false, nil), 2)
	require.NoError(t, ch.Close())
	ds := consume(t, other, "q", "", false, nil)
	for _, want := range []string{"a", "b"} {
		d := receive(t, ds)
		require.Equal(t, want, string(d.Body))
		require.True(t, d.Redelivered)
	}
}

func TestUnknownTagClosesTheChannel(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	require.NoError(t, ch.Ack(7, false))
	requireCode(t, receive(t, closed), 406, "PRECONDITION_FAILED - unknown delivery tag 7")
}

func TestHigherPriorityConsumersComeFirst(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	declare(t, ch, "q", nil)
	require.NoError(t, ch.Qos(1, 0, false))
	low := consume(t, ch, "q", "low", false, nil)
	high := consume(t, ch, "q", "high", false, amqp.Table{"x-priority": 10})
	publish(t, ch, "q", "a", "b")
	require.Equal(t, "a", string(receive(t, high).Body))
	require.Equal(t, "b", string(receive(t, low).Body))
}

func TestConsumersTakeTurns(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	declare(t, ch, "q", nil)
	one := consume(t, ch, "q", "one", true, nil)
	two := consume(t, ch, "q", "two", true, nil)
	publish(t, ch, "q", "a", "b", "c", "d")
	require.Equal(t, []string{"a", "c"}, bodies(t, one, 2))
	require.Equal(t, []string{"b", "d"}, bodies(t, two, 2))
}

func TestExpiredMessagesAreNotDelivered(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	declare(t, ch, "q", nil)
	require.NoError(t, ch.Publish("", "q", false, false, amqp.Publishing{Expiration: "1", Body: []byte("old")}))
	require.NoError(t, ch.Publish("", "q", false, false, amqp.Publishing{Expiration: "60000", Body: []byte("new")}))
	require.Eventually(t, func() bool { return count(t, ch, "q") == 1 }, patience, time.Millisecond)
	require.Equal(t, "new", string(receive(t, consume(t, ch, "q", "", true, nil)).Body))
}

func TestUnusedQueueExpires(t *testing.T) {
	t.Parallel()
	conn := dial(t, newBroker(t))
	ch := open(t, conn)
	declare(t, ch, "q", amqp.Table{"x-expires": 20})
	require.Eventually(t, func() bool {
		ch := open(t, conn)
		_, err := ch.QueueDeclarePassive("q", false, false, false, false, nil)
		if err == nil {
			_ = ch.Close()
			return false
		}
		requireCode(t, err, 404, "NOT_FOUND - no queue 'q' in vhost '/'")
		return true
	}, patience, 50*time.Millisecond)
}

func TestExclusiveQueueIsItsConnections(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	owner := dial(t, b)
	q, err := open(t, owner).QueueDeclare("", false, false, true, false, nil)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(q.Name, "amq.gen-"), q.Name)
	require.Len(t, q.Name, len("amq.gen-")+22)

	stranger := dial(t, b)
	_, err = open(t, stranger).Consume(q.Name, "", true, false, false, false, nil)
	requireCode(t, err, 405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '"+q.Name+
		"' in vhost '/'. It could be originally declared on another connection or the exclusive property "+
		"value does not match that of the original declaration.")
	require.NoError(t, owner.Close())
	_, err = open(t, stranger).QueueDeclarePassive(q.Name, false, false, false, false, nil)
	requireCode(t, err, 404, "NOT_FOUND - no queue '"+q.Name+"' in vhost '/'")
}

func TestAutoDeleteQueueGoesWithItsLastConsumer(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	_, err := ch.QueueDeclare("q", false, true, false, false, nil)
	require.NoError(t, err)
	consume(t, ch, "q", "tag", true, nil)
	require.NoError(t, ch.Cancel("tag", false))
	_, err = ch.QueueDeclarePassive("q", false, true, false, false, nil)
	requireCode(t, err, 404, "NOT_FOUND - no queue 'q' in vhost '/'")
}

func TestDeletedQueueCancelsItsConsumers(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	declare(t, ch, "q", nil)
	cancelled := ch.NotifyCancel(make(chan string, 1))
	ds := consume(t, ch, "q", "tag", true, nil)
	_, err := ch.QueueDelete("q", false, false, false)
	require.NoError(t, err)
	require.Equal(t, "tag", receive(t, cancelled))
	_, open := <-ds
	require.False(t, open)
	declare(t, ch, "q", nil) // the channel lives
}

func TestConflictingDeclarationIsRefused(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	declare(t, ch, "q", amqp.Table{"x-message-ttl": 1000})
	_, err := ch.QueueDeclare("q", false, false, false, false, amqp.Table{"x-message-ttl": 2000})
	requireCode(t, err, 406, "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': "+
		"received '2000' but current is '1000'")
}

func TestDirectReplyTo(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	client, server := open(t, dial(t, b)), open(t, dial(t, b))
	declare(t, server, "rpc", nil)
	replies := consume(t, client, "amq.rabbitmq.reply-to", "", true, nil)
	requests := consume(t, server, "rpc", "", true, nil)
	require.NoError(t, client.Publish("", "rpc", true, false, amqp.Publishing{
		ReplyTo: "amq.rabbitmq.reply-to", CorrelationId: "1"}))
	r := receive(t, requests)
	require.Regexp(t, `^amq\.rabbitmq\.reply-to\.[A-Za-z0-9+/=]+\.[A-Za-z0-9+/=]+$`, r.ReplyTo)
	require.GreaterOrEqual(t, len(r.ReplyTo), 87)
	require.LessOrEqual(t, len(r.ReplyTo), 91)
	require.NoError(t, server.Publish("", r.ReplyTo, false, false, amqp.Publishing{
		CorrelationId: r.CorrelationId, Body: []byte("answer")}))
	d := receive(t, replies)
	require.Equal(t, "1", d.CorrelationId)
	require.Equal(t, "answer", string(d.Body))
	require.Equal(t, 0, count(t, server, r.ReplyTo))
}

func TestDirectReplyToMustNotAcknowledge(t *testing.T) {
	t.Parallel()
	conn := dial(t, newBroker(t))
	_, err := open(t, conn).Consume("amq.rabbitmq.reply-to", "", false, false, false, false, nil)
	requireCode(t, err, 406, "PRECONDITION_FAILED - reply consumer cannot acknowledge")

	ch := open(t, conn)
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	require.NoError(t, ch.Publish("", "q", false, false, amqp.Publishing{ReplyTo: "amq.rabbitmq.reply-to"}))
	requireCode(t, receive(t, closed), 406, "PRECONDITION_FAILED - fast reply consumer does not exist")
}

func TestMalformedReplyAddressKillsTheConnection(t *testing.T) {
	t.Parallel()
	conn := dial(t, newBroker(t))
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	require.NoError(t, open(t, conn).Publish("", "amq.rabbitmq.reply-to.x.y", false, false, amqp.Publishing{}))
	requireCode(t, receive(t, closed), 541, "INTERNAL_ERROR")
}

func TestWrongPasswordIsRefused(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	for _, url := range []string{
		strings.Replace(b.URL(), "guest:guest", "guest:wrong", 1),
		strings.Replace(b.URL(), "guest:guest", "nobody:guest", 1),
	} {
		_, err := amqp.Dial(url)
		require.ErrorIs(t, err, amqp.ErrCredentials) // what the driver makes of the text
	}
	_, err := amqp.Dial(b.URL() + "nowhere")
	requireCode(t, err, 530, "NOT_ALLOWED - vhost nowhere not found")
}

func TestAMQPLAIN(t *testing.T) {
	t.Parallel()
	b := newBroker(t, amqptest.WithUser("me", "secret"))
	conn, err := amqp.DialConfig("amqp://"+b.Addr()+"/", amqp.Config{
		SASL: []amqp.Authentication{&amqp.AMQPlainAuth{Username: "me", Password: "secret"}}})
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}

func TestCutConnections(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	conn := dial(t, b)
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	require.Equal(t, 1, b.CutConnections())
	require.NotNil(t, receive(t, closed))
	dial(t, b)
}

func TestBlockedPublisher(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	conn, reader := dial(t, b), dial(t, b)
	blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 2))
	ch := open(t, conn)
	declare(t, ch, "q", nil)
	require.NoError(t, ch.Confirm(false))
	b.BlockPublishers("")
	confirm, err := ch.PublishWithDeferredConfirm("", "q", false, false, amqp.Publishing{Body: []byte("x")})
	require.NoError(t, err)
	require.Equal(t, amqp.Blocking{Active: true, Reason: "low on memory"}, receive(t, blocked))
	require.Equal(t, 0, count(t, open(t, reader), "q"))
	b.UnblockPublishers()
	require.Equal(t, amqp.Blocking{}, receive(t, blocked))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ok, err := confirm.WaitContext(ctx)
	require.NoError(t, err)
	require.True(t, ok)
}

func TestCloseTellsClients(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	conn := dial(t, b)
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	require.NoError(t, b.Close())
	requireCode(t, receive(t, closed), 320,
		"CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'")
	require.NoError(t, b.Close())
}
