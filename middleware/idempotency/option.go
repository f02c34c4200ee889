package idempotency

import (
	"errors"
	"log/slog"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Option configures [New].
type Option func(*config)

// WithLease sets how long a claim lasts that its server does not renew, which
// it does three times in that time while the handler runs: how long a repetition
// waits at most for a server that died. The default is 10 s, values below 10 ms count
// as that. Longer than it, a server must not be asleep or away from its store.
func WithLease(d time.Duration) Option {
	return func(c *config) { c.lease = max(d, minLease) }
}

// WithKey replaces [amqprpc.Request.ID] in the key, for ids that are unique to
// a tenant only, or where the message itself says which call it is
// ([amqprpc.Request.Message] has it). The queue's name stays part of the key. A
// request for which f returns "" is handled as if there were no middleware.
func WithKey(f func(req *amqprpc.Request) string) Option {
	return func(c *config) { c.idOf = f }
}

// WithRememberedErrors replaces the rule by which errors are remembered: those for which
// f returns true are answers. It is not asked about errors of a handler whose ctx has
// ended, which never are. It is asked about panics, which [amqprpc.PanicError] tells.
// It must be safe for concurrent use.
func WithRememberedErrors(f func(err error) bool) Option {
	return func(c *config) { c.isAnswer = f }
}

// WithFailOpen runs requests whose claim the store did not take, because it is
// down: repetitions then run as well. The default is to refuse them, unavailable.
func WithFailOpen() Option {
	return func(c *config) { c.failOpen = true }
}

// WithAnyBody answers a repeated id with the first answer whatever its body is,
// for callers whose bodies differ between attempts (a time, the number of the
// attempt). The default is to refuse another body, failed_precondition.
func WithAnyBody() Option {
	return func(c *config) { c.anyBody = true }
}

// WithReplayHeader adds name, with the value "true", to the metadata of every
// answer that is replayed. The default is to add nothing.
func WithReplayHeader(name string) Option {
	return func(c *config) { c.replayHeader = name }
}

// WithStoreTimeout bounds each operation on the store. The default is 2 s;
// values of zero and below leave it.
func WithStoreTimeout(d time.Duration) Option {
	return func(c *config) {
		if d > 0 {
			c.storeTimeout = d
		}
	}
}

// WithLogger sets where failures of the store and lost claims are logged. The
// default is slog.Default() as it is when the middleware is made; nil means no logging.
func WithLogger(l *slog.Logger) Option {
	if l == nil {
		l = slog.New(slog.DiscardHandler)
	}
	return func(c *config) { c.log = l }
}

// isAnswer is the default rule: whether an error is the handler's last word on a
// call. The codes that are not are those of which gRPC's documentation says that the
// client may try again, and a context's.
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
