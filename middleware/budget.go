package middleware

import (
	"sync"
	"sync/atomic"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// mostQueues bounds the queues of which middleware keeps something.
const mostQueues = 1024

// newLRU returns a cache of a size that is at least one. It is not safe for concurrent use.
func newLRU[V any](size int) *simplelru.LRU[string, V] {
	c, err := simplelru.NewLRU[string, V](max(size, 1), nil)
	if err != nil {
		panic(err) // a size below one
	}
	return c
}

// budgets are the tokens of each queue: a failure takes one, a success gives back a part of
// one, and with half of them or less there are no retries, after gRPC's proposal A6
// (https://github.com/grpc/proposal/blob/master/A6-client-retries.md). Only queues that lack
// tokens are kept, so that a success costs nothing while nothing fails.
type budgets struct {
	most  float64
	ratio float64

	short atomic.Int64 // how many queues lack tokens
	mu    sync.Mutex
	left  *simplelru.LRU[string, *float64] // guarded by mu, the numbers too
}

func (b *budgets) init() { b.left = newLRU[*float64](mostQueues) }

// failed takes a token, and reports whether enough are left for a retry.
func (b *budgets) failed(queue string) bool {
	if b.most <= 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	left, ok := b.left.Get(queue)
	if !ok {
		left = new(b.most)
		b.left.Add(queue, left)
		b.short.Store(int64(b.left.Len()))
	}
	*left = max(*left-1, 0)
	return *left > b.most/2
}

// succeeded gives back a part of a token.
func (b *budgets) succeeded(queue string) {
	if b.short.Load() == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	left, ok := b.left.Peek(queue)
	if !ok {
		return
	}
	if *left += b.ratio; *left >= b.most {
		b.left.Remove(queue)
		b.short.Store(int64(b.left.Len()))
	}
}
