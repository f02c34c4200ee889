package amqptest_test

import (
	"strconv"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
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
// unmodified driver on both sides, by the number of callers at once.
func BenchmarkRoundTrip(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(strconv.Itoa(callers), func(b *testing.B) { benchmarkRoundTrip(b, callers) })
	}
}

func benchmarkRoundTrip(b *testing.B, callers int) {
	broker := newBroker(b)
	server, client := open(b, dial(b, broker)), open(b, dial(b, broker))
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
	_ = server.Close()
	_ = client.Close()
}
