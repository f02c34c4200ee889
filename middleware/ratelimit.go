package middleware

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// RateLimit lets perSecond requests pass in each second, and burst at once, for each queue or
// each key of [WithLimitKey].
//
// On a server, it refuses all others with resource_exhausted. The handler does not run, and
// the error says when to call again ([amqprpc.RetryAfter]), so that [Retry] on the client
// waits for so long. A notification that is refused is lost, because nobody hears of it. Each
// server counts for itself.
//
// On a client, requests wait for their turn. If the turn of a request does not come before its
// deadline, the call ends at once with the same error, and is not sent.
//
// If perSecond or burst is zero or negative, nothing passes. Use [rate.Inf] for no limit.
// Streams pass, and so does [amqprpc.All] on a client. On a server, a broadcast counts as any
// other request. Share the Middleware that RateLimit returns if several queues shall share
// their keys.
func RateLimit(perSecond float64, burst int, opts ...LimitOption) amqprpc.Middleware {
	r := &rateLimit{limit: newLimit(opts), rate: rate.Limit(max(perSecond, 0)), burst: max(burst, 0)}
	if r.rate == 0 {
		r.burst = 0 // or the burst would pass
	}
	r.limiters = newLRU[*rate.Limiter](r.keys)
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			if !isSingle(req) {
				return next(ctx, req)
			}
			if err := r.admit(ctx, req); err != nil {
				return nil, err
			}
			return next(ctx, req)
		}
	}
}

type rateLimit struct {
	limit
	rate  rate.Limit
	burst int

	mu       sync.Mutex
	limiters *simplelru.LRU[string, *rate.Limiter]
}

func (r *rateLimit) limiter(key string) *rate.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, ok := r.limiters.Get(key)
	if !ok {
		l = rate.NewLimiter(r.rate, r.burst)
		r.limiters.Add(key, l)
	}
	return l
}

// admit lets a request pass, now or on a client later, or returns why it must not. What is
// refused takes nothing: a reservation that is cancelled would, once another one follows it.
func (r *rateLimit) admit(ctx context.Context, req *amqprpc.Request) error {
	if r.rate != rate.Inf && r.burst < 1 {
		return amqprpc.Errorf(amqprpc.CodeResourceExhausted, "no requests are allowed here")
	}
	l, now := r.limiter(r.key(ctx, req)), time.Now()
	if req.IsClient() {
		if l.Wait(ctx) == nil { // it knows before whether the turn comes in time
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	} else if l.AllowN(now, 1) {
		return nil
	}
	seconds := max(1-l.TokensAt(now), 0) / float64(r.rate)
	wait := time.Duration(min(seconds, 1e9) * float64(time.Second))
	return amqprpc.Errorf(amqprpc.CodeResourceExhausted, "more than %v requests a second", float64(r.rate)).WithRetryAfter(wait)
}
