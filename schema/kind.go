package schema

import (
	"encoding/json"
	"math/big"
	"reflect"
	"strconv"
	"time"

	"github.com/invopop/jsonschema"
)

const (
	wholePattern    = `^-?(0|[1-9][0-9]*)$`
	unsignedPattern = `^(0|[1-9][0-9]*)$`
	numberPattern   = `^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`
	stringPattern   = `^"([^"\\\x00-\x1f]|\\(["\\/bfnrt]|u[0-9a-fA-F]{4}))*"$`
	base64Pattern   = `^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$`
)

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	numberType   = reflect.TypeFor[json.Number]()
	bigType      = reflect.TypeFor[big.Int]()
)

// defined reports whether t gets a definition of its own, to which others refer.
func defined(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct, reflect.Slice, reflect.Map, reflect.Array:
		return hooked(t) || t.Name() != "" && t != timeType && t != bigType && methodsOf(t) == noMethods && !isBytes(t)
	}
	return hooked(t)
}

// body returns the schema of the values of t that are not nil, and whether null is allowed.
func (b *builder) body(t reflect.Type) (s *jsonschema.Schema, null bool) {
	if s := hook(t); s != nil {
		return s, false
	}
	defer func() { extend(t, s) }()
	switch t {
	case timeType:
		return &jsonschema.Schema{Type: "string", Format: "date-time"}, false
	case durationType:
		s := integer(t)
		s.Description = "nanoseconds"
		return s, false
	case numberType:
		return &jsonschema.Schema{Type: "number"}, false
	case bigType:
		return &jsonschema.Schema{Type: "integer"}, false
	}
	switch methodsOf(t) {
	case textMethods:
		return &jsonschema.Schema{Type: "string"}, false
	case unknownMethods:
		return new(jsonschema.Schema), false
	}
	return b.kind(t)
}

// kind returns the schema of a type whose values encoding/json writes by their kind.
func (b *builder) kind(t reflect.Type) (s *jsonschema.Schema, null bool) {
	switch t.Kind() {
	case reflect.Bool:
		return &jsonschema.Schema{Type: "boolean"}, false
	case reflect.String:
		return &jsonschema.Schema{Type: "string"}, false
	case reflect.Float64:
		return &jsonschema.Schema{Type: "number"}, false
	case reflect.Float32:
		return &jsonschema.Schema{Type: "number", Minimum: "-3.4028235e38", Maximum: "3.4028235e38"}, false
	case reflect.Interface:
		return new(jsonschema.Schema), false
	case reflect.Struct:
		return b.object(t), false
	case reflect.Slice:
		if isBytes(t) {
			return &jsonschema.Schema{Type: "string", ContentEncoding: "base64", Pattern: base64Pattern}, true
		}
		return b.array(t), true
	case reflect.Array:
		s, n := b.array(t), uint64(t.Len())
		s.MinItems, s.MaxItems = &n, &n
		return s, false
	case reflect.Map:
		return b.dictionary(t), true
	}
	if t.ConvertibleTo(reflect.TypeFor[int]()) {
		return integer(t), false
	}
	return b.fail(t), false
}

func (b *builder) array(t reflect.Type) (s *jsonschema.Schema) {
	b.within("[]", func() { s = &jsonschema.Schema{Type: "array", Items: b.schema(t.Elem())} })
	return s
}

// dictionary returns the schema of a map.
func (b *builder) dictionary(t reflect.Type) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object"}
	switch key := t.Key(); {
	case key.Kind() == reflect.String || key.Implements(textMarshaler):
	case isSigned(key):
		s.PropertyNames = &jsonschema.Schema{Pattern: wholePattern}
	case isUnsigned(key):
		s.PropertyNames = &jsonschema.Schema{Pattern: unsignedPattern}
	default:
		return b.fail(t)
	}
	b.within("[]", func() {
		s.AdditionalProperties = b.schema(t.Elem())
		if needsAddress(t.Elem()) { // a value in a map has none
			s.AdditionalProperties = new(jsonschema.Schema)
		}
	})
	return s
}

func isSigned(t reflect.Type) bool   { return t.Kind() >= reflect.Int && t.Kind() <= reflect.Int64 }
func isUnsigned(t reflect.Type) bool { return t.Kind() >= reflect.Uint && t.Kind() <= reflect.Uintptr }

// integer returns the schema of an integer with the limits of t.
func integer(t reflect.Type) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "integer", Minimum: "0", Maximum: json.Number(strconv.FormatUint(1<<t.Bits()-1, 10))}
	if isSigned(t) {
		s.Minimum = json.Number(strconv.FormatInt(-1<<(t.Bits()-1), 10))
		s.Maximum = json.Number(strconv.FormatInt(1<<(t.Bits()-1)-1, 10))
	}
	return s
}

// quoted returns the schema of a field with the tag option string, or nil if the option has no
// effect on type t.
func quoted(t reflect.Type) (s *jsonschema.Schema, null bool) {
	if t.Kind() == reflect.Pointer && t.Name() == "" {
		t, null = t.Elem(), true
	}
	if hooked(t) || methodsOf(t) != noMethods {
		return nil, false
	}
	s = &jsonschema.Schema{Type: "string"}
	switch k := t.Kind(); {
	case k == reflect.Bool:
		s.Enum = []any{"true", "false"}
	case isSigned(t):
		s.Pattern = wholePattern
	case isUnsigned(t):
		s.Pattern = unsignedPattern
	case k == reflect.Float32, k == reflect.Float64, t == numberType:
		s.Pattern = numberPattern
	case k == reflect.String:
		s.Pattern = stringPattern
	default:
		return nil, false
	}
	return s, null
}
