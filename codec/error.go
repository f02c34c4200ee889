package codec

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// maxDepth limits the nesting of arrays and objects. encoding/json has the same limit for
// decoding.
const maxDepth = 10_000

var (
	errShort = fmt.Errorf("the body ends in the middle of a value: %w", io.ErrUnexpectedEOF)

	// errDeep prevents a stack overflow by hostile bodies or cyclic Go values. Go cannot
	// recover from a stack overflow.
	errDeep = fmt.Errorf("nested deeper than %d levels", maxDepth)

	// errNotFinite keeps the codecs alike, because JSON cannot write these values.
	errNotFinite = errors.New("NaN and infinities have no encoding")

	errReserved = errors.New("code 0xc1 means nothing")
	errSeveral  = errors.New("EncodeMsgpack must write one value beside maps whose keys are to be sorted")
)

// codecError is an error with its codec, its path in the message and its cause. The path is
// built only while an error returns, so a success pays nothing for it.
type codecError struct {
	codec string
	path  []string // the innermost part first: "name", "[3]", "[key]"
	text  string   // empty for the text of the cause
	err   error
}

func (e *codecError) Error() string {
	const shown = 16 // a hostile message may have thousands of parts
	path := slices.Clone(e.path)
	slices.Reverse(path)
	if extra := len(path) - shown; extra > 0 {
		path = slices.Replace(path, shown/2, shown/2+extra, "[…]")
	}
	where := strings.ReplaceAll(strings.Join(path, "."), ".[", "[")
	switch {
	case where == "":
	case where[0] == '[':
		where = "element " + where + ": "
	default:
		where = `field "` + where + `": `
	}
	// The package that the codec uses has the codec's name, and begins its errors with it.
	text := cmp.Or(e.text, strings.TrimPrefix(e.err.Error(), e.codec+": "))
	return "codec: " + e.codec + ": " + where + text
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

// finish returns the error for users, or nil for nil.
func finish(codec string, err error) error {
	if err == nil {
		return nil
	}
	e := toCodecError(err)
	e.codec = codec
	return e
}

func inField(err error, name string) error {
	e := toCodecError(err)
	e.path = append(e.path, name)
	return e
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

func errRange(value string, t reflect.Type) error {
	return fmt.Errorf("%s does not fit %s", value, t)
}

// errKind is the error for a kind of value that the type does not take. Without a type, it is
// the error for the key of a struct's object.
func errKind(kind string, t reflect.Type) error {
	if t == nil {
		return fmt.Errorf("%s is not the name of a field", kind)
	}
	return fmt.Errorf("cannot decode %s into %s", kind, t)
}

// checkTarget refuses a v that Unmarshal cannot decode into.
func checkTarget(v any) (reflect.Value, error) {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return rv, fmt.Errorf("cannot decode into %T: it must be a pointer that is not nil", v)
	}
	return rv.Elem(), nil
}

func errUnknown(field string) error {
	return fmt.Errorf(`unknown field "%s"`, printable(field))
}

func errTrailing(n int) error {
	return fmt.Errorf("%d bytes after the value", n)
}
