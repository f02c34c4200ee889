package codec

import (
	"encoding"
	"encoding/json"
	"reflect"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

var (
	timeType            = reflect.TypeFor[time.Time]()
	numberType          = reflect.TypeFor[json.Number]()
	jsonMarshalerType   = reflect.TypeFor[json.Marshaler]()
	jsonUnmarshalerType = reflect.TypeFor[json.Unmarshaler]()
	textMarshalerType   = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
	customEncoderType   = reflect.TypeFor[msgpack.CustomEncoder]()
	customDecoderType   = reflect.TypeFor[msgpack.CustomDecoder]()
	msgpackMarshaler    = reflect.TypeFor[msgpack.Marshaler]()
	msgpackUnmarshaler  = reflect.TypeFor[msgpack.Unmarshaler]()
)

// has reports whether a value of type t, or a pointer to one, implements iface.
func has(t, iface reflect.Type) bool {
	return t.Implements(iface) || reflect.PointerTo(t).Implements(iface)
}

// addressOf returns a pointer to what v holds, or, where v has no address, to
// a copy: with it, methods of value and of pointer receivers can be called.
func addressOf(v reflect.Value) any {
	return addressable(v).Addr().Interface()
}

func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v
	}
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	return c
}

// withAddress returns v, or a pointer to a copy of it if encoding/json would
// otherwise pass over methods: it calls a pointer-receiver MarshalJSON only on
// what has an address, and the fields of a struct passed by value have none.
// A big.Int would then be encoded as an empty object.
func withAddress(v any) any {
	switch v.(type) {
	case nil, bool, string, []byte, int, int32, int64, uint32, uint64, float64, map[string]any, map[string]string:
		return v
	}
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer || !wantsAddress(t) {
		return v
	}
	return addressOf(reflect.ValueOf(v))
}

// addressWanted caches wantsAddress by type: a pure function of it, so the
// cache is invisible but for the time it saves.
var addressWanted sync.Map // reflect.Type → bool

func wantsAddress(t reflect.Type) bool {
	if wanted, ok := addressWanted.Load(t); ok {
		return wanted.(bool)
	}
	wanted := findPointerMethod(t, make(map[reflect.Type]bool))
	addressWanted.Store(t, wanted)
	return wanted
}

// findPointerMethod looks for marshalers with a pointer receiver among what is
// part of a t itself; what is behind a pointer or in a slice has an address,
// and what is in a map or an interface never gets one.
func findPointerMethod(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface || t.Implements(jsonMarshalerType) {
		return false
	}
	p := reflect.PointerTo(t)
	if p.Implements(jsonMarshalerType) {
		return true
	}
	if p.Implements(textMarshalerType) {
		return !t.Implements(textMarshalerType)
	}
	switch t.Kind() {
	case reflect.Array:
		return findPointerMethod(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if findPointerMethod(t.Field(i).Type, seen) {
				return true
			}
		}
	}
	return false
}
