package middleware

import (
	"context"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// ConcurrencyLimit lets at most most requests run at the same time, for each queue or each key
// of [WithLimitKey]. It refuses one more with resource_exhausted. On a server, the handler does
// not run; on a client, nothing is sent. The error says when to call again
// ([amqprpc.RetryAfter]): after the time that requests of this limit usually take.
//
// To limit all handlers of a queue, use [amqprpc.WithConcurrency], which leaves requests in
// the queue and refuses nothing. ConcurrencyLimit keeps one caller from taking all of the
// handlers. Each server counts for itself. A notification that is refused is lost, because
// nobody hears of it. A handler that outlives its deadline counts until it returns. Streams
// pass, and so does [amqprpc.All] on a client. On a server, a broadcast counts as any other
// request. A limit below 1 lets nothing pass.
func ConcurrencyLimit(most int, opts ...LimitOption) amqprpc.Middleware {
	c := &concurrencyLimit{limit: newLimit(opts), most: most, running: make(map[string]int)}
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			if !isSingle(req) {
				return next(ctx, req)
			}
			key := c.key(ctx, req)
			if usual, ok := c.begin(key); !ok {
				return nil, amqprpc.Errorf(amqprpc.CodeResourceExhausted, "%d requests run at once already", max(c.most, 0)).
					WithRetryAfter(max(usual, time.Millisecond))
			}
			began := time.Now()
			defer func() { c.end(key, time.Since(began)) }() // though the handler panics
			return next(ctx, req)
		}
	}
}

type concurrencyLimit struct {
	limit
	most int

	mu      sync.Mutex
	running map[string]int // only of keys that run some
	usual   time.Duration  // what a request takes, a moving average
}

// begin counts a request in, unless its key is at the limit. Then it returns how long requests
// take.
func (c *concurrencyLimit) begin(key string) (usual time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.running[key]
	if n >= c.most {
		return c.usual, false
	}
	c.running[key] = n + 1
	return 0, true
}

func (c *concurrencyLimit) end(key string, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.running[key]; n > 1 {
		c.running[key] = n - 1
	} else {
		delete(c.running, key)
	}
	if c.usual == 0 {
		c.usual = took
	}
	c.usual += (took - c.usual) / 16
}
