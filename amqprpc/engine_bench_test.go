package amqprpc

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
)

// BenchmarkPendingTable is what every call does to the table: register, be found by its
// reply, be forgotten; with a thousand others in it.
func BenchmarkPendingTable(b *testing.B) {
	var table pendingTable
	for i := range 1000 {
		table.add(&outCall{number: uint64(i)}, 1<<20)
	}
	var numbers atomic.Uint64
	numbers.Store(1000)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		oc := &outCall{}
		for pb.Next() {
			oc.number = numbers.Add(1)
			table.add(oc, 1<<20)
			if table.get(oc.number) != oc {
				b.Error("the call is not in the table")
			}
			table.remove(oc)
		}
	})
}

// BenchmarkCorrelationID is a correlation id, made and read again.
func BenchmarkCorrelationID(b *testing.B) {
	const prefix = "0123456789abcdef0123456789abcdef-"
	number := uint64(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		number++
		if n, _, ok := parseCorrelationID(prefix, []byte(correlationID(prefix, number, 1))); !ok || n != number {
			b.Fatal("the id does not read as it was made")
		}
	}
}

// BenchmarkChain is a request through so many middleware that do nothing.
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
