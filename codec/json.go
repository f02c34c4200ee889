package codec

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// JSON is the codec of content type application/json. It uses encoding/json. The zero value
// is ready to use.
//
// It differs from encoding/json in three points. It does not escape HTML characters. It
// writes no newline at the end. If Marshal gets a struct by value, it also calls the struct's
// MarshalJSON and MarshalText methods with pointer receivers.
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
	out := e.Bytes()
	if e.Buffer = (bytes.Buffer{}); cap(out) <= 64 { // short encodings share memory
		e.Buffer = *bytes.NewBuffer(out[len(out):])
	}
	jsonEncoders.Put(e)
	return slices.Clip(bytes.TrimSuffix(out, []byte("\n"))), nil
}

// Unmarshal decodes the JSON value data into the value that v points to. White space around
// the value is allowed. Anything else after the value is an error.
func (c JSON) Unmarshal(data []byte, v any) error {
	_, err := checkTarget(v)
	if err == nil {
		err = guarded(func(v any) error { return c.unmarshal(data, v) }, v)
	}
	return finish("json", jsonReason(err))
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
	err := dec.Decode(v)
	if rest := bytes.TrimLeft(data[dec.InputOffset():], " \t\r\n"); err != nil || len(rest) > 0 {
		// If data is not one value, json.Unmarshal has the better error text.
		return cmp.Or(json.Unmarshal(data, new(json.RawMessage)), err)
	}
	return nil
}

// jsonEncoder is a reusable encoding/json encoder, which writes each value at once.
type jsonEncoder struct {
	json *json.Encoder
	bytes.Buffer
}

var jsonEncoders = sync.Pool{New: func() any {
	e := new(jsonEncoder)
	e.json = json.NewEncoder(e)
	e.json.SetEscapeHTML(false)
	return e
}}

// withAddress returns v, or a pointer to a copy of it: methods with a pointer receiver need one.
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
	case nil:
		return nil
	case *json.UnmarshalTypeError:
		return &codecError{path: []string{err.Field}, text: typeReason(err), err: err}
	case *json.SyntaxError:
		return fmt.Errorf("%w (at byte %d)", err, err.Offset)
	}
	if rest, ok := strings.CutPrefix(err.Error(), "json: invalid use of ,string struct tag, trying to unmarshal "); ok {
		literal := rest[:max(0, strings.LastIndex(rest, " into "))]
		return &codecError{text: literal + " holds no value of the expected kind", err: err}
	}
	return err
}

func typeReason(err *json.UnmarshalTypeError) string {
	literal, isNumber := strings.CutPrefix(err.Value, "number ")
	if !isNumber { // the name of a kind
		article := "a "
		if err.Value == "array" || err.Value == "object" {
			article = "an "
		}
		return errKind(article+err.Value, err.Type).Error()
	}
	whole := strings.Trim(strings.TrimPrefix(literal, "-"), "0123456789") == ""
	switch shown := printable(literal); {
	case whole, reflect.Zero(err.Type).CanFloat():
		return errRange(shown, err.Type).Error()
	case json.Valid([]byte(literal)):
		return errKind(shown, err.Type).Error()
	default: // the key of a map with integer keys
		return errKind(`"`+shown+`"`, err.Type).Error()
	}
}
