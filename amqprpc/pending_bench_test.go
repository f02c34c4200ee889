package amqprpc

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
)

// BenchmarkPendingTable registers, finds and removes a call, with a thousand other calls in
// the table.
func BenchmarkPendingTable(b *testing.B) {
	var table pendingTable
	for i := range 1000 {
		table.add(&pendingCall{number: uint64(i)}, 1<<20)
	}
	var numbers atomic.Uint64
	numbers.Store(1000)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		pc := &pendingCall{}
		for pb.Next() {
			pc.number = numbers.Add(1)
			table.add(pc, 1<<20)
			if table.get(pc.number) != pc {
				b.Error("the call is not in the table")
			}
			table.remove(pc)
		}
	})
}

// BenchmarkChain is a request through several middleware functions that do nothing.
func BenchmarkChain(b *testing.B) {
	nothing := func(next Invoker) Invoker {
		return func(ctx context.Context, req *Request) (*Response, error) { return next(ctx, req) }
	}
	last := func(context.Context, *Request) (*Response, error) { return &Response{}, nil }
	c := &Client{}
	for _, n := range []int{0, 1, 8} {
		mws := make([]Middleware, n)
		for i := range mws {
			mws[i] = nothing
		}
		invoke := chain(mws, last, c.clientSeal)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			req := &Request{queue: "bench", client: true}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := invoke(context.Background(), req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
