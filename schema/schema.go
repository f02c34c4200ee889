package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"
)

// Of returns the JSON Schema (draft 2020-12) of what codec.JSON writes and reads for type t.
// The same type always has the same schema. A schema refers only to itself, and has no $id.
//
// If t contains a type that JSON cannot encode, such as a channel, the error names the path to
// it. A panic in a method of a type is an error, too. Of is safe for concurrent use.
func Of(t reflect.Type) (_ json.RawMessage, err error) {
	if t == nil {
		return nil, errors.New("schema: there is no type")
	}
	b := &builder{refs: make(map[reflect.Type]string), defs: make(jsonschema.Definitions), path: []string{t.String()}}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("schema: %s: panic: %v", strings.Join(b.path, ""), p)
		}
	}()
	root := b.root(t)
	if b.err != nil {
		return nil, b.err
	}
	root.Version = jsonschema.Version
	if len(b.defs) > 0 {
		root.Definitions = b.defs
	}
	return json.Marshal(root)
}

// builder makes the schema of one type and of all types in it.
type builder struct {
	refs map[reflect.Type]string // the reference of each defined type
	defs jsonschema.Definitions
	path []string // to the present type, for errors
	err  error    // the first
}

// root returns the schema of t itself, without a reference to it.
func (b *builder) root(t reflect.Type) *jsonschema.Schema {
	if !defined(t) {
		return b.schema(t)
	}
	b.refs[t] = "#"
	return orNull(b.body(t))
}

// schema returns the schema of a value of type t, which may be null if t has a nil.
func (b *builder) schema(t reflect.Type) *jsonschema.Schema { return orNull(b.value(t)) }

// value returns the schema of values of type t that are not nil, and whether null is allowed.
func (b *builder) value(t reflect.Type) (_ *jsonschema.Schema, null bool) {
	for seen := map[reflect.Type]bool{}; t.Kind() == reflect.Pointer; t = t.Elem() {
		if seen[t] { // type P *P
			return &jsonschema.Schema{Type: "null"}, false
		}
		seen[t], null = true, true
	}
	if !defined(t) {
		s, nullable := b.body(t)
		return s, null || nullable
	}
	return &jsonschema.Schema{Ref: b.define(t)}, null
}

// define returns the reference of t.
func (b *builder) define(t reflect.Type) string {
	if ref, ok := b.refs[t]; ok {
		return ref
	}
	name := b.name(t)
	b.refs[t] = "#/$defs/" + name
	b.defs[name] = nil // takes the name
	s := orNull(b.body(t))
	if hooked(t) {
		s = rebased(s, b.refs[t])
	}
	b.defs[name] = s
	return b.refs[t]
}

// within returns f's result for a part of the present type.
func (b *builder) within(part string, f func()) {
	b.path = append(b.path, part)
	f()
	b.path = b.path[:len(b.path)-1]
}

// fail records that JSON cannot encode t.
func (b *builder) fail(t reflect.Type) *jsonschema.Schema {
	if b.err == nil {
		b.err = fmt.Errorf("schema: %s: JSON cannot encode the type %s", strings.Join(b.path, ""), t)
	}
	return new(jsonschema.Schema)
}

// orNull returns the schema that s and, if null is true, also null are valid for.
func orNull(s *jsonschema.Schema, null bool) *jsonschema.Schema {
	if !null || anything(s) {
		return s
	}
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{s, {Type: "null"}}}
}

func anything(s *jsonschema.Schema) bool { return reflect.DeepEqual(s, new(jsonschema.Schema)) }
