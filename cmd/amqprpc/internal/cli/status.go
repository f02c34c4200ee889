package cli

import (
	"errors"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/connect"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/invoke"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/web"
)

// The exit statuses of all commands.
const (
	statusOK          = 0
	statusAnswered    = 1
	statusUsage       = 2
	statusNotExecuted = 3
	statusUnknown     = 4
	statusDeadline    = 5
	statusConnection  = 6
	statusLocal       = 7
	statusInterrupted = 130
)

// Statuses are the exit statuses with their meaning, for the documentation.
var Statuses = []struct {
	Status  int
	Meaning string
}{
	{statusOK, "Everything went well."},
	{statusAnswered, "A handler ran and answered with an error. `doctor` found a problem. Calls of `bench` failed."},
	{statusUsage, "The command line or the request is wrong. No handler has run."},
	{statusNotExecuted, "No handler has run, and none will. It is safe to call again."},
	{statusUnknown, "A handler may have run: for example, because a connection or a server was lost."},
	{statusDeadline, "The deadline has passed, and a handler may have run."},
	{statusConnection, "There is no connection to the broker."},
	{statusLocal, "Something else failed on this machine: for example, a file cannot be written."},
	{statusInterrupted, "The command was interrupted."},
}

// statusError is an error whose status is known where it is made.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

// usage is the error of a wrong command line.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &statusError{statusUsage, err}
}

// statusOf returns the exit status of an error.
func statusOf(err error) int {
	if err == nil {
		return statusOK
	}
	if e, ok := errors.AsType[*statusError](err); ok {
		return e.status
	}
	if _, ok := errors.AsType[*connect.Error](err); ok {
		return statusConnection
	}
	if _, ok := errors.AsType[*invoke.InvalidError](err); ok {
		return statusUsage
	}
	if _, ok := errors.AsType[*connect.TargetError](err); ok {
		return statusUsage
	}
	if _, ok := errors.AsType[*web.FlagError](err); ok {
		return statusUsage
	}
	if _, ok := errors.AsType[*amqprpc.Error](err); !ok {
		return statusLocal
	}
	code := amqprpc.CodeOf(err)
	switch amqprpc.OutcomeOf(err) {
	case amqprpc.OutcomeExecuted:
		return statusAnswered
	case amqprpc.OutcomeNotSent, amqprpc.OutcomeNotExecuted:
		if code == amqprpc.CodeInvalidArgument {
			return statusUsage
		}
		return statusNotExecuted
	default:
		if code == amqprpc.CodeDeadlineExceeded {
			return statusDeadline
		}
		return statusUnknown
	}
}
