package amqptest_test

import (
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// The tests that look at the heap do not run in parallel with others.

// TestThousandsOfConnectionsLeaveNothing opens and closes 1,500 connections with
// 7,500 channels, most of them rudely.
func TestThousandsOfConnectionsLeaveNothing(t *testing.T) {
	b := newBroker(t)
	churn := func(driver, raw int) {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				for range driver / 20 {
					visit(t, b)
				}
				for range raw / 20 {
					c := dialRaw(t, b)
					for n := range uint16(5) {
						c.open(t, n+1)
						c.send(t, n+1, &frame.QueueDeclare{Exclusive: true})
						c.send(t, n+1, &frame.BasicConsume{})
						_, _ = c.Write(content(n+1, "nowhere", frame.Properties{}, nil))
						expect[*frame.QueueDeclareOk](t, c)
						expect[*frame.BasicConsumeOk](t, c)
					}
					_ = c.Close()
				}
			})
		}
		wg.Wait()
		require.Eventually(t, func() bool { return len(b.Connections()) == 0 && len(b.Queues()) == 0 },
			patience, time.Millisecond)
	}
	churn(20, 100) // what is made once
	before, goroutines := heap(), runtime.NumGoroutine()
	churn(100, 1400)
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= goroutines+5 }, patience, time.Millisecond)
	require.Less(t, heap(), before+8<<20)
}

// visit opens a connection with the driver, uses it and closes it.
func visit(t *testing.T, b *amqptest.Broker) {
	conn, err := amqp.Dial(b.URL())
	if !assertNoError(t, err) {
		return
	}
	defer conn.Close()
	for range 5 {
		ch, err := conn.Channel()
		if !assertNoError(t, err) {
			return
		}
		_, err = ch.QueueDeclare("", false, false, true, false, nil)
		assertNoError(t, err)
		_, err = ch.Consume("", "", false, false, false, false, nil)
		assertNoError(t, err)
		assertNoError(t, ch.Publish("", "nowhere", false, false, amqp.Publishing{}))
	}
}

func assertNoError(t *testing.T, err error) bool {
	if err != nil {
		t.Error(err)
	}
	return err == nil
}

// TestUnreadConsumerHoldsPublishersBack has a consumer that reads nothing: what
// is published for it fills its socket's share, then the memory limit, then the
// publisher waits. When it reads, everything arrives.
func TestUnreadConsumerHoldsPublishersBack(t *testing.T) {
	const limit, size, total = 8 << 20, 10_000, 4000 // 40 MB for 8 MiB of room
	before := heap()
	b := newBroker(t, amqptest.WithMemoryLimit(limit))
	consumer := dialRaw(t, b)
	consumer.open(t, 1)
	consumer.send(t, 1, &frame.QueueDeclare{Queue: "q"})
	expect[*frame.QueueDeclareOk](t, consumer)
	consumer.send(t, 1, &frame.BasicConsume{Queue: "q", NoAck: true})
	expect[*frame.BasicConsumeOk](t, consumer)

	conn := dial(t, b)
	blocked := conn.NotifyBlocked(make(chan amqp.Blocking, total))
	published := make(chan error, 1)
	go func() {
		ch, err := conn.Channel()
		for n := 0; err == nil && n < total; n++ {
			err = ch.Publish("", "q", false, false, amqp.Publishing{Body: make([]byte, size)})
		}
		published <- err
	}()
	require.True(t, receive(t, blocked).Active)
	q, _ := b.Queue("q")
	require.LessOrEqual(t, q.Ready*size, limit+size)
	require.Less(t, heap(), before+3*limit)
	require.Empty(t, published)

	// Whoever only consumes is not blocked, and a second reader is served.
	other := dialRaw(t, b)
	other.open(t, 1)

	require.NoError(t, consumer.SetReadDeadline(time.Now().Add(6*patience)))
	for range total {
		m, err := consumer.next()
		require.NoError(t, err)
		require.IsType(t, &frame.BasicDeliver{}, m)
	}
	require.NoError(t, receive(t, published))
}

// TestUnreadAnswersStopTheRequests has a client that asks and does not read.
func TestUnreadAnswersStopTheRequests(t *testing.T) {
	before := heap()
	b := newBroker(t)
	c := dialRaw(t, b)
	c.open(t, 1)
	c.send(t, 1, &frame.QueueDeclare{Queue: "q"})
	expect[*frame.QueueDeclareOk](t, c)
	_, err := c.Write(content(1, "q", frame.Properties{}, make([]byte, 100_000)))
	require.NoError(t, err)

	get := frame.AppendMethod(nil, 1, &frame.BasicGet{Queue: "q"})
	get = frame.AppendMethod(get, 1, &frame.BasicNack{Multiple: true, Requeue: true})
	var sent int
	for err == nil && sent < 1<<20 {
		require.NoError(t, c.SetWriteDeadline(time.Now().Add(300*time.Millisecond)))
		_, err = c.Write(get)
		sent++
	}
	var timeout net.Error
	require.True(t, errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, os.ErrDeadlineExceeded),
		"the broker went on reading after %d requests: %v", sent, err)
	require.Less(t, heap(), before+64<<20)
	dialRaw(t, b).open(t, 1) // others are served
}

// TestUnreadDirectRepliesAreDropped has a requester that does not read: its
// replies have no queue to wait in, and their server must not wait for it.
func TestUnreadDirectRepliesAreDropped(t *testing.T) {
	const size, total = 1 << 20, 60
	before := heap()
	b := newBroker(t)
	requester := dialRaw(t, b)
	requester.open(t, 1)
	requester.send(t, 1, &frame.BasicConsume{Queue: "amq.rabbitmq.reply-to", NoAck: true})
	expect[*frame.BasicConsumeOk](t, requester)
	server := open(t, dial(t, b))
	declare(t, server, "rpc", nil)
	_, err := requester.Write(content(1, "rpc", frame.Properties{Flags: frame.FlagReplyTo,
		ReplyTo: []byte("amq.rabbitmq.reply-to")}, nil))
	require.NoError(t, err)
	d := receive(t, consume(t, server, "rpc", "", true, nil))
	for range total {
		require.NoError(t, server.Publish("", d.ReplyTo, false, false, amqp.Publishing{Body: make([]byte, size)}))
	}
	require.Equal(t, 0, count(t, server, "rpc")) // all have been routed
	require.Less(t, heap(), before+48<<20)
}

// TestBlockedUntilConsumed fills a queue over the memory limit and empties it.
func TestBlockedUntilConsumed(t *testing.T) {
	t.Parallel()
	b := newBroker(t, amqptest.WithMemoryLimit(1<<20))
	conn, ch := dial(t, b), open(t, dial(t, b))
	blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 10))
	publisher := open(t, conn)
	declare(t, ch, "q", nil)
	for range 12 {
		require.NoError(t, publisher.Publish("", "q", false, false, amqp.Publishing{Body: make([]byte, 100_000)}))
	}
	require.Equal(t, amqp.Blocking{Active: true, Reason: "low on memory"}, receive(t, blocked))
	ds := consume(t, ch, "q", "", false, nil)
	for range 12 {
		d := receive(t, ds)
		require.NoError(t, d.Ack(false))
	}
	require.Equal(t, amqp.Blocking{}, receive(t, blocked))
}
