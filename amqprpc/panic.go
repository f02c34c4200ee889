package amqprpc

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
)

// PanicError is the cause of the internal error that a panic of a handler or of middleware
// becomes. Middleware that reports panics uses it:
//
//	if p, ok := errors.AsType[*amqprpc.PanicError](err); ok { … }
//
// Value and stack do not cross the wire: the caller gets a neutral message. On a client, a
// panic of middleware or of a codec becomes the error of its call.
type PanicError struct {
	Value any    // given to panic
	Stack []byte // of the goroutine that panicked
}

// Error returns the value as text.
func (p *PanicError) Error() (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("panic: a %T, whose text panics", p.Value)
		}
	}()
	return fmt.Sprintf("panic: %v", p.Value)
}

func newPanicError(p any) *PanicError { return &PanicError{Value: p, Stack: debug.Stack()} }

// rescue makes a panic of the user's code the error of its call. It is deferred.
func (c *Client) rescue(req *Request, err *error) {
	p := recover()
	if p == nil {
		return
	}
	cause := newPanicError(p)
	c.log.Error("amqprpc: panic in a call", "queue", req.queue, "panic", cause.Error(), "stack", string(cause.Stack))
	outcome := OutcomeUnknown
	if req.isUnsent() {
		outcome = OutcomeNotSent
	}
	*err = localError(CodeInternal, outcome, req.queue, "%w", cause)
}

// log returns the logger. Its lines are written on goroutines that nobody else may
// end, so that a panic of its handler ends with the line.
func (c *connConfig) log() *slog.Logger { return slog.New(guardedHandler{c.logger.Handler()}) }

// guardedHandler is a handler whose panics cost a line.
type guardedHandler struct{ to slog.Handler }

func (h guardedHandler) Enabled(ctx context.Context, l slog.Level) bool {
	defer func() { recover() }()
	return h.to.Enabled(ctx, l)
}

func (h guardedHandler) Handle(ctx context.Context, r slog.Record) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = newPanicError(p)
		}
	}()
	return h.to.Handle(ctx, r)
}

func (h guardedHandler) WithAttrs(as []slog.Attr) slog.Handler {
	return guardedHandler{h.to.WithAttrs(as)}
}

func (h guardedHandler) WithGroup(name string) slog.Handler {
	return guardedHandler{h.to.WithGroup(name)}
}
