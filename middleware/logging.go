package middleware

import (
	"context"
	"log/slog"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// LoggingOption changes what [Logging] writes.
type LoggingOption func(*logging)

type logging struct {
	log   *slog.Logger
	level func(amqprpc.Code) slog.Level
	attrs func(*amqprpc.Request) []slog.Attr
}

// Logging writes one line for each request that passes, when it is done, on
// servers and clients alike:
//
//	level=INFO msg=rpc side=server kind=unary queue=orders id=… attempt=1 code=ok duration=1.2ms
//	level=WARN msg=rpc side=client kind=unary queue=orders id=… attempt=1 code=unavailable duration=420µs outcome=not-executed error="…"
//
// side, kind, queue, id, attempt, code and duration (a [time.Duration]) are always
// there; redelivered=true only on a server, for a request that may have been
// delivered before; error, its text, only for an error; outcome only for an error
// on a client. The message itself and its metadata are not logged, see [WithLogAttrs].
// The logger's handler is given the ctx of the call.
//
// The level is that of [DefaultLogLevel] unless [WithLogLevel] says otherwise; below
// the level that the logger writes, nothing is put together. A nil logger writes
// nothing. Logging belongs outermost, so that it sees what the other middleware
// answers and how long they take.
func Logging(logger *slog.Logger, opts ...LoggingOption) amqprpc.Middleware {
	l := &logging{log: logger, level: DefaultLogLevel}
	for _, o := range opts {
		o(l)
	}
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		if l.log == nil {
			return next
		}
		return func(ctx context.Context, req *amqprpc.Request) (_ *amqprpc.Response, err error) {
			start := time.Now()
			returned := false
			defer func() {
				if !returned { // a middleware panics; the server will answer for it
					err = amqprpc.Errorf(amqprpc.CodeInternal, "panic")
				}
				l.write(ctx, req, err, time.Since(start))
			}()
			resp, err := next(ctx, req)
			returned = true
			return resp, err
		}
	}
}

// WithLogLevel sets the level of a line by the code of the result, "" for success. A
// level that the logger does not write leaves the line out.
func WithLogLevel(level func(amqprpc.Code) slog.Level) LoggingOption {
	return func(l *logging) { l.level = level }
}

// WithLogAttrs adds attributes to each line: of the request's metadata, say, or of its
// message. f runs when the request is done, on its goroutine.
func WithLogAttrs(f func(*amqprpc.Request) []slog.Attr) LoggingOption {
	return func(l *logging) { l.attrs = f }
}

// DefaultLogLevel is Info for success and for what callers ask wrongly or give up
// (canceled, invalid_argument, not_found, already_exists, unauthenticated), Warn
// for what load, time, rights or state stood in the way of, and Error for what is
// somebody's mistake to mend: unknown, internal, unimplemented, data_loss.
func DefaultLogLevel(code amqprpc.Code) slog.Level {
	switch code {
	case "", amqprpc.CodeCanceled, amqprpc.CodeInvalidArgument, amqprpc.CodeNotFound,
		amqprpc.CodeAlreadyExists, amqprpc.CodeUnauthenticated:
		return slog.LevelInfo
	case amqprpc.CodeDeadlineExceeded, amqprpc.CodePermissionDenied, amqprpc.CodeResourceExhausted,
		amqprpc.CodeFailedPrecondition, amqprpc.CodeAborted, amqprpc.CodeOutOfRange, amqprpc.CodeUnavailable:
		return slog.LevelWarn
	default:
		return slog.LevelError
	}
}

func (l *logging) write(ctx context.Context, req *amqprpc.Request, err error, took time.Duration) {
	code := amqprpc.CodeOf(err)
	level := l.level(code)
	if !l.log.Enabled(ctx, level) {
		return
	}
	side, shown := "server", "ok"
	if req.IsClient() {
		side = "client"
	}
	if err != nil {
		shown = string(code)
	}
	attrs := make([]slog.Attr, 0, 10)
	attrs = append(attrs,
		slog.String("side", side),
		slog.String("kind", req.Kind().String()),
		slog.String("queue", req.Queue()),
		slog.String("id", req.ID()),
		slog.Int("attempt", req.Attempt()),
		slog.String("code", shown),
		slog.Duration("duration", took),
	)
	if req.Redelivered() {
		attrs = append(attrs, slog.Bool("redelivered", true))
	}
	if err != nil && req.IsClient() {
		attrs = append(attrs, slog.String("outcome", amqprpc.OutcomeOf(err).String()))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	if l.attrs != nil {
		attrs = append(attrs, l.attrs(req)...)
	}
	l.log.LogAttrs(ctx, level, "rpc", attrs...)
}
