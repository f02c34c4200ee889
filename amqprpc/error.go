package amqprpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// Error is an error with a code. Calls return it. A handler returns it to choose the code
// that its caller gets. Code, message and details cross the wire. The wrapped cause does
// not.
//
// An Error is immutable and safe for concurrent use.
type Error struct {
	code    Code
	message string
	cause   error
	details []errorDetail
	outcome Outcome
	stated  bool          // the outcome is WithOutcome's
	again   time.Duration // after which the caller may call again; 0 is not said
	remote  bool
	call    callRef // that it is the error of; zero if of none
	queue   string  // of the call; "" for an error of no call, as a handler makes one
}

// NewError returns an error with this code that wraps err. The message that crosses the
// wire is the text of err, or the name of the code if err is nil. If err wraps an Error,
// its details and its [RetryAfter] are kept. CodeOK becomes CodeUnknown, because it is not
// the code of an error.
func NewError(code Code, err error) *Error {
	if code == CodeOK {
		code = CodeUnknown
	}
	e := &Error{code: code, cause: err, message: string(code)}
	if err != nil {
		e.message = textOf(err)
	}
	if inner, ok := errorIn(err); ok {
		e.details, e.again = inner.details, inner.again
	}
	return e
}

// errorIn finds the Error that err wraps. A nil one is none.
func errorIn(err error) (*Error, bool) {
	e, found := errors.AsType[*Error](err)
	return e, found && e != nil
}

// Errorf is short for NewError(code, fmt.Errorf(format, args...)). The verb %w wraps an
// error.
func Errorf(code Code, format string, args ...any) *Error {
	return NewError(code, fmt.Errorf(format, args...))
}

// Code returns the error's code.
func (e *Error) Code() Code { return e.code }

// Message returns the text that crosses the wire, without the code.
func (e *Error) Message() string { return e.message }

// Outcome says what happened to the request. It is OutcomeUnknown for an error that did not
// come from a call.
func (e *Error) Outcome() Outcome { return e.outcome }

// Error returns the code and the message. For the error of a call, the queue comes first.
func (e *Error) Error() string {
	if e.queue != "" {
		return e.queue + ": " + string(e.code) + ": " + e.message
	}
	return string(e.code) + ": " + e.message
}

// ofCall reports whether the error is a call's: it came over the wire, or a client made
// it.
func (e *Error) ofCall() bool { return e.queue != "" || e.remote || e.call != callRef{} }

// Unwrap returns the error that was given to NewError. For the error of a call, it returns
// the local cause, for example context.DeadlineExceeded. For an error that a server sent,
// it returns nil.
func (e *Error) Unwrap() error {
	if e == nil { // a handler or middleware may wrap one
		return nil
	}
	return e.cause
}

// Is reports whether target is the code of the error.
func (e *Error) Is(target error) bool {
	c, ok := target.(Code)
	return ok && e != nil && c == e.code
}

// WithDetail returns a copy of the error with v under this name. A detail with the same
// name is replaced. WithDetail encodes v as JSON at once, so later changes to v have no
// effect. If v cannot be encoded, the detail is a string that says so. The caller reads the
// detail with [Detail].
func (e *Error) WithDetail(name string, v any) *Error {
	value, err := json.Marshal(v)
	if err != nil {
		value, _ = json.Marshal("!(detail could not be encoded: " + err.Error() + ")")
	}
	c := *e
	c.details = slices.DeleteFunc(slices.Clone(e.details), func(d errorDetail) bool { return d.Name == name })
	c.details = append(c.details, errorDetail{Name: name, Value: value})
	return &c
}

// WithOutcome returns a copy of the error with an outcome. It is for server middleware that
// answers instead of the handler. For example, such middleware may send a stored answer, or
// stop waiting for an earlier execution. The outcome is then OutcomeExecuted or
// OutcomeUnknown. WithOutcome has no effect on a client, or if the handler of this request
// has started.
func (e *Error) WithOutcome(o Outcome) *Error {
	c := *e
	c.outcome, c.stated = o, true
	return &c
}

// WithRetryAfter returns a copy of the error that tells its caller to call again after d. The
// time crosses the wire in milliseconds, rounded up. The caller reads it with [RetryAfter].
// Values of zero and below set no time. Values of more than a day are lowered to a day. Use
// WithRetryAfter for errors that pass by themselves, as unavailable and resource_exhausted
// do.
func (e *Error) WithRetryAfter(d time.Duration) *Error {
	c := *e
	c.again = within(0, d, protocol.MaxRetryAfter)
	return &c
}

// RetryAfter returns the time that err's [Error] asks the caller to wait before it calls
// again ([Error.WithRetryAfter]). It returns false if the error sets no time.
func RetryAfter(err error) (time.Duration, bool) {
	e, ok := errorIn(err)
	if !ok || e.again <= 0 {
		return 0, false
	}
	return e.again, true
}

// Detail returns the detail with this name of err's [Error], decoded as a T. It returns
// false if there is no such detail, or if it does not decode as a T.
func Detail[T any](err error, name string) (T, bool) {
	var v T
	e, ok := errorIn(err)
	if !ok {
		return v, false
	}
	for _, d := range e.details {
		if d.Name != name {
			continue
		}
		if json.Unmarshal(d.Value, &v) != nil {
			var zero T
			return zero, false
		}
		return v, true
	}
	return v, false
}

// CodeOf returns the code of err. For nil it returns CodeOK. If err is or wraps an [Error]
// or a Code, CodeOf returns this code. For the errors of a context it returns
// CodeDeadlineExceeded or CodeCanceled. For all other errors it returns CodeUnknown.
func CodeOf(err error) Code {
	if err == nil {
		return CodeOK
	}
	if e, ok := errorIn(err); ok {
		return e.code
	}
	if c, ok := errors.AsType[Code](err); ok && c != CodeOK {
		return c
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return CodeDeadlineExceeded
	case errors.Is(err, context.Canceled):
		return CodeCanceled
	default:
		return CodeUnknown
	}
}

// IsRemote reports whether a server sent err. It is false for an error that the client made
// itself, for example because of a deadline, a lost connection, or a queue that does not
// exist.
func IsRemote(err error) bool {
	e, ok := errorIn(err)
	return ok && e.remote
}

// textOf is err's text, in which a wrapped Error stands without its code, which is
// said apart, and without the queue that the error's call went to.
func textOf(err error) string {
	text := err.Error()
	if e, ok := errorIn(err); ok {
		text = strings.Replace(text, e.Error(), e.message, 1)
	}
	return text
}

// asWireError is err as it crosses the wire. Of an error that wraps an Error the
// whole text crosses, under the wrapped one's code and details.
func asWireError(err error) *Error {
	if e, ok := err.(*Error); ok {
		return e
	}
	return NewError(CodeOf(err), err)
}

// localError is an error that the client itself ends a call to queue with.
func localError(code Code, outcome Outcome, queue, format string, args ...any) *Error {
	e := Errorf(code, format, args...)
	e.outcome, e.queue = outcome, fmt.Sprintf("%.300s", queue)
	return e
}
