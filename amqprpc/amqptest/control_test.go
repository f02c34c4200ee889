package amqptest_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

func dialNamed(t testing.TB, b *amqptest.Broker, name string) *amqp.Connection {
	t.Helper()
	conn, err := amqp.DialConfig(b.URL(), amqp.Config{Properties: amqp.Table{"connection_name": name}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestFrozenConnectionMovesNothing(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	conn := dialNamed(t, b, "one")
	ch := open(t, conn)
	declare(t, ch, "q", nil)
	ds := consume(t, ch, "q", "", true, nil)
	other := open(t, dialNamed(t, b, "two"))

	b.Connection("one").Freeze(amqptest.ToClient)
	publish(t, other, "q", "x")
	require.Eventually(t, func() bool { q, _ := b.Queue("q"); return q.Ready == 0 }, patience, time.Millisecond)
	select {
	case <-ds:
		require.Fail(t, "delivered through a frozen connection")
	default:
	}
	b.Connection("one").Thaw()
	require.Equal(t, "x", string(receive(t, ds).Body))

	b.Connection("one").Freeze(amqptest.FromClient)
	publish(t, ch, "q", "y")
	declare(t, other, "another", nil) // time for y to arrive, if it could
	q, _ := b.Queue("q")
	require.Zero(t, q.Unacked)
	b.Connection("one").Thaw()
	require.Equal(t, "y", string(receive(t, ds).Body))
}

func TestFreezeHoldsNewConnections(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	b.Freeze(amqptest.BothWays)
	dialed := make(chan error, 1)
	go func() {
		conn, err := amqp.Dial(b.URL())
		if err == nil {
			err = conn.Close()
		}
		dialed <- err
	}()
	require.Eventually(t, func() bool { return len(b.Connections()) == 1 }, patience, time.Millisecond)
	require.Empty(t, dialed)
	b.Thaw()
	require.NoError(t, receive(t, dialed))
}

func TestHalfOpenConnectionLosesEverything(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	conn := dialNamed(t, b, "dead")
	ch := open(t, conn)
	declare(t, ch, "q", nil)
	ds := consume(t, ch, "q", "", false, nil)
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	dead := b.Connection("dead")
	dead.HalfOpen(amqptest.BothWays)
	other := open(t, dial(t, b))
	publish(t, other, "q", "lost on the way")
	q := requireUnacked(t, b, "q", 1)
	require.Equal(t, "dead", q.Consumers[0].Connection, "the broker believes in it")

	// Even the broker's close does not reach the client; its message comes back.
	dead.Close("test")
	require.Equal(t, 1, count(t, other, "q"))
	require.Empty(t, closed)
	require.Empty(t, ds)
	require.NoError(t, b.Close())
	require.NotNil(t, receive(t, closed), "now its host is gone for good")
}

// requireUnacked waits until a queue has so many unacknowledged messages.
func requireUnacked(t testing.TB, b *amqptest.Broker, queue string, n int) amqptest.QueueInfo {
	t.Helper()
	var q amqptest.QueueInfo
	require.Eventually(t, func() bool {
		q, _ = b.Queue(queue)
		return q.Unacked == n
	}, patience, time.Millisecond)
	return q
}

func TestRefuseConnections(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	conn := dial(t, b)
	b.RefuseConnections()
	b.RefuseConnections()
	_, err := amqp.Dial(b.URL())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	_, err = b.Dial("tcp", "")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	open(t, conn) // what is open goes on
	require.NoError(t, b.AcceptConnections())
	require.NoError(t, b.AcceptConnections())
	dial(t, b)
}

func TestRefuseThenClose(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	b.RefuseConnections()
	require.NoError(t, b.Close())
	require.ErrorIs(t, b.AcceptConnections(), net.ErrClosed)
}

func TestOperatorClosesConnectionAndChannel(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	conn := dialNamed(t, b, "c")
	ch := open(t, conn)
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	require.True(t, b.Connection("c").CloseChannel(1, 406, "PRECONDITION_FAILED - delivery acknowledgement timed out"))
	requireCode(t, receive(t, closed), 406, "PRECONDITION_FAILED - delivery acknowledgement timed out")
	require.False(t, b.Connection("c").CloseChannel(1, 406, "again"))

	ended := conn.NotifyClose(make(chan *amqp.Error, 1))
	b.Connection("c").Close("maintenance")
	requireCode(t, receive(t, ended), 320, "CONNECTION_FORCED - maintenance")
	require.Nil(t, b.Connection("c"))
}

func TestCancelConsumer(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	ch := open(t, dial(t, b))
	declare(t, ch, "q", nil)
	cancelled := ch.NotifyCancel(make(chan string, 1))
	ds := consume(t, ch, "q", "tag", false, nil)
	publish(t, ch, "q", "x")
	d := receive(t, ds)
	require.True(t, b.CancelConsumer("q", "tag"))
	require.Equal(t, "tag", receive(t, cancelled))
	require.False(t, b.CancelConsumer("q", "tag"))
	require.False(t, b.CancelConsumer("nowhere", "tag"))
	require.NoError(t, d.Ack(false), "what it had is still its channel's")
	requireUnacked(t, b, "q", 0)
}

func TestRestartKeepsWhatIsDurable(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	conn := dial(t, b)
	ch := open(t, conn)
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	_, err := ch.QueueDeclare("durable", true, false, false, false, nil)
	require.NoError(t, err)
	declare(t, ch, "transient", nil)
	require.NoError(t, ch.ExchangeDeclare("kept", "fanout", true, false, false, false, nil))
	declareExchange(t, ch, "gone", "fanout", nil)
	bind(t, ch, "durable", "", "kept", nil)
	for body, mode := range map[string]uint8{"persistent": 2, "transient": 1} {
		require.NoError(t, ch.Publish("", "durable", false, false, amqp.Publishing{Body: []byte(body), DeliveryMode: mode}))
	}
	require.Equal(t, 2, count(t, ch, "durable"))

	b.Restart()
	require.NotNil(t, receive(t, closed))
	require.Len(t, b.Queues(), 1)
	messages := b.Messages("durable")
	require.Len(t, messages, 1)
	require.Equal(t, "persistent", string(messages[0].Body))
	ch = open(t, dial(t, b))
	send(t, ch, "kept", "", nil)
	require.Equal(t, 2, count(t, ch, "durable"))
	require.ErrorContains(t, ch.ExchangeDeclarePassive("gone", "fanout", false, false, false, false, nil), "404")
}

func TestTamperWithConfirms(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	ch := open(t, dial(t, b))
	declare(t, ch, "q", nil)
	stop := b.Tamper(func(m amqptest.Message) amqptest.Fate {
		switch string(m.Body) {
		case "nack":
			return amqptest.Fate{Nack: true, Drop: true}
		case "never":
			return amqptest.Fate{Unconfirmed: true}
		case "late":
			return amqptest.Fate{ConfirmDelay: 50 * time.Millisecond}
		}
		return amqptest.Fate{}
	})
	require.NoError(t, ch.Confirm(false))
	confirm := func(body string) *amqp.DeferredConfirmation {
		c, err := ch.PublishWithDeferredConfirm("", "q", false, false, amqp.Publishing{Body: []byte(body)})
		require.NoError(t, err)
		return c
	}
	nack, never, late, prompt := confirm("nack"), confirm("never"), confirm("late"), confirm("prompt")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for c, want := range map[*amqp.DeferredConfirmation]bool{nack: false, late: true, prompt: true} {
		ok, err := c.WaitContext(ctx)
		require.NoError(t, err)
		require.Equal(t, want, ok)
	}
	require.False(t, never.Acked())
	require.Equal(t, 3, count(t, ch, "q"))
	stop()
	ok, err := confirm("nack").WaitContext(ctx)
	require.NoError(t, err)
	require.True(t, ok)
}

// One channel of a connection may be treated otherwise than the next.
func TestTamperByChannel(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	conn, err := amqp.DialConfig(b.URL(), amqp.Config{Properties: amqp.Table{"connection_name": "publisher"}})
	require.NoError(t, err)
	defer conn.Close()
	first, second := open(t, conn), open(t, conn)
	declare(t, first, "q", nil)
	b.Tamper(func(m amqptest.Message) amqptest.Fate {
		return amqptest.Fate{Nack: m.Connection == "publisher" && m.Channel == 2}
	})
	for ch, want := range map[*amqp.Channel]bool{first: true, second: false} {
		require.NoError(t, ch.Confirm(false))
		c, err := ch.PublishWithDeferredConfirm("", "q", false, false, amqp.Publishing{})
		require.NoError(t, err)
		ok, err := c.WaitContext(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, ok)
	}
}

func TestTamperWithMessages(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	ch := open(t, dial(t, b))
	declare(t, ch, "q", nil)
	var mu sync.Mutex
	var seen []string
	b.Tamper(func(m amqptest.Message) amqptest.Fate {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprintf("%s %s %s", m.RoutingKey, m.MessageID, m.Headers["h"]))
		switch m.MessageID {
		case "drop":
			return amqptest.Fate{Drop: true}
		case "double":
			return amqptest.Fate{Copies: 1}
		case "delay":
			return amqptest.Fate{Delay: 50 * time.Millisecond}
		}
		return amqptest.Fate{}
	})
	require.NoError(t, ch.Confirm(false))
	confirms := ch.NotifyPublish(make(chan amqp.Confirmation, 4))
	for _, id := range []string{"drop", "delay", "double", "plain"} {
		require.NoError(t, ch.Publish("", "q", true, false, amqp.Publishing{
			MessageId: id, Body: []byte(id), Headers: amqp.Table{"h": "v"}}))
	}
	require.Equal(t, []string{"double", "double", "plain", "delay"}, bodies(t, consume(t, ch, "q", "", true, nil), 4))
	for range 4 {
		require.True(t, receive(t, confirms).Ack)
	}
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []string{"q drop v", "q delay v", "q double v", "q plain v"}, seen)
}

func TestInspect(t *testing.T) {
	t.Parallel()
	b := newBroker(t, amqptest.WithVHosts("other"))
	conn := dialNamed(t, b, "me")
	ch := open(t, conn)
	require.NoError(t, ch.Qos(3, 0, false))
	_, err := ch.QueueDeclare("q", true, false, false, false, amqp.Table{"x-max-priority": 3})
	require.NoError(t, err)
	bind(t, ch, "q", "k", "amq.topic", nil)
	ds := consume(t, ch, "q", "tag", false, amqp.Table{"x-priority": 7})
	publish(t, ch, "q", "1", "2", "3", "4", "5")
	bodies(t, ds, 3)
	require.Equal(t, 2, count(t, ch, "q")) // all five have arrived
	require.Equal(t, amqptest.QueueInfo{
		VHost: "/", Name: "q", Type: "classic", Durable: true, Ready: 2, Unacked: 3,
		Arguments: map[string]any{"x-max-priority": int32(3)},
		Consumers: []amqptest.ConsumerInfo{{Tag: "tag", Connection: "me", ConnectionID: b.Connection("me").ID(), Channel: 1,
			Arguments: map[string]any{"x-priority": int32(7)}, Active: true, Prefetch: 3, Priority: 7, Unacked: 3}},
		Bindings: []amqptest.BindingInfo{{VHost: "/", Exchange: "amq.topic", RoutingKey: "k", Destination: "q", Arguments: map[string]any{}}},
	}, requireUnacked(t, b, "q", 3))
	require.Len(t, b.Queues(), 1)
	_, ok := b.Queue("nowhere")
	require.False(t, ok)
	require.Nil(t, b.Messages("nowhere"))
	require.Equal(t, "4", string(b.Messages("q")[0].Body))
	info := b.Connection("me").Info()
	require.Equal(t, b.Connection("me").ID(), info.ID)
	require.Equal(t, conn.LocalAddr().String(), info.RemoteAddr)
	require.Equal(t, b.Addr(), info.LocalAddr)
	require.Equal(t, []any{"me", "guest", "/", false}, []any{info.Name, info.User, info.VHost, info.Blocked})
	require.Equal(t, []amqptest.ChannelInfo{{Number: 1, Prefetch: 3, Unacked: 3, Consumers: []string{"tag"}}}, info.Channels)
	require.Len(t, b.Exchanges(), 14, "seven in each virtual host")
}

func TestRecord(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	ch := open(t, dialNamed(t, b, "me"))
	declare(t, ch, "q", amqp.Table{"x-max-length": 1})
	r := b.Record()
	require.NoError(t, ch.Confirm(false))
	publish(t, ch, "q", "old", "new", "x")
	publish(t, ch, "nowhere", "y")
	ds := consume(t, ch, "q", "tag", false, nil)
	d := receive(t, ds)
	require.NoError(t, d.Nack(false, true))
	require.NoError(t, receive(t, ds).Ack(false))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	acked, err := r.Wait(ctx, 1, func(e amqptest.Event) bool { return e.Kind == amqptest.Acked })
	require.NoError(t, err)
	require.Equal(t, uint64(2), acked[0].Tag)
	r.Stop()
	require.NoError(t, ch.Close())

	var got []string
	for i, e := range r.Events() {
		require.Equal(t, i+1, e.Seq)
		if e.Kind != amqptest.Confirmed {
			got = append(got, fmt.Sprintf("%s %s%s%s", e.Kind, e.Message.Body, e.Consumer, e.Reason))
		}
	}
	require.Equal(t, []string{
		"published old", "routed old", "published new", "routed new", "died oldmaxlen",
		"published x", "routed x", "died newmaxlen", "published y",
		"consumer started tag", "delivered xtag", "requeued xtag", "delivered xtag", "acked xtag",
	}, got)
	_, err = r.Wait(ctx, 1000, func(amqptest.Event) bool { return true })
	require.ErrorIs(t, err, amqptest.ErrRecordEnded)
	cancel()
	_, err = b.Record().Wait(ctx, 1, func(amqptest.Event) bool { return true })
	require.ErrorIs(t, err, context.Canceled)
}

func TestRecordEndsWithItsBroker(t *testing.T) {
	t.Parallel()
	b := amqptest.NewBroker()
	r := b.Record()
	ended := make(chan error, 1)
	go func() {
		_, err := r.Wait(context.Background(), 1, func(amqptest.Event) bool { return true })
		ended <- err
	}()
	require.NoError(t, b.Close())
	require.ErrorIs(t, receive(t, ended), amqptest.ErrRecordEnded)
	_, err := b.Record().Wait(t.Context(), 1, func(amqptest.Event) bool { return true })
	require.ErrorIs(t, err, amqptest.ErrRecordEnded)
}

// fakeTB is a test that can fail.
type fakeTB struct {
	failure  string
	cleanups []func()
}

func (*fakeTB) Helper()                     {}
func (f *fakeTB) Cleanup(c func())          { f.cleanups = append(f.cleanups, c) }
func (f *fakeTB) Fatalf(s string, a ...any) { f.failure = fmt.Sprintf(s, a...) }

func TestStart(t *testing.T) {
	t.Parallel()
	var tb fakeTB
	b := amqptest.Start(&tb)
	require.Len(t, tb.cleanups, 1)
	require.Nil(t, amqptest.Start(&tb, amqptest.WithAddr(b.Addr())))
	require.Contains(t, tb.failure, "amqptest: listen")
	tb.cleanups[0]()
	_, err := amqp.Dial(b.URL())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	_, err = b.Dial("tcp", "")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.Panics(t, func() { amqptest.NewBroker(amqptest.WithAddr("256.0.0.1:0")) })
}

func TestCloseEndsWhateverStateItIsIn(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(*amqptest.Broker){
		"frozen":    func(b *amqptest.Broker) { b.Freeze(amqptest.BothWays) },
		"half-open": func(b *amqptest.Broker) { b.HalfOpen(amqptest.BothWays) },
		"refusing":  func(b *amqptest.Broker) { b.RefuseConnections() },
		"blocked":   func(b *amqptest.Broker) { b.BlockPublishers("") },
		"tampered": func(b *amqptest.Broker) {
			b.Tamper(func(amqptest.Message) amqptest.Fate { return amqptest.Fate{Delay: time.Hour} })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBroker(t)
			ch := open(t, dial(t, b))
			declare(t, ch, "q", nil)
			trouble(b)
			publish(t, ch, "q", "x")
			done := make(chan error, 1)
			go func() { done <- b.Close() }()
			require.NoError(t, receive(t, done))
		})
	}
}
