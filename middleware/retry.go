package middleware

import (
	"context"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// The defaults of [Retry].
const (
	defaultRetryAttempts = 3
	defaultRetryFirst    = 50 * time.Millisecond
	defaultRetryMost     = 2 * time.Second
	defaultRetryTokens   = 100
	defaultRetryRatio    = 0.1
)

// RetryOption changes what [Retry] does.
type RetryOption func(*retry)

// WithRetryAttempts sets how many attempts a call has at most, the first one included. The
// default is 3. Values below 2 turn retries off, and also the retries of a Retry further
// outward.
func WithRetryAttempts(n int) RetryOption { return func(r *retry) { r.attempts = n } }

// WithRetryCodes makes Retry retry errors with these codes, too, even if a handler has run and
// returned the error. Give only codes with which your handlers say that the call has changed
// nothing. If a stream was accepted, the codes have no effect on it.
func WithRetryCodes(codes ...amqprpc.Code) RetryOption {
	return func(r *retry) { r.codes = append(r.codes, codes...) }
}

// WithRetryPauses sets the bounds of the pauses. The pause before the first retry is a random
// time up to first. The bound doubles with each retry, up to most. The defaults are 50 ms and
// 2 s. Values of zero and below leave the default.
func WithRetryPauses(first, most time.Duration) RetryOption {
	return func(r *retry) {
		if first > 0 {
			r.first = first
		}
		if most > 0 {
			r.most = most
		}
	}
}

// WithRetryBudget sets the budget of each queue. The budget begins with this number of tokens,
// which is also its maximum. A failure takes one token, and a success gives back ratio of a
// token. With half of the tokens or fewer, Retry makes no retries. The defaults are 100 and
// 0.1. Values of zero tokens and below turn the budget off.
func WithRetryBudget(tokens int, ratio float64) RetryOption {
	return func(r *retry) { r.budgets.most, r.budgets.ratio = float64(tokens), max(ratio, 0) }
}

// WithAttemptTimeout limits each attempt to d. The deadline of the call limits all of them. If
// an attempt exceeds d, its handler may have run, so Retry retries only idempotent calls. By
// default there is no limit. Values of zero and below mean the same. Streams have no such
// limit.
func WithAttemptTimeout(d time.Duration) RetryOption { return func(r *retry) { r.limit = d } }

// WithRetryObserver calls f before each retry, with the error of the last attempt and the pause
// that follows. f runs on the goroutine of the call.
func WithRetryObserver(f func(ctx context.Context, req *amqprpc.Request, err error, pause time.Duration)) RetryOption {
	return func(r *retry) { r.observe = f }
}

// Retry makes a call or a notification again after an error that may pass, if the outcome of
// the error allows it:
//
//   - not sent, not executed: no handler has run. Retry retries unavailable and
//     deadline_exceeded. It retries resource_exhausted if the error says when to call again
//     ([amqprpc.RetryAfter]).
//   - unknown: a handler may have run. Retry retries the same errors of calls with
//     [amqprpc.WithIdempotent].
//   - executed: a handler has returned the error. Retry retries only the codes of
//     [WithRetryCodes].
//
// Retry opens a stream again only if no handler has run. A stream that a server has accepted
// cannot be opened again, so its errors pass unchanged.
//
// A retry is another attempt at the same call: it has the same [amqprpc.Request.ID]. It follows
// after a random pause, plus the time after which the error says to call again. In these cases
// there is no retry, and the call ends at once with its last error:
//
//   - the pause, and the time of the quickest attempt, would not end before the call's deadline
//   - the budget of the queue is used up ([WithRetryBudget])
//   - the call itself is made during a retry of another call
//
// If a chain has several Retry, only the innermost one retries. The Retry of a call therefore
// replaces the Retry of its client. Put Retry outside of middleware that must see each attempt.
// Retry is for clients. On a server it does nothing. The budgets belong to the Middleware that
// Retry returns, so share it.
func Retry(opts ...RetryOption) amqprpc.Middleware {
	r := &retry{
		attempts: defaultRetryAttempts, first: defaultRetryFirst, most: defaultRetryMost,
		budgets: budgets{most: defaultRetryTokens, ratio: defaultRetryRatio}, born: time.Now(),
	}
	for _, o := range opts {
		o(r)
	}
	r.budgets.init()
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			if !req.IsClient() {
				return next(ctx, req)
			}
			claim, began := req.ClaimRetries(), r.age()
			resp, err := r.attempt(ctx, req, next)
			if err == nil {
				r.budgets.succeeded(req.Queue())
				return resp, nil
			}
			if !req.MayRetry(claim) || ctx.Value(retriedKey{}) != nil {
				return nil, err
			}
			return r.again(ctx, req, next, err, r.age()-began)
		}
	}
}

