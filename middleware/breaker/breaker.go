package breaker

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/sony/gobreaker/v2"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// State is the state of a queue's breaker.
type State int

const (
	StateClosed   State = iota // calls pass
	StateHalfOpen              // a few calls pass, to find out
	StateOpen                  // calls fail at once
)

// String returns the state's name: closed, half-open or open.
func (s State) String() string {
	switch s {
	case StateHalfOpen:
		return "half-open"
	case StateOpen:
		return "open"
	default:
		return "closed"
	}
}

// stateOf is what the library calls the state.
func stateOf(s gobreaker.State) State {
	switch s {
	case gobreaker.StateHalfOpen:
		return StateHalfOpen
	case gobreaker.StateOpen:
		return StateOpen
	default:
		return StateClosed
	}
}

// Breaker has the circuit breakers of the queues that a client calls. All its methods are safe
// for concurrent use.
type Breaker struct {
	ratio     float64
	least     uint32
	window    time.Duration
	openFor   time.Duration
	probes    uint32
	most      int
	isFailure func(error) bool
	observe   func(queue string, from, to State)

	mu     sync.Mutex
	queues *simplelru.LRU[string, *circuit]
}

// New makes a Breaker whose breakers are all closed.
func New(opts ...Option) *Breaker {
	b := &Breaker{
		ratio: defaultRatio, least: defaultLeast, window: defaultWindow, openFor: defaultOpenFor,
		probes: defaultProbes, most: defaultQueues, isFailure: IsFailure,
	}
	for _, o := range opts {
		o(b)
	}
	queues, err := simplelru.NewLRU[string, *circuit](b.most, nil)
	if err != nil {
		panic(err) // a size below one
	}
	b.queues = queues
	return b
}

// Middleware returns the middleware for clients and calls. On a server, and for streams, it does
// nothing.
func (b *Breaker) Middleware() amqprpc.Middleware {
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			if k := req.Kind(); !req.IsClient() || k != amqprpc.KindUnary && k != amqprpc.KindNotification {
				return next(ctx, req)
			}
			c := b.circuit(req.Queue())
			done, err := c.breaker.Allow()
			if err != nil {
				return nil, c.refusal(errors.Is(err, gobreaker.ErrTooManyRequests))
			}
			result := error(amqprpc.CodeInternal) // if middleware panics or ends the goroutine
			defer func() { done(result) }()
			resp, err := next(ctx, req)
			result = err
			return resp, err
		}
	}
}

// Status is the state of one queue's breaker.
type Status struct {
	Queue string
	State State
	// Since is when the breaker got into its state, or when the queue was first called.
	Since time.Time
	// Until is when an open breaker lets a call pass again. It is zero in the other states.
	Until time.Time
	// Calls and Failures count what the window has, or what a half-open breaker let pass.
	Calls, Failures int
}

// Status returns the state of each queue that was called, sorted by name.
func (b *Breaker) Status() []Status {
	b.mu.Lock()
	circuits := b.queues.Values()
	b.mu.Unlock()
	all := make([]Status, len(circuits))
	for i, c := range circuits {
		all[i] = c.status()
	}
	slices.SortFunc(all, func(a, b Status) int { return strings.Compare(a.Queue, b.Queue) })
	return all
}

// circuit returns the breaker of a queue.
func (b *Breaker) circuit(queue string) *circuit {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.queues.Get(queue)
	if !ok {
		c = newCircuit(b, queue)
		b.queues.Add(queue, c)
	}
	return c
}
