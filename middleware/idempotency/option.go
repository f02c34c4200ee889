package idempotency

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Option configures [New].
type Option func(*config)

// WithLease sets how long a claim lasts without renewal. It bounds how long a
// repetition waits for a server that has died. A server renews its claim three times
// per lease while the handler runs, so it must not be suspended, or cut off from the
// store, for longer than a lease. The default is 10 s; values below 10 ms are raised to
// 10 ms.
func WithLease(d time.Duration) Option {
	return func(c *config) { c.lease = max(d, minLease) }
}

// WithKey replaces [amqprpc.Request.ID] in the key with the result of f. Use it if IDs
// are unique only within a tenant, or if the message itself identifies the call
// ([amqprpc.Request.Message] returns the message). If callers must not get each other's
// answers, put the caller into the key: ctx has what middleware further outward has put
// into it, for example the Principal of AuthBearer. The queue's name stays part of the
// key. A request for which f returns "" is passed on as if there were no middleware. f
// must be safe for concurrent use.
func WithKey(f func(ctx context.Context, req *amqprpc.Request) string) Option {
	return func(c *config) { c.idOf = f }
}

// WithRememberedErrors replaces the rule for which errors are stored: an error is
// stored if f returns true. f is also called for panics, as [amqprpc.PanicError]. It is
// not called for errors of a handler whose context has ended, because those are never
// stored. f must be safe for concurrent use.
func WithRememberedErrors(f func(err error) bool) Option {
	return func(c *config) { c.isAnswer = f }
}

// WithFailOpen runs a request even if the store fails to claim its key. Repetitions
// then run as well. The default is to refuse such a request with unavailable.
func WithFailOpen() Option {
	return func(c *config) { c.failOpen = true }
}

// WithAnyBody answers a repetition with the first answer even if its body differs. Use
// it for callers whose bodies differ between attempts, for example by a timestamp. The
// default is to refuse a different body with failed_precondition.
func WithAnyBody() Option {
	return func(c *config) { c.anyBody = true }
}

// WithReplayHeader adds the metadata name, with the value "true", to every answer that
// comes from the store. The default is to add nothing.
func WithReplayHeader(name string) Option {
	return func(c *config) { c.replayHeader = name }
}

// WithStoreTimeout bounds each operation on the store, unless the store is
// [NonBlocking]. The default is 2 s; zero and negative values keep the default.
func WithStoreTimeout(d time.Duration) Option {
	return func(c *config) {
		if d > 0 {
			c.storeTimeout = d
		}
	}
}

// WithLogger sets where store failures and lost claims are logged. The default is
// slog.Default() at the time of [New]. A nil logger turns logging off.
func WithLogger(l *slog.Logger) Option {
	if l == nil {
		l = slog.New(slog.DiscardHandler)
	}
	return func(c *config) { c.log = l }
}

// isAnswer is the default rule for which errors are stored. The codes that it leaves
// out are the codes that gRPC documents as retryable, and the codes of a context's
// errors.
func isAnswer(err error) bool {
	if _, panicked := errors.AsType[*amqprpc.PanicError](err); panicked {
		return false
	}
	switch amqprpc.CodeOf(err) {
	case amqprpc.CodeUnavailable, amqprpc.CodeResourceExhausted, amqprpc.CodeAborted,
		amqprpc.CodeDeadlineExceeded, amqprpc.CodeCanceled:
		return false
	default:
		return true
	}
}
