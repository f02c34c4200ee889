package amqprpc_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/compress"
)

// BenchmarkCompression is the price of compression for a call whose request and reply have
// the same size, on the in-process broker: what it saves on the network is not in it.
func BenchmarkCompression(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 128 << 10} {
		text := strings.Repeat("customer 7 buys tea, green, 250 g; ", size/35+1)[:size]
		for name, e := range map[string]compress.Encoding{"plain": nil, "gzip": compress.Gzip{}} {
			b.Run(fmt.Sprintf("size=%d/%s", size, name), func(b *testing.B) {
				url := amqptest.Start(b).URL()
				srv := amqprpc.NewServer(url, amqprpc.WithLogger(nil))
				amqprpc.Register(srv, "bench", func(_ context.Context, s string) (string, error) { return s, nil })
				ctx, cancel := context.WithCancel(context.Background())
				served := make(chan error, 1)
				go func() { served <- srv.Serve(ctx) }()
				b.Cleanup(func() {
					cancel()
					require.NoError(b, <-served)
				})
				<-srv.Ready()
				cli, err := amqprpc.Dial(ctx, url, amqprpc.WithCompression(e), amqprpc.WithLogger(nil))
				require.NoError(b, err)
				b.Cleanup(func() { require.NoError(b, cli.Close()) })
				benchmarkCallers(b, 1, func(int) error {
					_, err := amqprpc.Call[string, string](context.Background(), cli, "bench", text)
					return err
				})
			})
		}
	}
}
