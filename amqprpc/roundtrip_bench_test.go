package amqprpc_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// BenchmarkRoundTrip is a call with the framework. BenchmarkDriverRoundTrip sends the same
// message and reply with the driver only. Both use the in-process broker in this process, so
// the difference is the cost of the framework. Both include the broker's own work.
// benchmarks/cmd/rpcbench measures on RabbitMQ.
func BenchmarkRoundTrip(b *testing.B) {
	for _, bench := range []struct {
		name string
		opts []amqprpc.ClientOption
	}{
		{name: "defaults"},
		{name: "unconfirmed", opts: []amqprpc.ClientOption{amqprpc.WithoutConfirms()}},
		{name: "direct", opts: []amqprpc.ClientOption{amqprpc.WithReplyMode(amqprpc.ReplyDirect)}},
	} {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/callers=%d", bench.name, callers), func(b *testing.B) {
				cli := benchmarkClient(b, bench.opts...)
				ctx := context.Background()
				benchmarkCallers(b, callers, func(i int) error {
					got, err := amqprpc.Call[int, int](ctx, cli, "bench", i)
					if err == nil && got != i {
						err = fmt.Errorf("sent %d, got %d", i, got)
					}
					return err
				})
			})
		}
	}
}

// BenchmarkNotify is a request without a reply, including the broker's confirm.
func BenchmarkNotify(b *testing.B) {
	cli := benchmarkClient(b)
	benchmarkCallers(b, 1, func(i int) error { return amqprpc.Notify(context.Background(), cli, "bench", i) })
}

// BenchmarkGo is a call through a Future.
func BenchmarkGo(b *testing.B) {
	cli := benchmarkClient(b)
	benchmarkCallers(b, 1, func(i int) error {
		_, err := amqprpc.Go[int, int](context.Background(), cli, "bench", i).Await(context.Background())
		return err
	})
}

// BenchmarkBrokers is the same call on the in-process broker and, if AMQPRPC_RABBITMQ is set,
// on RabbitMQ, in one run:
//
//	AMQPRPC_RABBITMQ=3.10 go test -run '^$' -bench Brokers -count 5 ./amqprpc
func BenchmarkBrokers(b *testing.B) {
	urls := map[string]string{"amqptest": amqptest.Start(b).URL()}
	if node != nil {
		urls["RabbitMQ"] = node.URL()
	}
	for name, url := range urls {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/callers=%d", name, callers), func(b *testing.B) {
				cli := benchmarkClientOf(b, url)
				benchmarkCallers(b, callers, func(i int) error {
					_, err := amqprpc.Call[int, int](context.Background(), cli, "bench", i)
					return err
				})
			})
		}
	}
}

// benchmarkClient returns a client of a new broker.
func benchmarkClient(b *testing.B, opts ...amqprpc.ClientOption) *amqprpc.Client {
	return benchmarkClientOf(b, amqptest.Start(b).URL(), opts...)
}

// benchmarkClientOf returns a client of the broker at url. A server echoes ints.
func benchmarkClientOf(b *testing.B, url string, opts ...amqprpc.ClientOption) *amqprpc.Client {
	srv := amqprpc.NewServer(url, amqprpc.WithLogger(nil))
	amqprpc.Register(srv, "bench", func(_ context.Context, n int) (int, error) { return n, nil })
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	b.Cleanup(func() {
		cancel()
		require.NoError(b, <-served)
	})
	<-srv.Ready()
	cli, err := amqprpc.Dial(ctx, url, append(opts, amqprpc.WithLogger(nil))...)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, cli.Close()) })
	return cli
}

// benchmarkCallers makes b.N calls from several goroutines.
func benchmarkCallers(b *testing.B, callers int, call func(i int) error) {
	require.NoError(b, call(0)) // warms up connections and pools
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for i := range callers {
		n := b.N / callers
		if i < b.N%callers {
			n++
		}
		wg.Go(func() {
			for range n {
				if err := call(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// BenchmarkDriverRoundTrip sends the properties of a call with the driver.
func BenchmarkDriverRoundTrip(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			broker := amqptest.Start(b)
			echoDriver(b, broker.URL())
			benchmarkDriver(b, broker.URL(), callers)
		})
	}
}

// echoDriver serves a queue with the driver and echoes each message.
func echoDriver(b *testing.B, url string) {
	conn, err := amqp.Dial(url)
	require.NoError(b, err)
	b.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	require.NoError(b, err)
	_, err = ch.QueueDeclare("bench", true, false, false, false, nil)
	require.NoError(b, err)
	require.NoError(b, ch.Qos(128, 0, false))
	requests, err := ch.Consume("bench", "", false, false, false, false, nil)
	require.NoError(b, err)
	go func() {
		for d := range requests {
			ch.Publish("", d.ReplyTo, true, false, amqp.Publishing{
				ContentType: d.ContentType, CorrelationId: d.CorrelationId, Body: d.Body,
			})
			d.Ack(false)
		}
	}()
}

func benchmarkDriver(b *testing.B, url string, callers int) {
	conn, err := amqp.Dial(url)
	require.NoError(b, err)
	b.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	require.NoError(b, err)
	require.NoError(b, ch.Confirm(false))
	confirms := ch.NotifyPublish(make(chan amqp.Confirmation, 1024))
	go func() {
		for range confirms {
		}
	}()
	sub, err := conn.Channel()
	require.NoError(b, err)
	q, err := sub.QueueDeclare("", false, true, true, false, nil)
	require.NoError(b, err)
	replies, err := sub.Consume(q.Name, "", false, false, false, false, nil)
	require.NoError(b, err)
	waiting := make([]chan struct{}, callers)
	for i := range waiting {
		waiting[i] = make(chan struct{}, 1)
	}
	go func() {
		for d := range replies {
			d.Ack(true)
			if i, err := strconv.Atoi(d.CorrelationId); err == nil {
				waiting[i] <- struct{}{}
			}
		}
	}()
	body := []byte("1")
	benchmarkCallers(b, callers, func(i int) error {
		id := strconv.Itoa(i)
		err := ch.Publish("", "bench", true, false, amqp.Publishing{
			Headers:     amqp.Table{"rpc-deadline": int64(1_700_000_000_000)},
			ContentType: "application/json", Expiration: "30000",
			CorrelationId: id, MessageId: id, ReplyTo: q.Name, Body: body,
		})
		if err != nil {
			return err
		}
		<-waiting[i]
		return nil
	})
}
