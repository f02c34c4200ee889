package amqprpc_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// BenchmarkAll measures a broadcast to 100 instances in one process, whose handlers take 0 or 100
// ms. It reports how long the answers took, and how long the whole range did. The range goes on for
// 50 ms after the last accept, or longer on a busy machine.
func BenchmarkAll(b *testing.B) {
	for _, work := range []time.Duration{0, 100 * time.Millisecond} {
		b.Run(fmt.Sprint(work), func(b *testing.B) { benchmarkAll(b, work) })
	}
}

func benchmarkAll(b *testing.B, work time.Duration) {
	const many = 100
	broker := amqptest.NewBroker()
	defer broker.Close()
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	defer serving.Wait()
	defer stop()
	for range many {
		srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil))
		amqprpc.Register(srv, "all", func(_ context.Context, n int) (int, error) { time.Sleep(work); return n, nil }, amqprpc.WithBroadcast())
		serving.Go(func() { srv.Serve(ctx) })
		<-srv.Ready()
	}
	cli, err := amqprpc.Dial(ctx, broker.URL(), amqprpc.WithLogger(nil))
	require.NoError(b, err)
	defer cli.Close()
	all := func() (n int, answered time.Duration) {
		began := time.Now()
		for _, err := range amqprpc.All[int, int](ctx, cli, "all", 1) {
			if err == nil {
				n, answered = n+1, time.Since(began)
			}
		}
		return n, answered
	}
	for n := 0; n < many; n, _ = all() { // until all take broadcasts
	}
	var answered time.Duration
	for b.Loop() {
		n, took := all()
		require.Equal(b, many, n)
		answered += took
	}
	b.ReportMetric(float64(answered.Microseconds())/1000/float64(b.N), "ms-answered/op")
}
