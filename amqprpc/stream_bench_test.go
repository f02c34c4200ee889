package amqprpc_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// BenchmarkServerStream takes messages of bytes of a stream. BenchmarkFirehose takes the same
// messages with the driver only: one channel publishes transient messages, another consumes
// them without acknowledgements, and nothing holds the publisher back.
func BenchmarkServerStream(b *testing.B) {
	for _, size := range streamSizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			url, method := brokerURL(b), amqprpc.ServerStream[int, []byte](queueName(b))
			startServer(b, url, func(s *amqprpc.Server) { method.Register(s, flood) })
			cli := dial(b, url)
			b.SetBytes(int64(size))
			n := 0
			for _, err := range method.Call(context.Background(), cli, size) {
				require.NoError(b, err)
				if n++; n == 1 {
					b.ResetTimer()
				}
				if n > b.N {
					break
				}
			}
			b.StopTimer()
		})
	}
}

// BenchmarkStreamsTogether takes the messages of 100 streams at once.
func BenchmarkStreamsTogether(b *testing.B) {
	url, method := brokerURL(b), amqprpc.ServerStream[int, []byte](queueName(b))
	startServer(b, url, func(s *amqprpc.Server) { method.Register(s, flood) })
	cli := dial(b, url)
	const streams = 100
	var all sync.WaitGroup
	b.ResetTimer()
	for range streams {
		all.Go(func() {
			n := 0
			for _, err := range method.Call(context.Background(), cli, streamSizes[0]) {
				if n++; err != nil || n > b.N/streams {
					break
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
}

// BenchmarkStreamPingPong sends a message and waits for its answer, on one stream.
func BenchmarkStreamPingPong(b *testing.B) {
	url, method := brokerURL(b), doubles(queueName(b))
	startServer(b, url, func(s *amqprpc.Server) { method.Register(s, double) })
	conv, err := method.Open(context.Background(), dial(b, url))
	require.NoError(b, err)
	defer conv.Close()
	for b.Loop() {
		require.NoError(b, conv.Send(1))
		_, err := conv.Recv()
		require.NoError(b, err)
	}
}

// BenchmarkStreamOpening opens a stream, and takes its only message.
func BenchmarkStreamOpening(b *testing.B) {
	url, method := brokerURL(b), countTo(queueName(b))
	startServer(b, url, func(s *amqprpc.Server) { method.Register(s, count) })
	cli := dial(b, url)
	for b.Loop() {
		for _, err := range method.Call(context.Background(), cli, 1) {
			require.NoError(b, err)
		}
	}
}

var streamSizes = []int{64, 64 << 10}

func flood(_ context.Context, size int, out *amqprpc.Sender[[]byte]) error {
	message := make([]byte, size)
	for {
		if err := out.Send(message); err != nil {
			return err
		}
	}
}

func BenchmarkFirehose(b *testing.B) {
	for _, size := range streamSizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			url, queue := brokerURL(b), queueName(b)
			in, out := firehoseChannel(b, url), firehoseChannel(b, url)
			_, err := in.QueueDeclare(queue, false, true, true, false, nil)
			require.NoError(b, err)
			deliveries, err := in.Consume(queue, "", true, true, false, false, nil)
			require.NoError(b, err)
			body := make([]byte, size)
			b.SetBytes(int64(size))
			b.ResetTimer()
			failed := make(chan error, 1)
			go func() {
				for range b.N {
					if err := out.Publish("", queue, false, false, amqp.Publishing{Body: body}); err != nil {
						failed <- err
						return
					}
				}
			}()
			for range b.N {
				select {
				case _, ok := <-deliveries:
					if !ok {
						require.NoError(b, errors.New("the connection was lost"))
					}
				case err := <-failed:
					require.NoError(b, err)
				}
			}
			b.StopTimer()
		})
	}
}

func firehoseChannel(b *testing.B, url string) *amqp.Channel {
	b.Helper()
	conn, err := amqp.Dial(url)
	require.NoError(b, err)
	b.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	require.NoError(b, err)
	return ch
}
