package codec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
)

// JSON is the codec of content type application/json, over encoding/json.
// The zero value is ready to use.
//
// It does what encoding/json does, but for these: HTML characters are not
// escaped (a message body is no web page), there is no trailing newline, and
// a value passed to Marshal by value gets its pointer-receiver MarshalJSON and
// MarshalText methods called, as one passed by pointer does.
type JSON struct {
	// DisallowUnknownFields makes Unmarshal refuse an object that has a key
	// which no field of the Go struct takes.
	DisallowUnknownFields bool

	// UseNumber makes Unmarshal store a number in an any as a json.Number,
	// which keeps every digit, instead of as a float64.
	UseNumber bool
}

// ContentType returns "application/json".
func (JSON) ContentType() string { return "application/json" }

// Marshal returns the JSON encoding of v, without a trailing newline.
func (JSON) Marshal(v any) ([]byte, error) {
	e := jsonEncoders.Get().(*jsonEncoder)
	defer e.release()
	if err := e.enc.Encode(v); err != nil {
		return nil, fmt.Errorf("codec: json: %w", err)
	}
	// Encode ends the value with a newline. What stays in the pooled buffer
	// is not the caller's, so it gets a copy of the right size.
	out := make([]byte, e.buf.Len()-1)
	copy(out, e.buf.Bytes())
	return out, nil
}

// Unmarshal decodes the JSON value data into what v points to. White space
// around the value is allowed, anything else after it is an error.
func (c JSON) Unmarshal(data []byte, v any) error {
	if !c.DisallowUnknownFields && !c.UseNumber {
		if err := json.Unmarshal(data, v); err != nil {
			return fmt.Errorf("codec: json: %w", err)
		}
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if c.DisallowUnknownFields {
		dec.DisallowUnknownFields()
	}
	if c.UseNumber {
		dec.UseNumber()
	}
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("codec: json: %w", err)
	}
	if rest := bytes.TrimLeft(data[dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return fmt.Errorf("codec: json: %d bytes after the value", len(rest))
	}
	return nil
}

// jsonEncoder is an encoding/json encoder together with the buffer that it
// writes to, so that both are reused.
type jsonEncoder struct {
	buf bytes.Buffer
	enc *json.Encoder
}

var jsonEncoders = sync.Pool{New: func() any {
	e := new(jsonEncoder)
	e.enc = json.NewEncoder(&e.buf)
	e.enc.SetEscapeHTML(false)
	return e
}}

// maxPooledBuffer bounds what one huge message can leave behind in a pool.
const maxPooledBuffer = 1 << 20

func (e *jsonEncoder) release() {
	if e.buf.Cap() > maxPooledBuffer {
		return
	}
	e.buf.Reset()
	jsonEncoders.Put(e)
}
