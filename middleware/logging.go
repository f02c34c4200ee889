package middleware

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// LoggingOption changes what [Logging] writes.
type LoggingOption func(*logging)

type logging struct {
	log     *slog.Logger
	level   func(amqprpc.Code) slog.Level // nil for the default of the side
	attrs   func(*amqprpc.Request) []slog.Attr
	context func(context.Context) []slog.Attr
}

// Logging writes one line for each finished request, on servers and on clients:
//
//	level=INFO msg=rpc side=server kind=unary queue=orders id=… attempt=1 code=ok duration=1.2ms queue_time=3ms
//	level=WARN msg=rpc side=client kind=unary queue=orders id=… attempt=1 code=unavailable duration=420µs outcome=not-executed error="…"
//
// Every line has side, kind, queue, id, attempt, code and duration (a [time.Duration]). A
// server adds queue_time if [amqprpc.Request.QueueTime] knows it, and redelivered=true for a
// request that may have been delivered before. The line of a stream is written when the
// stream has ended. It adds the numbers of messages that this side has sent and received,
// and stopped=true if the client has stopped the stream, as a loop does that breaks. For an
// error, Logging adds the text as error
// and, on a client, the outcome. It adds the attribute cause if the error has a cause that
// callers do not see: a panic, or the error of a callee. The message and the metadata are
// not logged, see [WithLogAttrs]. The logger's handler gets the context of the call, and
// [WithLogContext] logs what is in it.
//
// The levels are those of [DefaultServerLogLevel] and [DefaultClientLogLevel], or of
// [WithLogLevel]. By default, a client writes an ordinary refusal at debug, because the
// server that refuses writes it at info. So a refusal that passes through several services
// is one line for each call, and not two. If the logger does not write the level, Logging
// builds no attributes. A nil logger writes nothing.
//
// Put Logging outside of middleware that refuses, repeats or answers calls. It then sees
// their answers, and writes one line for all attempts. Put it inside of middleware whose
// context it logs.
func Logging(logger *slog.Logger, opts ...LoggingOption) amqprpc.Middleware {
	l := &logging{log: logger}
	for _, o := range opts {
		o(l)
	}
	if l.log == nil {
		return func(next amqprpc.Invoker) amqprpc.Invoker { return next }
	}
	return Observe(l.write)
}

// WithLogLevel sets the level of a line by the code of the result, [amqprpc.CodeOK] for
// success. If the logger does not write that level, there is no line.
func WithLogLevel(level func(amqprpc.Code) slog.Level) LoggingOption {
	return func(l *logging) { l.level = level }
}

// WithLogAttrs adds attributes to each line, for example from the request's metadata or from
// its message. f runs on the request's goroutine after the request.
func WithLogAttrs(f func(*amqprpc.Request) []slog.Attr) LoggingOption {
	return func(l *logging) { l.attrs = f }
}

// WithLogContext adds attributes from the context of the call to each line: the ids of the
// trace, for example. The module otelrpc has a function for that. f gets the context that
// Logging got, so put Logging inside of the middleware that sets it. f may return nil.
func WithLogContext(f func(context.Context) []slog.Attr) LoggingOption {
	return func(l *logging) { l.context = f }
}

// DefaultServerLogLevel returns the level of a code on a server. It is Info for success and
// for what is a matter of the caller: canceled, invalid_argument, not_found, already_exists,
// unauthenticated. It is Error for errors that somebody must fix: unknown, internal,
// unimplemented, data_loss. It is Warn for all other codes. These are the levels of gRPC's
// logging middleware.
func DefaultServerLogLevel(code amqprpc.Code) slog.Level {
	switch code {
	case amqprpc.CodeOK, amqprpc.CodeCanceled, amqprpc.CodeInvalidArgument, amqprpc.CodeNotFound,
		amqprpc.CodeAlreadyExists, amqprpc.CodeUnauthenticated:
		return slog.LevelInfo
	case amqprpc.CodeDeadlineExceeded, amqprpc.CodePermissionDenied, amqprpc.CodeResourceExhausted,
		amqprpc.CodeFailedPrecondition, amqprpc.CodeAborted, amqprpc.CodeOutOfRange, amqprpc.CodeUnavailable:
		return slog.LevelWarn
	default:
		return slog.LevelError
	}
}

