package codec

import (
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
)

// maxPathParts is how many parts of a path an error shows: a message may be
// nested thousands of levels deep, and an error is for people to read.
const maxPathParts = 16

// errShort is what a body that ends too early decodes to.
var errShort = fmt.Errorf("the body ends in the middle of a value: %w", io.ErrUnexpectedEOF)

// errDeep keeps hostile bodies, and Go values that contain themselves, from
// overflowing the stack, which no recover would catch.
var errDeep = fmt.Errorf("nested deeper than %d levels", maxDepth)

// maxDepth is how deep arrays and objects may nest; it is the limit that
// encoding/json has for decoding.
const maxDepth = 10_000

// codecError is an error of a codec: which one, where in the message, what.
type codecError struct {
	codec string
	path  string // "" for the message itself
	err   error
}

func (e *codecError) Error() string {
	switch {
	case e.path == "":
		return fmt.Sprintf("codec: %s: %v", e.codec, e.err)
	case e.path[0] == '[':
		return fmt.Sprintf("codec: %s: element %s: %v", e.codec, e.path, e.err)
	default:
		return fmt.Sprintf("codec: %s: field \"%s\": %v", e.codec, e.path, e.err)
	}
}

func (e *codecError) Unwrap() error { return e.err }

// reason is an error with a text of ours for another's, which it still wraps.
type reason struct {
	text string
	err  error
}

func (r *reason) Error() string { return r.text }
func (r *reason) Unwrap() error { return r.err }

// pathError collects, from the inside out, where in a message err happened.
// It is made on the way back from an error only, so that the path costs
// nothing as long as all goes well.
type pathError struct {
	parts []string // the innermost first: "name", "[3]", "[key]"
	err   error
}

func (e *pathError) Error() string { return e.path() + ": " + e.err.Error() }

func (e *pathError) path() string {
	var b strings.Builder
	for i := len(e.parts) - 1; i >= 0; i-- {
		if skip := len(e.parts) - maxPathParts; skip > 0 && i == len(e.parts)-1-maxPathParts/2 {
			b.WriteString("…")
			i -= skip
		}
		part := e.parts[i]
		if b.Len() > 0 && part[0] != '[' {
			b.WriteByte('.')
		}
		b.WriteString(part)
	}
	return b.String()
}

func inPart(err error, part string) error {
	if e, ok := err.(*pathError); ok {
		e.parts = append(e.parts, part)
		return e
	}
	return &pathError{parts: []string{part}, err: err}
}

func inField(err error, name string) error { return inPart(err, name) }
func inIndex(err error, i int) error       { return inPart(err, "["+strconv.Itoa(i)+"]") }
func inKey(err error, key string) error    { return inPart(err, "["+printable(key)+"]") }

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

func quoteShort(s string) string { return `"` + printable(s) + `"` }

// finish turns what a codec's inner functions return into what users see.
func finish(codec string, err error) error {
	e := &codecError{codec: codec, err: err}
	if p, ok := err.(*pathError); ok {
		e.path, e.err = p.path(), p.err
	}
	return e
}

// withoutPrefix is err in words without the name of the package that it is
// from.
func withoutPrefix(err error, prefix string) error {
	if text, ok := strings.CutPrefix(err.Error(), prefix); ok {
		return &reason{text: text, err: err}
	}
	return err
}

// recovered makes an error of a panic of a user's method, or of the library
// below. It is to be deferred.
func recovered(err *error) {
	switch r := recover().(type) {
	case nil:
	case error:
		*err = fmt.Errorf("panicked: %w", r)
	default:
		*err = fmt.Errorf("panicked: %v", r)
	}
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
