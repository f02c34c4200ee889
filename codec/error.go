package codec

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// maxPathParts is how many parts of a path an error shows. A message may have
// thousands, and an error is for people to read.
const maxPathParts = 16

// errShort is what a body that ends too early decodes to.
var errShort = fmt.Errorf("the body ends in the middle of a value: %w", io.ErrUnexpectedEOF)

// errDeep keeps hostile bodies, and Go values that contain themselves, from
// overflowing the stack, which no recover would catch.
var errDeep = fmt.Errorf("nested deeper than %d levels", maxDepth)

// maxDepth is how deep arrays and objects may nest; it is the limit that
// encoding/json has for decoding.
const maxDepth = 10_000

// codecError is an error of a codec: which one, where in the message, what. It
// is made on the way back from an error only, so that the path costs nothing as
// long as all goes well.
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

// toCodecError returns err as one of ours that is not finished: a finished one
// is from a codec that a user's method has used.
func toCodecError(err error) *codecError {
	if e, ok := err.(*codecError); ok && e.codec == "" {
		return e
	}
	return &codecError{err: err}
}

// finish makes the error that users see.
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

// reason is an error with a text of ours for another's, which it still wraps.
type reason struct {
	text string
	err  error
}

func (r *reason) Error() string { return r.text }
func (r *reason) Unwrap() error { return r.err }

// withoutPrefix leaves out of an error the name of the package that it is from.
func withoutPrefix(err error, prefix string) error {
	return &reason{text: strings.TrimPrefix(err.Error(), prefix), err: err}
}

// printable is what came from outside, fit for an error: cut to a readable
// length, and nothing in it that a terminal or a log would not show.
func printable(s string) string {
	const limit = 40
	end := ""
	if len(s) > limit {
		s, end = s[:limit], "…"
	}
	q := strconv.Quote(s)
	return q[1:len(q)-1] + end
}

// guarded calls f with v, and makes an error of a panic of a user's method or
// of the library.
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

func errKind(kind string, t reflect.Type) error {
	return fmt.Errorf("cannot decode %s into %s", kind, t)
}

func errUnsupported(t reflect.Type) error {
	return fmt.Errorf("type %s has no encoding", t)
}

// checkTarget refuses what nothing can be decoded into.
func checkTarget(v any) (reflect.Value, error) {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return rv, fmt.Errorf("cannot decode into %T: it must be a pointer that is not nil", v)
	}
	return rv.Elem(), nil
}

func errTrailing(n int) error {
	return fmt.Errorf("%d bytes after the value", n)
}
