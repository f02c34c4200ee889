package amqptest

import (
	"reflect"
	"slices"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// headersTable compares messages' headers with bindings' arguments.
type headersTable map[*binding]struct{}

func (t headersTable) add(bd *binding)    { t[bd] = struct{}{} }
func (t headersTable) remove(bd *binding) { delete(t, bd) }

func (t headersTable) match(r *router, _ []byte, headers frame.Table) bool {
	found := false
	for bd := range t {
		if bd.match.matches(headers) {
			r.follow(bd)
			found = true
		}
	}
	return found
}

// headersMatch is what a binding wants of a message's headers.
type headersMatch struct {
	any   bool // one is enough
	typed bool // as since 4.0
	want  frame.Table
}

// newHeadersMatch reads a binding's arguments. Those whose names begin with x-
// count only if x-match says so.
func newHeadersMatch(args frame.Table, typed bool) *headersMatch {
	kind := "all"
	if v, ok := args.Lookup("x-match"); ok {
		kind, _ = v.(string)
	}
	m := &headersMatch{any: strings.HasPrefix(kind, "any"), typed: typed}
	withX := strings.HasSuffix(kind, "-with-x")
	for _, f := range args {
		if f.Key == "x-match" || !withX && strings.HasPrefix(f.Key, "x-") {
			continue
		}
		m.want = append(m.want, f)
	}
	return m
}

func (m *headersMatch) matches(headers frame.Table) bool {
	for _, f := range m.want {
		v, ok := headers.Lookup(f.Key)
		// A pattern without a value wants the header, whatever it is.
		ok = ok && (f.Value == nil || m.sameHeader(f.Value, v))
		if ok == m.any {
			return m.any
		}
	}
	return !m.any
}

// checkHeadersBinding refuses arguments that are no pattern.
func checkHeadersBinding(args frame.Table) *exception {
	v, ok := args.Lookup("x-match")
	if !ok {
		return nil
	}
	s, isString := v.(string)
	if !isString {
		return fail(preconditionFailed, "Invalid x-match field type %s (value %s); expected longstr",
			typeName(v), term(v))
	}
	switch s {
	case "all", "any", "all-with-x", "any-with-x":
		return nil
	}
	return fail(preconditionFailed, "Invalid x-match field value %s; "+
		"expected all, any, all-with-x, or any-with-x", binaryTerm([]byte(s)))
}

// sameTerm compares values as Erlang terms, whatever their types: integers of any width,
// bytes in strings and bytes.
func sameTerm(a, b any) bool {
	if x, ok := integer(a); ok {
		y, ok := integer(b)
		return ok && x == y
	}
	if x, ok := float(a); ok {
		y, ok := float(b)
		return ok && x == y
	}
	if x, ok := octets(a); ok {
		y, ok := octets(b)
		return ok && x == y
	}
	return reflect.DeepEqual(a, b)
}

// sameHeader compares a header with a binding's: numbers by value. Since 4.0 a float is no
// integer, and a timestamp in a message counts in milliseconds, but not one in a binding.
func (m *headersMatch) sameHeader(bound, header any) bool {
	if m.typed {
		if t, ok := header.(frame.Timestamp); ok {
			header = int64(t) * 1000
		}
		return sameTerm(bound, header)
	}
	if x, ok := number(bound); ok {
		y, ok := number(header)
		return ok && x == y
	}
	return sameTerm(bound, header)
}

func octets(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	}
	return "", false
}

// number is an integer or a float as a float.
func number(v any) (float64, bool) {
	if n, ok := integer(v); ok {
		return float64(n), true
	}
	return float(v)
}

func float(v any) (float64, bool) {
	switch v := v.(type) {
	case float32:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// integer is the value of any type of integer that a table can have.
func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int8:
		return int64(v), true
	case uint8:
		return int64(v), true
	case int16:
		return int64(v), true
	case uint16:
		return int64(v), true
	case int32:
		return int64(v), true
	case uint32:
		return int64(v), true
	case int64:
		return v, true
	case frame.Timestamp:
		return int64(v), true
	}
	return 0, false
}

func sortTable(t frame.Table) {
	slices.SortStableFunc(t, func(a, b frame.Field) int { return strings.Compare(a.Key, b.Key) })
}
