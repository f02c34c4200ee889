package codec

import (
	"encoding/json"
	"reflect"
)

var jsonMarshalerType = reflect.TypeFor[json.Marshaler]()

// has reports whether a value of type t, or a pointer to one, has the method.
func has(t, method reflect.Type) bool {
	return t.Implements(method) || reflect.PointerTo(t).Implements(method)
}

// withAddress returns v or, if it is no pointer, a pointer to a copy, so that
// methods with a pointer receiver are called on v and on the fields in it: a
// big.Int given by value would otherwise be encoded as an empty object.
func withAddress(v any) any {
	switch v.(type) {
	case nil, bool, string, []byte, int, int32, int64, uint32, uint64, float64:
		return v
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer {
		return v
	}
	p := reflect.New(rv.Type())
	p.Elem().Set(rv)
	return p.Interface()
}
