package idempotency_test

import (
	"context"
	"testing"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware/idempotency"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
)

// The cost of the middleware for a call that is not repeated, and the cost of a replay.
func BenchmarkMiddleware(b *testing.B) {
	mw := func() amqprpc.Middleware { return idempotency.New(idempotency.NewMemoryStore(10_000, time.Hour)) }
	for _, bench := range []struct {
		name string
		opts []amqprpc.HandlerOption
		call []amqprpc.CallOption
	}{
		{name: "without"},
		{name: "first", opts: []amqprpc.HandlerOption{amqprpc.WithMiddleware(mw())}},
		{name: "replay", opts: []amqprpc.HandlerOption{amqprpc.WithMiddleware(mw())}, call: []amqprpc.CallOption{amqprpc.WithCallID("id")}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			url := amqptest.Start(b).URL()
			harness.Serve(b, url, func(srv *amqprpc.Server) {
				amqprpc.Register(srv, "q", func(_ context.Context, n int) (int, error) { return n, nil }, bench.opts...)
			})
			cli := harness.Dial(b, url)
			b.ReportAllocs()
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := amqprpc.Call[int, int](context.Background(), cli, "q", 1, bench.call...); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
