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

// JSON is the codec of content type application/json. It uses encoding/json. The zero value
// is ready to use.
//
// It differs from encoding/json in three points. It does not escape HTML characters. It
// writes no newline at the end. If Marshal gets a struct by value, it also calls the struct's
// MarshalJSON and MarshalText methods with pointer receivers.
//
// Errors name the field and wrap the error of encoding/json or of a user's method.
type JSON struct {
	// DisallowUnknownFields makes Unmarshal refuse an object with a key that no field of the
	// Go struct has.
	DisallowUnknownFields bool

	// UseNumber makes Unmarshal store a number in an any as a json.Number, which keeps every
	// digit, instead of as a float64.
	UseNumber bool
}

// ContentType returns "application/json".
func (JSON) ContentType() string { return "application/json" }

// Marshal returns the JSON encoding of v.
func (JSON) Marshal(v any) ([]byte, error) {
	e := jsonEncoders.Get().(*jsonEncoder)
	if err := guarded(e.json.Encode, withAddress(v)); err != nil {
		return nil, finish("json", jsonReason(err)) // drop e, which may be broken
	}
	out := e.out
	e.out = nil
	jsonEncoders.Put(e)
	return bytes.TrimSuffix(out, []byte("\n")), nil
}

// Unmarshal decodes the JSON value data into the value that v points to. White space around
// the value is allowed. Anything else after the value is an error.
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
		return json.Unmarshal(nil, v) // json.Unmarshal has the better error text
	case err != nil:
		return err
	}
	if rest := bytes.TrimLeft(data[dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return errTrailing(len(rest))
	}
	return nil
}

// jsonEncoder is a reusable encoding/json encoder. It gets each value as one write, so each
// encoding is copied only once.
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

// withAddress returns v if it is a pointer, or else a pointer to a copy, because a method
// with a pointer receiver needs an address.
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

// jsonReason rewrites an error of encoding/json in this package's words.
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
	if rest, ok := strings.CutPrefix(err.Error(), "json: invalid use of ,string struct tag, trying to unmarshal "); ok {
		literal := rest[:max(0, strings.LastIndex(rest, " into "))]
		return &reason{text: literal + " holds no value of the expected kind", err: err}
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
