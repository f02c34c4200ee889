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

// Error is a failure with a code. It is what calls return, and what handlers
// return to choose the code that their caller sees; code, message and details
// cross the wire, the wrapped cause stays on its own side.
//
// An Error is immutable and safe for concurrent use.
type Error struct {
	code    Code
	message string
	cause   error
	details []errorDetail
	outcome Outcome
	stated  bool          // the outcome is WithOutcome's
	again   time.Duration // after which the caller may come again; 0 is not said
	remote  bool
	call    callRef // that it is the error of; zero if of none
	queue   string  // of the call; "" for an error of no call, as a handler makes one
}

// errorDetail is one named value beside the message, encoded as JSON whatever
// the codec of the call.
type errorDetail struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
}

// errorEnvelope is an Error on the wire.
type errorEnvelope struct {
	Code    string        `json:"code"`
	Message string        `json:"message"`
	Details []errorDetail `json:"details,omitempty"`
}

// NewError gives err a code. The message that crosses the wire is err's text,
// or the code's name if err is nil. The details of an Error that err wraps are
// kept, and so is its [RetryAfter]. CodeOK is no code of an error, and becomes CodeUnknown.
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

// Errorf is NewError(code, fmt.Errorf(format, args...)); %w wraps.
func Errorf(code Code, format string, args ...any) *Error {
	return NewError(code, fmt.Errorf(format, args...))
}

// Code returns the error's code.
func (e *Error) Code() Code { return e.code }

// Message returns the error's text without its code: what crosses the wire.
func (e *Error) Message() string { return e.message }

// Outcome says what is known of the request's fate. It is OutcomeUnknown for an
// error that did not come from a call.
func (e *Error) Outcome() Outcome { return e.outcome }

// Error returns the code and the message, behind the queue that was called if it is
// the error of a call.
func (e *Error) Error() string {
	if e.queue != "" {
		return e.queue + ": " + string(e.code) + ": " + e.message
	}
	return string(e.code) + ": " + e.message
}

// ofCall reports whether the error is a call's: it came over the wire, or a client made
// it.
func (e *Error) ofCall() bool { return e.queue != "" || e.remote || e.call != callRef{} }

// Unwrap returns the error given to [NewError], or the local cause of a call's
// failure: context.DeadlineExceeded behind a deadline that passed here. It is
// nil for an error that came over the wire.
func (e *Error) Unwrap() error {
	if e == nil { // a handler or middleware may wrap one
		return nil
	}
	return e.cause
}

// Is reports whether target is the error's [Code].
func (e *Error) Is(target error) bool {
	c, ok := target.(Code)
	return ok && e != nil && c == e.code
}

// WithDetail returns a copy of the error that carries v under name; a detail of
// that name is replaced. v is encoded as JSON now, so that later changes to it
// do not show; a v that cannot be encoded becomes a string that says so. [Detail]
// reads it on the other side.
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

// WithOutcome returns a copy of the error that states an outcome, for server
// middleware that answers in the handler's place: behind an answer that it replays
// a handler has run, though not for this request, and behind one that it does not
// wait for any longer one may be running. It says nothing where the request's own
// handler has started, nor on a client.
func (e *Error) WithOutcome(o Outcome) *Error {
	c := *e
	c.outcome, c.stated = o, true
	return &c
}

// WithRetryAfter returns a copy of the error that says when its caller may come again: after
// d, which crosses the wire in milliseconds, rounded up. [RetryAfter] reads it on the other
// side. Values of zero and below say nothing, and more than a day is taken for a day. It is
// for errors that pass by themselves, as unavailable and resource_exhausted do.
func (e *Error) WithRetryAfter(d time.Duration) *Error {
	c := *e
	c.again = within(0, d, protocol.MaxRetryAfter)
	return &c
}

// RetryAfter returns how long the caller shall wait before it calls again, as err's [Error]
// says ([Error.WithRetryAfter]), and false if it says nothing.
func RetryAfter(err error) (time.Duration, bool) {
	e, ok := errorIn(err)
	if !ok || e.again <= 0 {
		return 0, false
	}
	return e.again, true
}

// MarshalJSON returns the envelope of the wire: code, message and, if there are
// any, details.
func (e *Error) MarshalJSON() ([]byte, error) {
	return json.Marshal(errorEnvelope{Code: string(e.code), Message: e.message, Details: e.details})
}

// UnmarshalJSON reads the envelope of the wire. A code that is none of the
// sixteen becomes CodeUnknown.
func (e *Error) UnmarshalJSON(data []byte) error {
	var env errorEnvelope
	if err := json.Unmarshal(data, &env); err != nil {
		return err
	}
	*e = Error{code: codeFromWire(env.Code), message: env.Message, details: env.Details}
	return nil
}

// Detail returns the detail of that name of err's [Error], decoded as T, and
// false if there is none or it is not a T.
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

// CodeOf returns err's code: [CodeOK] for nil, the [Error]'s or [Code]'s own where err
// wraps one, CodeDeadlineExceeded and CodeCanceled for the errors of a context,
// and CodeUnknown for all else.
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

// IsRemote reports whether err came over the wire: a server, or a broker's peer
// of it, answered with it. Errors that a client makes itself (a deadline, a lost
// connection, a queue that is not there) are local.
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
