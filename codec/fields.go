package codec

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// structField is a field of a Go struct, or of a struct embedded in it, that
// has a place in the encoded object.
type structField struct {
	name      string // in the object
	index     []int  // as reflect.Value.FieldByIndex takes it
	typ       reflect.Type
	tagged    bool // the name is from the tag
	hidden    bool // the Go field is an unexported embedded struct with a name of its own
	omitEmpty bool
	omitZero  bool
	quoted    bool // the option ",string"
}

// structFields lists the fields that encoding/json sees in the struct type t,
// in its order. Of the fields with one name it takes the least nested; among
// those the one that is tagged; and if that leaves two, none.
func structFields(t reflect.Type) []structField {
	byName := make(map[string][]structField)
	for _, f := range allFields(t) {
		byName[f.name] = append(byName[f.name], f)
	}
	var fields []structField
	for _, same := range byName {
		if f, ok := dominant(same); ok {
			fields = append(fields, f)
		}
	}
	slices.SortFunc(fields, func(a, b structField) int { return slices.Compare(a.index, b.index) })
	return fields
}

func dominant(same []structField) (structField, bool) {
	// Less nested first, and there tagged first.
	slices.SortStableFunc(same, func(a, b structField) int {
		return cmp.Or(cmp.Compare(len(a.index), len(b.index)), -compareBool(a.tagged, b.tagged))
	})
	if len(same) > 1 && len(same[0].index) == len(same[1].index) && same[0].tagged == same[1].tagged {
		return structField{}, false
	}
	return same[0], true
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}

// embedded is a struct on the way of allFields: the type and how to get there.
type embedded struct {
	typ   reflect.Type
	index []int
}

// allFields lists the fields of t and of the structs embedded in it, level by
// level, before any of them hides another.
func allFields(t reflect.Type) []structField {
	var (
		fields  []structField
		level   = []embedded{{typ: t}}
		visited = make(map[reflect.Type]bool)
	)
	for len(level) > 0 {
		var next []embedded
		times := make(map[reflect.Type]int)
		for _, s := range level {
			times[s.typ]++
		}
		for _, s := range level {
			if visited[s.typ] {
				continue
			}
			visited[s.typ] = true
			own, inner := fieldsOf(s)
			next = append(next, inner...)
			fields = append(fields, own...)
			if times[s.typ] > 1 {
				// Embedded twice at one level, the fields hide each other.
				fields = append(fields, own...)
			}
		}
		level = next
	}
	return fields
}

// fieldsOf lists the fields of one struct, and the structs embedded in it.
func fieldsOf(s embedded) (own []structField, inner []embedded) {
	for i := range s.typ.NumField() {
		sf := s.typ.Field(i)
		ft := sf.Type
		if ft.Kind() == reflect.Pointer && ft.Name() == "" {
			ft = ft.Elem()
		}
		if !sf.IsExported() && !(sf.Anonymous && ft.Kind() == reflect.Struct) {
			continue
		}
		tag := sf.Tag.Get("json")
		if tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if !validName(name) {
			name = ""
		}
		index := append(slices.Clone(s.index), i)
		if sf.Anonymous && name == "" && ft.Kind() == reflect.Struct {
			inner = append(inner, embedded{typ: ft, index: index})
			continue
		}
		f := structField{
			name: cmp.Or(name, sf.Name), index: index, typ: sf.Type,
			tagged: name != "", hidden: !sf.IsExported(),
		}
		for option := range strings.SplitSeq(options, ",") {
			switch option {
			case "omitempty":
				f.omitEmpty = true
			case "omitzero":
				f.omitZero = true
			case "string":
				f.quoted = isScalar(ft.Kind())
			}
		}
		own = append(own, f)
	}
	return own, inner
}

// isScalar reports whether the option ",string" means something for the kind.
func isScalar(k reflect.Kind) bool {
	return k >= reflect.Bool && k <= reflect.Float64 || k == reflect.String
}

// validName reports whether encoding/json takes s from a tag for a name.
func validName(s string) bool {
	for _, c := range s {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", c) && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return false
		}
	}
	return s != ""
}

// foldName appends s in a form that is the same for all names that differ in
// case alone, by Unicode's simple folding.
func foldName(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if 'a' <= c && c <= 'z' {
				c -= 'a' - 'A'
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, n := utf8.DecodeRune(s[i:])
		dst = utf8.AppendRune(dst, smallestFold(r))
		i += n
	}
	return dst
}

// smallestFold goes once round the runes that r folds to.
func smallestFold(r rune) rune {
	smallest := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		smallest = min(smallest, next)
	}
	return smallest
}

// zeroChecker returns what the option "omitzero" asks of a field of type t:
// its method IsZero if it has one, else whether it is the zero value.
func zeroChecker(t reflect.Type) func(reflect.Value) bool {
	type zeroer interface{ IsZero() bool }
	iface := reflect.TypeFor[zeroer]()
	switch {
	case t.Implements(iface) && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface):
		return func(v reflect.Value) bool {
			if v.IsNil() || v.Kind() == reflect.Interface && v.Elem().Kind() == reflect.Pointer && v.Elem().IsNil() {
				return true
			}
			return v.Interface().(zeroer).IsZero()
		}
	case has(t, iface):
		return func(v reflect.Value) bool {
			return addressOf(v).(zeroer).IsZero()
		}
	default:
		return reflect.Value.IsZero
	}
}

// isEmpty is what the option "omitempty" asks of a field.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return isScalar(v.Kind()) && v.IsZero() ||
		(v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer) && v.IsNil()
}
