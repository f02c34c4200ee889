package codec

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxPathParts is the most parts of a path that an error shows. A hostile message may have
// thousands.
const maxPathParts = 16

// errShort is the error for a body that ends too early.
var errShort = fmt.Errorf("the body ends in the middle of a value: %w", io.ErrUnexpectedEOF)

// errDeep prevents a stack overflow by hostile bodies or cyclic Go values. Go cannot recover
// from a stack overflow.
var errDeep = fmt.Errorf("nested deeper than %d levels", maxDepth)

// maxDepth limits the nesting of arrays and objects. encoding/json has the same limit for
// decoding.
const maxDepth = 10_000

// codecError is an error with its codec, its path in the message and its cause. The path is
// built only while an error returns, so a success pays nothing for it.
type codecError struct {
	codec string
	path  []string // the innermost part first: "name", "[3]", "[key]"
	err   error
}

func (e *codecError) Error() string {
	path := slices.Clone(e.path)
	slices.Reverse(path)
	if extra := len(path) - maxPathParts; extra > 0 {
		path = slices.Replace(path, maxPathParts/2, maxPathParts/2+extra, "[…]")
	}
	where := strings.ReplaceAll(strings.Join(path, "."), ".[", "[")
	switch {
	case where == "":
		return fmt.Sprintf("codec: %s: %v", e.codec, e.err)
	case where[0] == '[':
		return fmt.Sprintf("codec: %s: element %s: %v", e.codec, where, e.err)
	default:
		return fmt.Sprintf("codec: %s: field \"%s\": %v", e.codec, where, e.err)
	}
}

func (e *codecError) Unwrap() error { return e.err }

// toCodecError returns err as an unfinished codecError. A finished codecError is wrapped,
// because it comes from a codec that a user's method has used.
func toCodecError(err error) *codecError {
	if e, ok := err.(*codecError); ok && e.codec == "" {
		return e
	}
	return &codecError{err: err}
}

// finish returns the error for users.
func finish(codec string, err error) error {
	e := toCodecError(err)
	e.codec = codec
	return e
}

func inField(err error, name string) error {
	e := toCodecError(err)
	e.path = append(e.path, name)
	return e
}

// reason replaces the text of an error and wraps the error.
type reason struct {
	text string
	err  error
}

func (r *reason) Error() string { return r.text }
func (r *reason) Unwrap() error { return r.err }

// withoutPrefix removes the package name from the text of an error.
func withoutPrefix(err error, prefix string) error {
	return &reason{text: strings.TrimPrefix(err.Error(), prefix), err: err}
}

// printable makes foreign text fit for an error: it truncates the text and escapes
// unprintable characters.
func printable(s string) string {
	const limit = 40
	end := ""
	if len(s) > limit {
		s, end = s[:limit], "…"
	}
	q := strconv.Quote(s)
	return q[1:len(q)-1] + end
}

// guarded calls f with v, and converts a panic of a user's method or of the library to an
// error.
func guarded(f func(any) error, v any) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case error:
			err = fmt.Errorf("panicked: %w", r)
		default:
			err = fmt.Errorf("panicked: %v", r)
		}
	}()
	return f(v)
}

// errRange is the error for a number that does not fit. Like errKind it says nothing of Go,
// since it crosses the wire to callers in other languages.
func errRange(value string, t reflect.Type) error {
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		most := uint64(1)<<(t.Bits()-1) - 1
		return fmt.Errorf("%s is not from -%d to %d", value, most+1, most)
	case reflect.Float32, reflect.Float64:
		return fmt.Errorf("%s does not fit %d bits", value, t.Bits())
	default:
		return fmt.Errorf("%s is not from 0 to %d", value, uint64(1)<<(t.Bits()-1)*2-1)
	}
}

func errKind(got string, t reflect.Type) error {
	if want := expected(t); want != "" && want != got {
		return fmt.Errorf("%s, where %s was expected", got, want)
	}
	return errUnsupported(t)
}

// expected says what a message must hold for a type; "" if nothing will do.
func expected(t reflect.Type) string {
	switch p := reflect.PointerTo(t); {
	case t == reflect.TypeFor[time.Time]():
		return "a time"
	case t == reflect.TypeFor[json.Number]():
		return "a number"
	case t == reflect.TypeFor[[]byte]():
		return "bytes"
	case p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return "text"
	case t.Kind() == reflect.Pointer:
		return expected(t.Elem())
	}
	switch t.Kind() {
	case reflect.Bool:
		return "a bool"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.String:
		return "a string"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		return ""
	default:
		return "an integer"
	}
}

func errUnsupported(t reflect.Type) error {
	return fmt.Errorf("type %s has no encoding", t)
}

// checkTarget refuses a v that Unmarshal cannot decode into.
func checkTarget(v any) (reflect.Value, error) {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return rv, fmt.Errorf("cannot decode into %T: it must be a pointer that is not nil", v)
	}
	return rv.Elem(), nil
}

func errTrailing(n int) error {
	if n == 1 {
		return errors.New("1 byte after the value")
	}
	return fmt.Errorf("%d bytes after the value", n)
}
