package schema

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// field is a member of a JSON object.
type field struct {
	name     string
	depth    int  // how many embedded structs are around it
	tagged   bool // the name is from a tag
	optional bool // it is not always written
	quoted   bool // it has the option string
	reflect.StructField
}

// fieldsOf returns the fields that encoding/json writes for the struct t, in their order.
func fieldsOf(t reflect.Type) []field {
	var all []field
	collect(&all, t, nil, false)
	return slices.DeleteFunc(slices.Clone(all), func(f field) bool { return !f.dominates(all) })
}

// dominates reports whether f is the field of its name: the least embedded one, and among
// these the only one, or the only one with a tag.
func (f field) dominates(all []field) bool {
	equals := 0
	for _, o := range all {
		if o.name != f.name {
			continue
		}
		if o.depth < f.depth || o.depth == f.depth && o.tagged && !f.tagged {
			return false
		}
		if o.depth == f.depth && o.tagged == f.tagged {
			equals++
		}
	}
	return equals == 1
}

// collect appends the fields of t and of the structs that are embedded in it. outer are the
// structs around it.
func collect(all *[]field, t reflect.Type, outer []reflect.Type, optional bool) {
	if slices.Contains(outer, t) {
		return // its fields are hidden by those of the outer one
	}
	for i := range t.NumField() {
		f := t.Field(i)
		elem := f.Type
		if elem.Kind() == reflect.Pointer && elem.Name() == "" {
			elem = elem.Elem()
		}
		tag := f.Tag.Get("json")
		embedsStruct := f.Anonymous && elem.Kind() == reflect.Struct
		if tag == "-" || !f.IsExported() && !embedsStruct {
			continue
		}
		name, rest, _ := strings.Cut(tag, ",")
		if !validName(name) {
			name = ""
		}
		if name == "" && embedsStruct {
			collect(all, elem, append(slices.Clone(outer), t), optional || f.Type.Kind() == reflect.Pointer)
			continue
		}
		options := strings.Split(rest, ",")
		*all = append(*all, field{
			name:        cmp.Or(name, f.Name),
			depth:       len(outer),
			tagged:      name != "",
			optional:    optional || slices.Contains(options, "omitempty") || slices.Contains(options, "omitzero"),
			quoted:      slices.Contains(options, "string"),
			StructField: f,
		})
	}
}

// validName reports whether encoding/json takes a name from a tag.
func validName(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool {
		return !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}
