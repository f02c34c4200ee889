package breaker

import (
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// The defaults, in one place.
const (
	defaultRatio   = 0.5
	defaultLeast   = 20
	defaultWindow  = 10 * time.Second
	defaultOpenFor = 5 * time.Second
	defaultProbes  = 1
	defaultQueues  = 1024
	windowParts    = 10 // in which old counts leave the window
)

// Option changes a [Breaker].
type Option func(*Breaker)

// WithFailureRatio opens a breaker if this part of the calls in the window has failed, and the
// window has at least so many calls. The defaults are 0.5 and 20. A ratio of zero and below,
// and a number below 1, leave their default.
func WithFailureRatio(ratio float64, least int) Option {
	return func(b *Breaker) {
		if ratio > 0 {
			b.ratio = ratio
		}
		if least > 0 {
			b.least = uint32(min(least, 1<<30))
		}
	}
}

// WithWindow sets over which time calls are counted. The default is 10 s. Values of zero and
// below leave the default.
func WithWindow(d time.Duration) Option {
	return func(b *Breaker) {
		if d > 0 {
			b.window = max(d, windowParts)
		}
	}
}

// WithOpenFor sets how long a breaker stays open before it lets calls pass again, to find out.
// The default is 5 s. Values of zero and below leave the default.
func WithOpenFor(d time.Duration) Option {
	return func(b *Breaker) {
		if d > 0 {
			b.openFor = d
		}
	}
}

// WithProbes sets how many calls a half-open breaker lets pass, all of which must succeed. The
// default is 1. Values below 1 leave the default.
func WithProbes(n int) Option {
	return func(b *Breaker) {
		if n > 0 {
			b.probes = uint32(min(n, 1<<30))
		}
	}
}

// WithFailure sets which errors count as failures, instead of [IsFailure]. f gets every error
// but those of the code canceled, which count neither as failures nor as successes. It must be
// quick and safe for concurrent use, and must not call the Breaker.
func WithFailure(f func(err error) bool) Option { return func(b *Breaker) { b.isFailure = f } }

// WithQueues sets how many queues the Breaker remembers. The default is 1,024. If there are
// more, it forgets the queue that was not called for the longest time, whose breaker is closed
// then. Values below 1 leave the default.
func WithQueues(most int) Option {
	return func(b *Breaker) {
		if most > 0 {
			b.most = most
		}
	}
}

// WithObserver calls f when the state of a queue's breaker changes. f must be quick, and must
// not call the Breaker.
func WithObserver(f func(queue string, from, to State)) Option {
	return func(b *Breaker) { b.observe = f }
}

// IsFailure reports whether err says that a queue is not served as it should be: unavailable,
// deadline_exceeded, internal or data_loss. All other errors are answers, with which a server
// shows that it works: invalid_argument and not_found, and also unknown, the code of a
// handler's error without a code. resource_exhausted is no failure, since it says itself when
// to call again.
func IsFailure(err error) bool {
	switch amqprpc.CodeOf(err) {
	case amqprpc.CodeUnavailable, amqprpc.CodeDeadlineExceeded, amqprpc.CodeInternal, amqprpc.CodeDataLoss:
		return true
	default:
		return false
	}
}
