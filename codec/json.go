package codec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// JSON is the codec of content type application/json, over encoding/json.
// The zero value is ready to use.
//
// It does what encoding/json does, but for these: HTML characters are not
// escaped (a message body is no web page), there is no newline at the end, and
// pointer-receiver MarshalJSON and MarshalText methods are called on a struct
// that Marshal gets by value as they are on one that it gets by pointer.
//
// Errors name the field and wrap what encoding/json or a user's method said.
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

// Marshal returns the JSON encoding of v.
func (JSON) Marshal(v any) ([]byte, error) {
	e := jsonEncoders.Get().(*jsonEncoder)
	if err := guarded(e.json.Encode, withAddress(v)); err != nil {
		return nil, finish("json", jsonReason(err)) // and e, which may be broken, is dropped
	}
	out := e.out
	e.out = nil
	jsonEncoders.Put(e)
	return bytes.TrimSuffix(out, []byte("\n")), nil
}

// Unmarshal decodes the JSON value data into what v points to. White space
// around the value is allowed; anything else after it is an error.
func (c JSON) Unmarshal(data []byte, v any) error {
	if _, err := checkTarget(v); err != nil {
		return finish("json", err)
	}
	if err := guarded(func(v any) error { return c.unmarshal(data, v) }, v); err != nil {
		return finish("json", jsonReason(err))
	}
	return nil
}

func (c JSON) unmarshal(data []byte, v any) error {
	if !c.DisallowUnknownFields && !c.UseNumber {
		return json.Unmarshal(data, v)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if c.DisallowUnknownFields {
		dec.DisallowUnknownFields()
	}
	if c.UseNumber {
		dec.UseNumber()
	}
	switch err := dec.Decode(v); {
	case err == io.EOF:
		return json.Unmarshal(nil, v) // which has the better words
	case err != nil:
		return err
	}
	if rest := bytes.TrimLeft(data[dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return errTrailing(len(rest))
	}
	return nil
}

// jsonEncoder is a reusable encoding/json encoder. It hands over each value in
// one piece, so that the copy made of it is the only one, and the caller's.
type jsonEncoder struct {
	json *json.Encoder
	out  []byte
}

var jsonEncoders = sync.Pool{New: func() any {
	e := new(jsonEncoder)
	e.json = json.NewEncoder(e)
	e.json.SetEscapeHTML(false)
	return e
}}

func (e *jsonEncoder) Write(p []byte) (int, error) {
	out := make([]byte, len(e.out)+len(p))
	copy(out[copy(out, e.out):], p)
	e.out = out
	return len(p), nil
}

// withAddress returns v or, if it is no pointer, a pointer to a copy: a method
// with a pointer receiver is called only on what has an address.
func withAddress(v any) any {
	switch v.(type) {
	case nil, bool, string, []byte, int, int32, int64, uint32, uint64, float64:
		return v
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer {
		return v
	}
	p := reflect.New(rv.Type())
	p.Elem().Set(rv)
	return p.Interface()
}

// jsonReason says in this package's words what encoding/json said in its own.
func jsonReason(err error) error {
	switch err := err.(type) {
	case *json.UnmarshalTypeError:
		r := error(&reason{text: typeReason(err), err: err})
		if err.Field != "" {
			r = inField(r, err.Field)
		}
		return r
	case *json.SyntaxError:
		return &reason{text: fmt.Sprintf("%v (at byte %d)", err, err.Offset), err: err}
	}
	return withoutPrefix(err, "json: ")
}

func typeReason(err *json.UnmarshalTypeError) string {
	literal, isNumber := strings.CutPrefix(err.Value, "number ")
	if !isNumber {
		return errKind(article(err.Value), err.Type).Error()
	}
	whole := strings.Trim(strings.TrimPrefix(literal, "-"), "0123456789") == ""
	valid := json.Valid([]byte(literal))
	literal = printable(literal)
	zero := reflect.Zero(err.Type)
	isInt := zero.CanInt() || zero.CanUint()
	switch {
	case zero.CanFloat() || isInt && whole:
		return errRange(literal, err.Type).Error()
	case isInt && !valid: // the key of a map with integer keys
		literal = strconv.Quote(literal)
	}
	return errKind(literal, err.Type).Error()
}

func article(kind string) string {
	if strings.ContainsAny(kind[:min(1, len(kind))], "aeiou") {
		return "an " + kind
	}
	return "a " + kind
}