type retry struct {
	attempts    int
	codes       []amqprpc.Code
	first, most time.Duration
	limit       time.Duration
	observe     func(context.Context, *amqprpc.Request, error, time.Duration)
	budgets     budgets
	born        time.Time
}

// retriedKey marks the ctx of a retry, so that calls that are made in it are not retried.
type retriedKey struct{}

// isSingle reports whether a request is a call or a notification, and not a stream.
func isSingle(req *amqprpc.Request) bool {
	k := req.Kind()
	return k == amqprpc.KindUnary || k == amqprpc.KindNotification
}

// age is a clock that is cheaper than time.Now.
func (r *retry) age() time.Duration { return time.Since(r.born) }

func (r *retry) attempt(ctx context.Context, req *amqprpc.Request, next amqprpc.Invoker) (*amqprpc.Response, error) {
	if r.limit > 0 && isSingle(req) {
		bounded, cancel := context.WithTimeout(ctx, r.limit)
		defer cancel()
		ctx = bounded
	}
	return next(ctx, req)
}

// again makes further attempts after the first one, which took a time to fail with err.
func (r *retry) again(ctx context.Context, req *amqprpc.Request, next amqprpc.Invoker, err error, took time.Duration) (*amqprpc.Response, error) {
	// A random time of the interval, ± the whole of it: full jitter up to twice the interval.
	pauses := backoff.ExponentialBackOff{
		InitialInterval: r.first / 2, MaxInterval: r.most / 2, RandomizationFactor: 1, Multiplier: 2,
	}
	inRetry := context.WithValue(ctx, retriedKey{}, true)
	quickest := time.Duration(-1) // of the attempts that were answered
	for n := 1; ; n++ {
		if isAnswer(err) && (quickest < 0 || took < quickest) {
			quickest = took
		}
		if ctx.Err() != nil || !r.mayHelp(err) {
			return nil, err
		}
		rich := r.budgets.failed(req.Queue())
		if !rich || n >= r.attempts || !r.isSafe(req, err) {
			return nil, err
		}
		pause, _ := amqprpc.RetryAfter(err)
		pause += pauses.NextBackOff()
		if end, ok := ctx.Deadline(); ok && time.Until(end) <= pause+max(quickest, 0) {
			return nil, err
		}
		if r.observe != nil {
			r.observe(ctx, req, err, pause)
		}
		if !sleep(ctx, pause) {
			return nil, err
		}
		began := r.age()
		resp, failure := r.attempt(inRetry, req, next)
		if failure == nil {
			r.budgets.succeeded(req.Queue())
			return resp, nil
		}
		err, took = failure, r.age()-began
	}
}

// isAnswer reports whether somebody has answered with err: the time until it is one in which
// an attempt may end.
func isAnswer(err error) bool {
	o := amqprpc.OutcomeOf(err)
	return o == amqprpc.OutcomeExecuted || o == amqprpc.OutcomeNotExecuted
}

// mayHelp reports whether another attempt may succeed after err.
func (r *retry) mayHelp(err error) bool {
	code := amqprpc.CodeOf(err)
	switch code {
	case amqprpc.CodeUnavailable, amqprpc.CodeDeadlineExceeded:
		return true
	case amqprpc.CodeResourceExhausted: // of a quota or an overload, not of a size
		if _, ok := amqprpc.RetryAfter(err); ok {
			return true
		}
	}
	return slices.Contains(r.codes, code)
}

// isSafe reports whether another attempt does no harm.
func (r *retry) isSafe(req *amqprpc.Request, err error) bool {
	switch outcome := amqprpc.OutcomeOf(err); {
	case outcome == amqprpc.OutcomeNotSent, outcome == amqprpc.OutcomeNotExecuted:
		return true
	case !isSingle(req): // what has come of a stream cannot be taken back
		return false
	case outcome == amqprpc.OutcomeExecuted:
		// A handler that ends with its ctx may answer before the limit of the attempt is noticed.
		outOfTime := r.limit > 0 && amqprpc.CodeOf(err) == amqprpc.CodeDeadlineExceeded
		return slices.Contains(r.codes, amqprpc.CodeOf(err)) || outOfTime && req.IsIdempotent()
	default:
		return req.IsIdempotent()
	}
}

// sleep waits for d and reports whether ctx was alive until then.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
