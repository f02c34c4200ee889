package amqprpc

// Outcome says what the caller may conclude of a failed call's request, and so
// whether calling again is safe. The zero value, OutcomeUnknown, is the safe
// assumption.
type Outcome uint8

const (
	// OutcomeUnknown: a handler may have run, be running, or run until the
	// deadline. Only an idempotent call may be repeated.
	OutcomeUnknown Outcome = iota
	// OutcomeNotSent: the request never reached the broker.
	OutcomeNotSent
	// OutcomeNotExecuted: the broker had the request, and provably no handler
	// ran for it or will: it was returned, or refused on its first delivery.
	OutcomeNotExecuted
	// OutcomeExecuted: a handler ran and answered with this error.
	OutcomeExecuted
)

// String returns the outcome's name: unknown, not-sent, not-executed, executed.
func (o Outcome) String() string {
	switch o {
	case OutcomeNotSent:
		return "not-sent"
	case OutcomeNotExecuted:
		return "not-executed"
	case OutcomeExecuted:
		return "executed"
	default:
		return "unknown"
	}
}

// outcomeFromWire reads the rpc-outcome header of a reply; absent or strange
// means unknown. A peer cannot say not-sent: it has the request.
func outcomeFromWire(name string) Outcome {
	switch name {
	case "executed":
		return OutcomeExecuted
	case "not-executed":
		return OutcomeNotExecuted
	default:
		return OutcomeUnknown
	}
}

// OutcomeOf returns the outcome of err's [Error]. It is OutcomeExecuted for nil,
// since a call that succeeded ran, and OutcomeUnknown for an error that says
// nothing of it.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return OutcomeExecuted
	}
	if e, ok := errorIn(err); ok {
		return e.outcome
	}
	return OutcomeUnknown
}
