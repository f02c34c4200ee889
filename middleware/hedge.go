package middleware

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// The defaults of [Hedge].
const (
	defaultHedgeQuantile = 0.95
	defaultHedgeShare    = 0.1
	// hedgeBurst is how many second attempts a queue may save up for.
	hedgeBurst = 10
	// hedgeLeast is the shortest time after which a second attempt is made.
	hedgeLeast = time.Millisecond
)

// HedgeOption changes what [Hedge] does.
type HedgeOption func(*hedge)

// WithHedgeQuantile sets after which time the second attempt is made: when the first one takes
// longer than this part of the calls to the queue. The default is 0.95. The first hundred calls
// to a queue are not hedged. Values outside of 0 and 1 leave the default.
func WithHedgeQuantile(p float64) HedgeOption {
	return func(h *hedge) {
		if p > 0 && p < 1 {
			h.p = p
		}
	}
}

// WithHedgeDelay sets a fixed time after which the second attempt is made, instead of a
// quantile. The least is 1 ms. Values of zero and below leave the quantile.
func WithHedgeDelay(d time.Duration) HedgeOption {
	return func(h *hedge) {
		if d > 0 {
			h.delay = max(d, hedgeLeast)
		}
	}
}

// WithHedgeBudget sets the share of the calls to a queue that may be hedged. The default is
// 0.1. A queue may save up for ten second attempts. Zero and below turn hedging off.
func WithHedgeBudget(share float64) HedgeOption { return func(h *hedge) { h.share = share } }

// WithHedgeObserver calls f at the end of each call that was attempted twice. secondWon is true
// if the second attempt had the answer. f runs on the goroutine of the call.
func WithHedgeObserver(f func(ctx context.Context, req *amqprpc.Request, secondWon bool)) HedgeOption {
	return func(h *hedge) { h.observe = f }
}

// Hedge makes a second attempt at a call whose first attempt takes longer than usual. The
// first answer counts, and the other attempt is cancelled on its server. A handler may
// therefore run twice, so that Hedge changes only calls with [amqprpc.WithIdempotent].
//
// There is no second attempt where it would only lengthen the queue. At the time for it, Hedge
// asks the broker ([amqprpc.Request.InspectQueue]). If messages wait in the queue, the second
// attempt would have to wait behind them, and the first one may be among them. If nobody
// consumes the queue, the second attempt would not help, either. If the broker does not say,
// Hedge makes the second attempt only if a heartbeat has shown that a handler works on the
// first ([amqprpc.WithLiveness]). Hedge asks once for each call.
//
// An answer is a result, or an error of the outcome executed. If one attempt ends with another
// error, the answer of the other one counts. If both do, the call ends with the error of the
// first attempt, and its outcome is that of both. The time after which an attempt takes longer
// than usual is a running quantile for each queue ([WithHedgeQuantile]). A budget bounds the
// share of calls that are hedged ([WithHedgeBudget]).
//
// Hedge is for clients, and for calls. On a server, and for notifications and streams, it does
// nothing. Middleware inside of it sees each attempt, on goroutines of its own. Share the
// Middleware that Hedge returns: the quantiles and budgets belong to it.
func Hedge(opts ...HedgeOption) amqprpc.Middleware {
	h := &hedge{p: defaultHedgeQuantile, share: defaultHedgeShare, queues: newLRU[*hedgedQueue](mostQueues)}
	for _, o := range opts {
		o(h)
	}
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			if h.share <= 0 || req.Kind() != amqprpc.KindUnary || !req.IsIdempotent() {
				return next(ctx, req)
			}
			q := h.queue(req.Queue())
			delay, ok := q.latency.get()
			if h.delay > 0 {
				delay, ok = h.delay, true
			}
			began := time.Now()
			if !q.tokens.earn(h.share) || !ok {
				resp, err := next(ctx, req)
				q.latency.add(time.Since(began), !isDecided(err))
				return resp, err
			}
			call := &hedging{hedge: h, queue: q, next: next, first: req, began: began}
			return call.run(ctx, max(delay, hedgeLeast))
		}
	}
}

type hedge struct {
	p       float64
	delay   time.Duration // fixed; zero is the quantile's
	share   float64
	observe func(context.Context, *amqprpc.Request, bool)

	mu     sync.Mutex
	queues *simplelru.LRU[string, *hedgedQueue]
}

// hedgedQueue is what is known of a queue.
type hedgedQueue struct {
	latency quantile
	tokens  tokens
}

func (h *hedge) queue(name string) *hedgedQueue {
	h.mu.Lock()
	defer h.mu.Unlock()
	q, ok := h.queues.Get(name)
	if !ok {
		q = &hedgedQueue{latency: quantile{p: h.p}}
		h.queues.Add(name, q)
	}
	return q
}

// tokens are saved up for second attempts. The zero value has none.
type tokens struct {
	mu   sync.Mutex
	have float64
}

// earn adds a part of a token, and reports whether there is a whole one.
func (t *tokens) earn(part float64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.have = min(t.have+part, hedgeBurst)
	return t.have >= 1
}

// take takes a token if there is one.
func (t *tokens) take() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.have < 1 {
		return false
	}
	t.have--
	return true
}

// isPanic reports whether middleware or a codec has panicked.
func isPanic(err error) bool {
	_, ok := errors.AsType[*amqprpc.PanicError](err)
	return ok
}

// isDecided reports whether a handler has decided: with a result or with an error.
func isDecided(err error) bool { return amqprpc.OutcomeOf(err) == amqprpc.OutcomeExecuted }
