package schema

import (
	"reflect"
	"strconv"

	"github.com/invopop/jsonschema"
)

// object returns the schema of a struct. Here are its fields and their types. The library adds
// what the tags of the fields say.
func (b *builder) object(t reflect.Type) *jsonschema.Schema {
	fields := fieldsOf(t)
	values := make([]*jsonschema.Schema, len(fields))
	nulls := make([]bool, len(fields))
	for i, f := range fields {
		b.within("."+f.Name, func() { values[i], nulls[i] = b.field(f) })
	}
	notes := make([]string, len(fields)) // tags overwrite the description of a type
	for i, v := range values {
		notes[i] = v.Description
	}
	s := tagged(fields, values)
	for i, f := range fields {
		p, found := s.Properties.Get(f.name)
		if !found { // the tag jsonschema:"-"
			continue
		}
		if p != values[i] { // the tag jsonschema:"nullable"
			p, nulls[i] = values[i], true
		}
		if p.Description == "" {
			p.Description = notes[i]
		}
		s.Properties.Set(f.name, annotated(p, nulls[i]))
	}
	if s.Properties.Len() == 0 {
		s.Properties = nil
	}
	s.AdditionalProperties = new(jsonschema.Schema) // the codec ignores unknown fields
	return s
}

// field returns the schema of a field without what its tag says about the schema.
func (b *builder) field(f field) (s *jsonschema.Schema, null bool) {
	if f.quoted {
		s, null = quoted(f.Type)
	}
	if s == nil {
		s, null = b.value(f.Type)
	}
	if s.Ref != "" && !null && schemaTags(f) != "" { // old drafts ignore what is beside a reference
		s = &jsonschema.Schema{AllOf: []*jsonschema.Schema{s}}
	}
	return s, null
}

// schemaTags returns the tags of f that the library reads.
func schemaTags(f field) (tags string) {
	for _, key := range []string{"jsonschema", "jsonschema_description", "jsonschema_extras"} {
		if value, ok := f.Tag.Lookup(key); ok {
			tags += key + ":" + strconv.Quote(value) + " "
		}
	}
	return tags
}

// placeholder stands for the type of a field: an array of it, as long as the field's index.
type placeholder struct{}

// tagged returns the schema of an object with the given fields, whose properties are values.
func tagged(fields []field, values []*jsonschema.Schema) *jsonschema.Schema {
	stand := make([]reflect.StructField, len(fields))
	names := make(map[string]string, len(fields))
	for i, f := range fields {
		stand[i] = reflect.StructField{
			Name: "F" + strconv.Itoa(i),
			Type: reflect.ArrayOf(i, reflect.TypeFor[placeholder]()),
			Tag:  reflect.StructTag(schemaTags(f)),
		}
		if f.optional {
			stand[i].Tag += `json:",omitempty"`
		}
		names[stand[i].Name] = f.name
	}
	library := jsonschema.Reflector{
		Anonymous:                 true,
		AllowAdditionalProperties: true,
		KeyNamer:                  func(name string) string { return names[name] },
		Mapper: func(t reflect.Type) *jsonschema.Schema {
			if t.Kind() != reflect.Array {
				return nil
			}
			return values[t.Len()]
		},
	}
	s := library.ReflectFromType(reflect.StructOf(stand))
	s.Version, s.Definitions = "", nil
	return s
}

// annotated returns property p, which may be null if null is true. What is for people stays
// outside.
func annotated(p *jsonschema.Schema, null bool) *jsonschema.Schema {
	if !null {
		return p
	}
	inner := *p
	inner.Title, inner.Description, inner.Default, inner.Examples, inner.Deprecated = "", "", nil, nil, false
	if anything(&inner) {
		return p
	}
	return &jsonschema.Schema{
		Title: p.Title, Description: p.Description, Default: p.Default, Examples: p.Examples, Deprecated: p.Deprecated,
		AnyOf: []*jsonschema.Schema{&inner, {Type: "null"}},
	}
}
