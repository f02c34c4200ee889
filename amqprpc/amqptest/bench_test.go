package amqptest_test

import (
	"bytes"
	"strconv"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq"
)

// BenchmarkStartClose is a broker's whole life.
func BenchmarkStartClose(b *testing.B) {
	for b.Loop() {
		if err := amqptest.NewBroker().Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRoundTrip is a request to a queue and the reply to another, with the
// unmodified driver on both sides, by the number of callers at once. With
// AMQPRPC_RABBITMQ set it does the same on RabbitMQ, for comparison in one run.
func BenchmarkRoundTrip(b *testing.B) {
	urls := map[string]string{"amqptest": newBroker(b).URL()}
	node, err := rabbitmq.FromEnv(b.Context())
	require.NoError(b, err)
	if node != nil {
		urls["rabbitmq"] = node.URL()
		b.Cleanup(func() { require.NoError(b, node.Stop()) })
	}
	for name, url := range urls {
		for _, callers := range []int{1, 64} {
			b.Run(name+"/"+strconv.Itoa(callers), func(b *testing.B) { benchmarkRoundTrip(b, url, callers) })
		}
	}
}

func benchmarkRoundTrip(b *testing.B, url string, callers int) {
	connect := func() *amqp.Channel {
		conn, err := amqp.Dial(url)
		require.NoError(b, err)
		b.Cleanup(func() { _ = conn.Close() })
		return open(b, conn)
	}
	server, client := connect(), connect()
	declare(b, server, "requests", nil)
	declare(b, client, "replies", nil)
	require.NoError(b, server.Qos(256, 0, false))
	requests := consume(b, server, "requests", "", false, nil)
	replies := consume(b, client, "replies", "", true, nil)

	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for d := range requests {
			_ = server.Publish("", d.ReplyTo, false, false, amqp.Publishing{CorrelationId: d.CorrelationId, Body: d.Body})
			_ = d.Ack(false)
		}
	})
	waiting := make([]chan struct{}, callers)
	for i := range waiting {
		waiting[i] = make(chan struct{}, 1)
	}
	wg.Go(func() {
		for d := range replies {
			i, _ := strconv.Atoi(d.CorrelationId)
			waiting[i] <- struct{}{}
		}
	})
	body := []byte("a request of some forty octets, or so")
	b.ReportAllocs()
	b.ResetTimer()
	var callersDone sync.WaitGroup
	for i := range callers {
		n := b.N / callers
		if i < b.N%callers {
			n++
		}
		callersDone.Go(func() {
			id := strconv.Itoa(i)
			for range n {
				_ = client.Publish("", "requests", true, false, amqp.Publishing{
					ReplyTo: "replies", CorrelationId: id, Body: body})
				<-waiting[i]
			}
		})
	}
	callersDone.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "roundtrips/s")
	for _, q := range []string{"requests", "replies"} {
		_, err := server.QueueDelete(q, false, false, false)
		require.NoError(b, err)
	}
	_ = server.Close()
	_ = client.Close()
}

// BenchmarkThroughput is what the broker itself can do: messages of 100 bytes
// from one client that writes frames to another that only reads them.
func BenchmarkThroughput(b *testing.B) {
	broker := newBroker(b)
	publisher, consumer := dialRaw(b, broker), dialRaw(b, broker)
	publisher.open(b, 1)
	consumer.open(b, 1)
	consumer.send(b, 1, &frame.QueueDeclare{Queue: "q"})
	expect[*frame.QueueDeclareOk](b, consumer)
	consumer.send(b, 1, &frame.BasicConsume{Queue: "q", NoAck: true})
	expect[*frame.BasicConsumeOk](b, consumer)
	require.NoError(b, consumer.SetReadDeadline(time.Time{}))

	const burst = 100
	message := content(1, "q", frame.Properties{Flags: frame.FlagCorrelationID | frame.FlagReplyTo,
		CorrelationID: []byte("12345678"), ReplyTo: []byte("replies")}, make([]byte, 100))
	messages := bytes.Repeat(message, burst)
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		for sent := 0; sent < b.N; sent += burst {
			if _, err := publisher.Write(messages); err != nil {
				return
			}
		}
	}()
	for got := 0; got < b.N; {
		f, err := consumer.frames.Next()
		if err != nil {
			b.Fatal(err)
		}
		if f.Type == frame.TypeBody {
			got++
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
