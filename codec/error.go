package codec

import (
	"cmp"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxDepth limits the nesting of arrays and objects. encoding/json decodes no deeper.
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

// guarded calls f with v, and converts a panic, of a user's method or of the library, to an error.
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

// errRange is the error for a number that does not fit. Like errKind, it has no Go words,
// because callers in other languages read it.
func errRange(value string, t reflect.Type) error {
	most := uint64(math.MaxUint64) >> (64 - t.Bits())
	switch zero := reflect.Zero(t); {
	case zero.CanFloat():
		return fmt.Errorf("%s does not fit %d bits", value, t.Bits())
	case zero.CanInt():
		return fmt.Errorf("%s is not from -%d to %d", value, most/2+1, most/2)
	default:
		return fmt.Errorf("%s is not from 0 to %d", value, most)
	}
}

// errKind is the error for a kind of value that the type does not take. Without a type, it is
// the error for the key of a struct's object.
func errKind(got string, t reflect.Type) error {
	if t == nil {
		return fmt.Errorf("%s is not the name of a field", got)
	}
	if want := expected(t); want != "" && want != got {
		return fmt.Errorf("%s, where %s was expected", got, want)
	}
	return fmt.Errorf("type %s has no encoding", t)
}

// wanted says what a message must hold for a Go type, or for the other types of its kind.
var wanted = map[any]string{
	reflect.TypeFor[time.Time](): "a time", reflect.TypeFor[[]byte](): "bytes", reflect.TypeFor[json.Number](): "a number",
	reflect.Bool: "a bool", reflect.String: "a string", reflect.Float32: "a number", reflect.Float64: "a number",
	reflect.Slice: "an array", reflect.Array: "an array", reflect.Map: "an object", reflect.Struct: "an object",
}

// expected says what a message must hold for a type; "" if nothing will do.
func expected(t reflect.Type) string {
	switch kind := t.Kind(); {
	case wanted[t] != "":
		return wanted[t]
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return "text"
	case kind == reflect.Pointer:
		return expected(t.Elem())
	case reflect.Int <= kind && kind <= reflect.Uintptr:
		return "an integer"
	default:
		return wanted[kind]
	}
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
