package amqprpc

import "encoding/json"

// ending is what an end or a reset says.
type ending struct {
	Error  *Error `json:"error,omitempty"`
	Header Header `json:"header,omitempty"`
}

func encodeEnding(err error, h Header) []byte {
	if err == nil && len(h) == 0 {
		return nil
	}
	e := ending{Header: h}
	if err != nil {
		e.Error = asWireError(err)
	}
	body, _ := json.Marshal(e)
	return body
}

// parseEnding reads the payload of an end or a reset.
func parseEnding(payload []byte) (e ending, err error) {
	if len(payload) == 0 {
		return ending{}, nil
	}
	err = json.Unmarshal(payload, &e)
	return e, err
}

// resetBy is the error of a stream that the peer has reset.
func resetBy(payload []byte) *Error {
	if e, err := parseEnding(payload); err == nil && e.Error != nil {
		e.Error.remote = true
		return e.Error
	}
	return Errorf(CodeUnavailable, "the other side does not know the stream any more")
}
