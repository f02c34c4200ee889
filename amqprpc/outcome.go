package amqprpc

// Outcome says what happened to the request of a failed call, and so whether it is safe to
// call again. The zero value is OutcomeUnknown, the most careful assumption.
type Outcome uint8

const (
	// OutcomeUnknown: a handler may have run, may be running, or may run until the
	// deadline. Call again only if the handler may run twice.
	OutcomeUnknown Outcome = iota
	// OutcomeNotSent: the request never reached the broker.
	OutcomeNotSent
	// OutcomeNotExecuted: the request reached the broker. No handler has run, and none will
	// run: the broker returned the request, or a server refused it on its first delivery.
	OutcomeNotExecuted
	// OutcomeExecuted: a handler ran and returned this error.
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

// OutcomeOf returns the outcome of err's [Error]. It returns OutcomeExecuted for nil,
// because the handler of a successful call has run. It returns OutcomeUnknown for any other
// error.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return OutcomeExecuted
	}
	if e, ok := errorIn(err); ok {
		return e.outcome
	}
	return OutcomeUnknown
}
