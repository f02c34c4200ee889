package breaker

import (
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// circuit is the breaker of one queue.
type circuit struct {
	queue   string
	openFor time.Duration
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]

	mu    sync.Mutex
	since time.Time
}

func newCircuit(b *Breaker, queue string) *circuit {
	c := &circuit{queue: queue, openFor: b.openFor, since: time.Now()}
	c.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: queue, MaxRequests: b.probes, Timeout: b.openFor,
		Interval: b.window, BucketPeriod: b.window / windowParts,
		ReadyToTrip: func(n gobreaker.Counts) bool {
			ended := n.TotalSuccesses + n.TotalFailures
			return ended >= b.least && float64(n.TotalFailures) >= b.ratio*float64(ended)
		},
		IsSuccessful: func(err error) bool { return err == nil || !b.isFailure(err) },
		IsExcluded:   func(err error) bool { return amqprpc.CodeOf(err) == amqprpc.CodeCanceled },
		OnStateChange: func(queue string, from, to gobreaker.State) {
			c.mu.Lock()
			c.since = time.Now()
			c.mu.Unlock()
			if b.observe != nil {
				b.observe(queue, stateOf(from), stateOf(to))
			}
		},
	})
	return c
}

// refusal is the error of a call that may not pass.
func (c *circuit) refusal(probing bool) error {
	c.mu.Lock()
	since := c.since
	c.mu.Unlock()
	if probing {
		return amqprpc.Errorf(amqprpc.CodeUnavailable, "the circuit breaker is half open since %s: other calls find out whether the queue is served again",
			since.Format(time.RFC3339)).WithRetryAfter(c.openFor)
	}
	until := since.Add(c.openFor)
	return amqprpc.Errorf(amqprpc.CodeUnavailable, "the circuit breaker is open since %s and until %s: too many calls have failed",
		since.Format(time.RFC3339), until.Format(time.RFC3339)).WithRetryAfter(max(time.Until(until), time.Millisecond))
}

func (c *circuit) status() Status {
	state, counts := stateOf(c.breaker.State()), c.breaker.Counts() // State may change since
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Status{Queue: c.queue, State: state, Since: c.since, Calls: int(counts.Requests), Failures: int(counts.TotalFailures)}
	if state == StateOpen {
		s.Until = c.since.Add(c.openFor)
	}
	return s
}
