package middleware

import (
	"context"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// defaultLimitKeys is how many keys [RateLimit] remembers.
const defaultLimitKeys = 10_000

// LimitOption changes what [RateLimit] and [ConcurrencyLimit] count.
type LimitOption func(*limit)

// WithLimitKey counts the requests of each key on their own, for example of each caller. The
// default key is the name of the queue. key runs on the goroutine of the request, for each
// request. Whoever may choose the key may escape a limit: for callers, use what somebody has
// verified, for example the user ID of [amqprpc.Request.Delivery], which the broker verifies.
func WithLimitKey(key func(ctx context.Context, req *amqprpc.Request) string) LimitOption {
	return func(l *limit) { l.key = key }
}

// WithLimitKeys sets how many keys [RateLimit] remembers. The default is 10,000. If there are
// more, it forgets the key that was unused for the longest time, which then begins anew with
// its burst. A key takes about 200 bytes. [ConcurrencyLimit] remembers only keys of requests
// that run. Values below 1 leave the default.
func WithLimitKeys(most int) LimitOption {
	return func(l *limit) {
		if most > 0 {
			l.keys = most
		}
	}
}

type limit struct {
	key  func(context.Context, *amqprpc.Request) string
	keys int
}

func newLimit(opts []LimitOption) limit {
	l := limit{
		key:  func(_ context.Context, req *amqprpc.Request) string { return req.Queue() },
		keys: defaultLimitKeys,
	}
	for _, o := range opts {
		o(&l)
	}
	return l
}
