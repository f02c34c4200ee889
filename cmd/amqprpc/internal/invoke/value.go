package invoke

import (
	"bytes"
	"encoding/json"
	"math"

	"github.com/bbebcec1/amqprpc-go/codec"
)

// Value is a message as JSON, whatever the codec of the call is: as MessagePack, it crosses
// the wire as the same value. The zero value is null.
type Value json.RawMessage

// MarshalJSON implements json.Marshaler.
func (v Value) MarshalJSON() ([]byte, error) { return json.RawMessage(v).MarshalJSON() }

// UnmarshalJSON implements json.Unmarshaler.
func (v *Value) UnmarshalJSON(data []byte) error {
	*v = append((*v)[:0], data...)
	return nil
}

// MarshalMsgpack implements msgpack's Marshaler.
func (v Value) MarshalMsgpack() ([]byte, error) {
	var x any
	if len(v) > 0 {
		if err := (codec.JSON{UseNumber: true}).Unmarshal(v, &x); err != nil {
			return nil, err
		}
	}
	return codec.MsgPack{}.Marshal(withNumbers(x))
}

// UnmarshalMsgpack implements msgpack's Unmarshaler. Binary data become a string in base64,
// as in the JSON of Go.
func (v *Value) UnmarshalMsgpack(data []byte) error {
	var x any
	err := codec.MsgPack{UseNumber: true}.Unmarshal(data, &x)
	if err != nil {
		return err
	}
	*v, err = codec.JSON{}.Marshal(x)
	return err
}

// withNumbers replaces each json.Number, which MessagePack takes for a string.
func withNumbers(x any) any {
	switch x := x.(type) {
	case []any:
		for i := range x {
			x[i] = withNumbers(x[i])
		}
	case map[string]any:
		for k := range x {
			x[k] = withNumbers(x[k])
		}
	case json.Number:
		if n, err := x.Int64(); err == nil {
			return n
		}
		var u uint64
		if json.Unmarshal([]byte(x), &u) == nil {
			return u
		}
		if f, err := x.Float64(); err == nil && !math.IsInf(f, 0) {
			return f
		}
	}
	return x
}

// compact returns v on one line. Only a value from a codec of ours gets here, so v is valid.
func compact(v Value) json.RawMessage {
	if len(v) == 0 {
		return json.RawMessage("null")
	}
	var b bytes.Buffer
	if json.Compact(&b, v) != nil {
		return json.RawMessage(v)
	}
	return b.Bytes()
}
