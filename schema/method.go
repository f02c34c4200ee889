package schema

import (
	"encoding"
	"encoding/json"
	"reflect"

	"github.com/invopop/jsonschema"
)

var (
	jsonMarshaler   = reflect.TypeFor[json.Marshaler]()
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// methods says what is known of the JSON of a type by its methods.
type methods int

const (
	noMethods      methods = iota // the kind says it
	textMethods                   // a string
	unknownMethods                // anything
)

// methodsOf returns which methods encoding/json calls for an addressable value of t. A type
// that is read by UnmarshalText and written by its kind may be anything.
func methodsOf(t reflect.Type) methods {
	p := reflect.PointerTo(t)
	switch {
	case t.Kind() == reflect.Interface, t.Kind() == reflect.Pointer:
		return noMethods
	case p.Implements(jsonMarshaler), p.Implements(jsonUnmarshaler):
		return unknownMethods
	case p.Implements(textMarshaler):
		return textMethods
	case p.Implements(textUnmarshaler):
		return unknownMethods
	}
	return noMethods
}

// needsAddress reports whether encoding/json writes a value of t differently if it has no
// address, because a method has a pointer receiver.
func needsAddress(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	for _, m := range []reflect.Type{jsonMarshaler, textMarshaler} {
		if t.Kind() != reflect.Interface && p.Implements(m) {
			return !t.Implements(m)
		}
	}
	switch t.Kind() {
	case reflect.Array:
		return needsAddress(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if needsAddress(t.Field(i).Type) {
				return true
			}
		}
	}
	return false
}

// isBytes reports whether t is a slice of bytes, which is written as base64.
func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 &&
		!reflect.PointerTo(t.Elem()).Implements(jsonMarshaler) && !reflect.PointerTo(t.Elem()).Implements(textMarshaler)
}

// The methods by which a type says more about its schema than Go does.
type (
	describer interface{ JSONSchema() *jsonschema.Schema }
	extender  interface{ JSONSchemaExtend(*jsonschema.Schema) }
)

func hooked(t reflect.Type) bool {
	return t.Kind() != reflect.Interface && t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(reflect.TypeFor[describer]())
}

// hook returns the schema that t gives itself, or nil.
func hook(t reflect.Type) *jsonschema.Schema {
	if !hooked(t) {
		return nil
	}
	s := new(jsonschema.Schema)
	if own := reflect.New(t).Interface().(describer).JSONSchema(); own != nil {
		*s = *own
	}
	s.Version, s.ID = "", ""
	return s
}

// extend lets t change its schema.
func extend(t reflect.Type, s *jsonschema.Schema) {
	if t.Kind() == reflect.Interface || t.Kind() == reflect.Pointer {
		return
	}
	if e, ok := reflect.New(t).Interface().(extender); ok {
		e.JSONSchemaExtend(s)
	}
}
