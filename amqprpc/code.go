package amqprpc

import (
	"slices"
	"sync/atomic"
)

// Code says what kind of failure an error is. There are sixteen codes for errors. They are
// gRPC's codes, in the spelling of Connect. CodeOK is the code of no error. A Code is
// itself an error, so a handler may return one. If err is an error with the code not_found,
// on either side of the wire, this is true:
//
//	errors.Is(err, amqprpc.CodeNotFound)
type Code string

// The codes, with the meaning that gRPC's documentation gives them
// (https://grpc.io/docs/guides/status-codes/).
const (
	CodeOK                 Code = "ok"                  // no error; it never crosses the wire
	CodeCanceled           Code = "canceled"            // the caller no longer wants the answer
	CodeUnknown            Code = "unknown"             // an error that carries no code
	CodeInvalidArgument    Code = "invalid_argument"    // the request is wrong, whatever the state of the system
	CodeDeadlineExceeded   Code = "deadline_exceeded"   // the deadline has passed
	CodeNotFound           Code = "not_found"           // something that was asked for does not exist
	CodeAlreadyExists      Code = "already_exists"      // something that was to be created exists already
	CodePermissionDenied   Code = "permission_denied"   // the caller is known and may not do this
	CodeResourceExhausted  Code = "resource_exhausted"  // a limit is reached: a quota, a size, memory
	CodeFailedPrecondition Code = "failed_precondition" // the system is not in the state that the request needs
	CodeAborted            Code = "aborted"             // the operation was stopped because of a conflict or a repetition
	CodeOutOfRange         Code = "out_of_range"        // a value is beyond the valid range
	CodeUnimplemented      Code = "unimplemented"       // the server does not have this operation
	CodeInternal           Code = "internal"            // something is broken
	CodeUnavailable        Code = "unavailable"         // nobody is there at the moment; a later attempt may succeed
	CodeDataLoss           Code = "data_loss"           // data is lost or corrupt for good
	CodeUnauthenticated    Code = "unauthenticated"     // the caller is not known
)

// Error returns the code's name, as it is on the wire.
func (c Code) Error() string { return string(c) }

// String returns the code's name.
func (c Code) String() string { return string(c) }

// IsKnown reports whether the code is one of the constants of this package. A handler may
// return others, which cross the wire as unknown. Middleware that keeps something for each
// code bounds it so.
func (c Code) IsKnown() bool { return c == CodeOK || codeFromWire(string(c)) == c }

// errorCodes are the codes of errors.
func errorCodes() [16]Code {
	return [...]Code{
		CodeCanceled, CodeUnknown, CodeInvalidArgument, CodeDeadlineExceeded,
		CodeNotFound, CodeAlreadyExists, CodePermissionDenied, CodeResourceExhausted,
		CodeFailedPrecondition, CodeAborted, CodeOutOfRange, CodeUnimplemented,
		CodeInternal, CodeUnavailable, CodeDataLoss, CodeUnauthenticated,
	}
}

// codeFromWire is what a code from a peer means here: a name that is none of
// the sixteen is as good as none.
func codeFromWire(name string) Code {
	if codes := errorCodes(); slices.Contains(codes[:], Code(name)) {
		return Code(name)
	}
	return CodeUnknown
}

// codeCounters count errors by their code. The zero value is ready.
type codeCounters [16]atomic.Int64

func (c *codeCounters) add(code Code) {
	codes := errorCodes()
	c[slices.Index(codes[:], codeFromWire(string(code)))].Add(1)
}

// snapshot holds the codes that were counted; it is nil if there are none.
func (c *codeCounters) snapshot() map[Code]int64 {
	var m map[Code]int64
	for i, code := range errorCodes() {
		if n := c[i].Load(); n > 0 {
			if m == nil {
				m = make(map[Code]int64)
			}
			m[code] = n
		}
	}
	return m
}
