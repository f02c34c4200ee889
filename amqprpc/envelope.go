package amqprpc

import (
	"encoding/json"
	"strings"
)

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

// MarshalJSON returns the envelope of the wire: code, message and, if there are
// any, details.
func (e *Error) MarshalJSON() ([]byte, error) {
	return json.Marshal(errorEnvelope{Code: string(e.code), Message: e.message, Details: e.details})
}

// envelopeWithin encodes an error in no more than limit bytes: details go first, then
// the end of the message.
func envelopeWithin(e *Error, limit int) []byte {
	if body, err := json.Marshal(e); err == nil && len(body) <= limit {
		return body
	}
	// Details were encoded when they were added, so that only the size can be the
	// matter. A byte of text takes at most six of JSON.
	short := Error{code: e.code, message: strings.ToValidUTF8(e.message[:min(len(e.message), limit/12)], "")}
	body, _ := json.Marshal(&short)
	return body
}

// UnmarshalJSON reads the envelope of the wire. A code that is none of the
// sixteen becomes CodeUnknown. A part that is not of its kind counts as absent, and does
// not cost the reader the others. The error is for data that is not an object.
func (e *Error) UnmarshalJSON(data []byte) error {
	var env struct {
		Code    lenient[string]                    `json:"code"`
		Message lenient[string]                    `json:"message"`
		Details lenient[[]lenient[receivedDetail]] `json:"details"`
	}
	if err := json.Unmarshal(data, &env); err != nil {
		return err
	}
	*e = Error{code: codeFromWire(env.Code.value), message: env.Message.value}
	if !env.Message.present {
		e.message = "the error has no message"
	}
	for _, d := range env.Details.value {
		if !d.value.Name.present {
			continue
		}
		if d.value.Value == nil {
			d.value.Value = json.RawMessage("null")
		}
		e.details = append(e.details, errorDetail{Name: d.value.Name.value, Value: d.value.Value})
	}
	return nil
}

// receivedDetail is a detail from a server in any language.
type receivedDetail struct {
	Name  lenient[string] `json:"name"`
	Value json.RawMessage `json:"value"`
}

// lenient is a member of a JSON object that counts as absent if it is null or of another
// kind.
type lenient[T any] struct {
	value   T
	present bool
}

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (l *lenient[T]) UnmarshalJSON(data []byte) error {
	*l = lenient[T]{}
	var v *T
	if err := json.Unmarshal(data, &v); err == nil && v != nil {
		l.value, l.present = *v, true
	}
	return nil
}
