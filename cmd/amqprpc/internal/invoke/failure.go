package invoke

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Failure is an error of this package as JSON.
type Failure struct {
	Code       string                     `json:"code"`
	Message    string                     `json:"message"`
	Outcome    string                     `json:"outcome"` // not-sent, not-executed, executed or unknown
	Remote     bool                       `json:"remote"`  // a server has sent it
	Details    map[string]json.RawMessage `json:"details,omitempty"`
	RetryAfter time.Duration              `json:"retry_after_ns,omitempty"`
	Problems   []Problem                  `json:"problems,omitempty"` // why the request does not fit its schema
}

// FailureOf describes err, or returns nil for nil.
func FailureOf(err error) *Failure {
	if err == nil {
		return nil
	}
	f := &Failure{Code: string(amqprpc.CodeOf(err)), Message: err.Error(), Outcome: amqprpc.OutcomeOf(err).String(), Remote: amqprpc.IsRemote(err)}
	if invalid, ok := errors.AsType[*InvalidError](err); ok {
		f.Code, f.Outcome, f.Problems = string(amqprpc.CodeInvalidArgument), amqprpc.OutcomeNotSent.String(), invalid.Problems
		return f
	}
	if e, ok := errors.AsType[*amqprpc.Error](err); ok {
		f.Message = e.Message()
		f.Details = detailsOf(e)
	}
	f.RetryAfter, _ = amqprpc.RetryAfter(err)
	return f
}

// detailsOf returns all details of e. Package amqprpc returns them by name only.
func detailsOf(e *amqprpc.Error) map[string]json.RawMessage {
	var envelope struct {
		Details []struct {
			Name  string
			Value json.RawMessage
		}
	}
	b, err := e.MarshalJSON()
	if err != nil || json.Unmarshal(b, &envelope) != nil || len(envelope.Details) == 0 {
		return nil
	}
	details := make(map[string]json.RawMessage, len(envelope.Details))
	for _, d := range envelope.Details {
		details[d.Name] = d.Value
	}
	return details
}