// DefaultClientLogLevel returns the level of a code on a client, whose caller gets the error
// and decides what it means. It is Debug for success and for answers that a caller may
// expect: canceled, invalid_argument, not_found, already_exists, resource_exhausted,
// failed_precondition, aborted, out_of_range. It is Warn if the other side is broken or
// absent: unimplemented, internal, unavailable, data_loss. It is Info for all other codes.
// These are the levels of gRPC's logging middleware.
func DefaultClientLogLevel(code amqprpc.Code) slog.Level {
	switch code {
	case amqprpc.CodeOK, amqprpc.CodeCanceled, amqprpc.CodeInvalidArgument, amqprpc.CodeNotFound,
		amqprpc.CodeAlreadyExists, amqprpc.CodeResourceExhausted, amqprpc.CodeFailedPrecondition,
		amqprpc.CodeAborted, amqprpc.CodeOutOfRange:
		return slog.LevelDebug
	case amqprpc.CodeUnimplemented, amqprpc.CodeInternal, amqprpc.CodeUnavailable, amqprpc.CodeDataLoss:
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}

// levelOf returns the level of a line.
func (l *logging) levelOf(req *amqprpc.Request, code amqprpc.Code) slog.Level {
	switch {
	case l.level != nil:
		return l.level(code)
	case req.IsClient():
		return DefaultClientLogLevel(code)
	default:
		return DefaultServerLogLevel(code)
	}
}

func (l *logging) write(ctx context.Context, req *amqprpc.Request, resp *amqprpc.Response, err error, took time.Duration) {
	defer func() { recover() }() // a panic of the log's must not become the result
	code := amqprpc.CodeOf(err)
	level := l.levelOf(req, code)
	if !l.log.Enabled(ctx, level) {
		return
	}
	side := "server"
	if req.IsClient() {
		side = "client"
	}
	attrs := make([]slog.Attr, 0, 14)
	attrs = append(attrs,
		slog.String("side", side),
		slog.String("kind", req.Kind().String()),
		slog.String("queue", req.Queue()),
		slog.String("id", req.ID()),
		slog.Int("attempt", req.Attempt()),
		slog.String("code", code.String()),
		slog.Duration("duration", took),
	)
	if waited, ok := req.QueueTime(); ok {
		attrs = append(attrs, slog.Duration("queue_time", waited))
	}
	if req.Redelivered() {
		attrs = append(attrs, slog.Bool("redelivered", true))
	}
	if req.Kind().IsStream() {
		attrs = appendStream(attrs, req, resp)
	}
	if err != nil && req.IsClient() {
		attrs = append(attrs, slog.String("outcome", amqprpc.OutcomeOf(err).String()))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
		if e, ok := errors.AsType[*amqprpc.Error](err); ok {
			if cause := e.Unwrap(); cause != nil && !strings.Contains(err.Error(), cause.Error()) {
				attrs = append(attrs, slog.String("cause", cause.Error()))
			}
		}
	}
	if l.context != nil {
		attrs = append(attrs, l.context(ctx)...)
	}
	if l.attrs != nil {
		attrs = append(attrs, l.attrs(req)...)
	}
	l.log.LogAttrs(ctx, level, "rpc", attrs...)
}

// appendStream appends what only the line of a stream has.
func appendStream(attrs []slog.Attr, req *amqprpc.Request, resp *amqprpc.Response) []slog.Attr {
	attrs = append(attrs, slog.Int64("sent", req.MessagesSent()), slog.Int64("received", req.MessagesReceived()))
	if resp != nil && resp.Stopped() {
		attrs = append(attrs, slog.Bool("stopped", true))
	}
	return attrs
}
