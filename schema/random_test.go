package schema_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/codec"
)

// generator makes random types and values.
type generator struct{ *rand.Rand }

var leaves = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[string](), reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int64](),
	reflect.TypeFor[uint8](), reflect.TypeFor[uint64](), reflect.TypeFor[float32](), reflect.TypeFor[float64](), reflect.TypeFor[any](),
	reflect.TypeFor[[]byte](), reflect.TypeFor[json.RawMessage](), reflect.TypeFor[json.Number](), reflect.TypeFor[time.Time](),
	reflect.TypeFor[time.Duration](), reflect.TypeFor[big.Int](), reflect.TypeFor[netip.Addr](), reflect.TypeFor[level](), reflect.TypeFor[names](),
	reflect.TypeFor[tree](), reflect.TypeFor[pair[int8, []string]](), reflect.TypeFor[quoted](), reflect.TypeFor[omitting](), reflect.TypeFor[embedding](),
	reflect.TypeFor[ambiguous](), reflect.TypeFor[diamond](), reflect.TypeFor[celsius](), reflect.TypeFor[colour](), reflect.TypeFor[point](),
	reflect.TypeFor[mark](), reflect.TypeFor[readText](), reflect.TypeFor[holder](), reflect.TypeFor[nested](), reflect.TypeFor[byName](), reflect.TypeFor[[]shade](),
}

var keys = []reflect.Type{
	reflect.TypeFor[string](), reflect.TypeFor[level](), reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[uint16](), reflect.TypeFor[netip.Addr](),
}

func pick[T any](g generator, from []T) T { return from[g.IntN(len(from))] }

// typ returns a random type with at most depth levels above the leaves.
func (g generator) typ(depth int) reflect.Type {
	if depth == 0 {
		return pick(g, leaves)
	}
	switch g.IntN(8) {
	case 0:
		return pick(g, leaves)
	case 1:
		return reflect.SliceOf(g.typ(depth - 1))
	case 2:
		return reflect.ArrayOf(g.IntN(3), g.typ(depth-1))
	case 3:
		return reflect.MapOf(pick(g, keys), g.typ(depth-1))
	case 4:
		return reflect.PointerTo(g.typ(depth - 1))
	}
	return g.structure(depth)
}

func (g generator) structure(depth int) reflect.Type {
	fields := make([]reflect.StructField, g.IntN(5))
	for i := range fields {
		name := "F" + strconv.Itoa(i)
		tag := pick(g, []string{"", "f" + strconv.Itoa(i), "same", "-", "-,", `q\"d`, "größe"}) + pick(g, []string{"", "", ",omitempty", ",omitzero", ",string", ",string,omitempty"})
		fields[i] = reflect.StructField{Name: name, Type: g.typ(depth - 1), Tag: reflect.StructTag(`json:"` + tag + `" jsonschema:"description=d"`)}
		if t := fields[i].Type; t.Kind() == reflect.Struct && t.NumMethod() == 0 && reflect.PointerTo(t).NumMethod() == 0 && g.IntN(2) == 0 {
			fields[i].Anonymous = true
		}
	}
	return reflect.StructOf(fields)
}

// fill sets v to a random value.
func (g generator) fill(v reflect.Value, depth int) {
	if g.IntN(8) == 0 || depth == 0 {
		return // the zero value
	}
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = time.Unix(g.Int64N(1e10), g.Int64N(1e9)).In(time.FixedZone("", 60*g.IntN(1000)))
		return
	case *json.Number:
		*p = pick(g, []json.Number{"0", "-1.5e300", "12345678901234567890"})
		return
	case *json.RawMessage:
		*p = json.RawMessage(pick(g, []string{"null", "1", `{"a":[]}`}))
		return
	case *big.Int:
		p.SetUint64(g.Uint64()).Lsh(p, uint(g.IntN(100)))
		return
	case *netip.Addr:
		*p = netip.AddrFrom4([4]byte{byte(g.IntN(256)), 2, 3, 4})
		return
	case *any:
		*p = pick(g, []any{nil, 1, "x", []int{1}, map[string]any{"a": nil}, true})
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(g.IntN(2) == 0)
	case reflect.String:
		v.SetString(pick(g, []string{"tea", "größe", "\x00\xff<", `"\`, "1"}))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(g.Uint64()) >> (64 - v.Type().Bits()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(g.Uint64() >> (64 - v.Type().Bits()))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(g.NormFloat64() * 1e30)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		g.fill(v.Elem(), depth-1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), g.IntN(3), 3))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			g.fill(v.Index(i), depth-1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range g.IntN(3) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			g.fill(key, 1)
			g.fill(value, depth-1)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				g.fill(v.Field(i), depth-1)
			}
		}
	}
}

// exempt reports whether a schema may accept what the codec refuses, because of a method or an
// integer in a string.
func exempt(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	if p := reflect.PointerTo(t); t != reflect.TypeFor[json.RawMessage]() && t.Kind() != reflect.Pointer && p.NumMethod() > 0 && t != reflect.TypeFor[time.Duration]() {
		return true
	}
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			if exempt(t.Field(i).Type, seen) {
				return true
			}
		}
	case reflect.Map:
		return exempt(t.Key(), seen) || exempt(t.Elem(), seen)
	case reflect.Slice, reflect.Array, reflect.Pointer:
		return exempt(t.Elem(), seen)
	}
	return false
}

// mutate returns v with one part replaced.
func (g generator) mutate(v any) any {
	if g.IntN(3) > 0 {
		switch v := v.(type) {
		case []any:
			if len(v) > 0 {
				i := g.IntN(len(v))
				v[i] = g.mutate(v[i])
				return v
			}
		case map[string]any:
			if len(v) > 0 {
				key := pick(g, slices.Sorted(maps.Keys(v)))
				v[key] = g.mutate(v[key])
				return v
			}
		}
	}
	return pick(g, []any{nil, true, -1, 1.5, 300, json.Number("1e30"), json.Number("-99999999999999999999"), "x", "", "1", []any{}, []any{nil}, []any{"x"}, map[string]any{}, map[string]any{"x": "y"}})
}

// Random values of random types are valid. Where a part of a valid message is replaced, a
// message that is still valid is one that the codec reads.
func TestRandomTypesAgree(t *testing.T) {
	t.Parallel()
	changed := [2]int{}
	for seed := range uint64(800) {
		g := generator{rand.New(rand.NewPCG(seed, 0))}
		typ := g.typ(3)
		valid := validator(t, typ)
		for range 10 {
			v := reflect.New(typ)
			g.fill(v.Elem(), 6)
			text, err := codec.JSON{}.Marshal(v.Interface())
			require.NoError(t, err, "seed %d: %v", seed, typ)
			require.NoError(t, valid(text), "seed %d: %v: %s", seed, typ, text)
			if exempt(typ, map[reflect.Type]bool{}) {
				continue
			}
			var parts any
			d := json.NewDecoder(bytes.NewReader(text))
			d.UseNumber()
			require.NoError(t, d.Decode(&parts))
			text, err = json.Marshal(g.mutate(parts))
			require.NoError(t, err)
			if valid(text) != nil {
				changed[0]++
				continue
			}
			changed[1]++
			require.NoError(t, decodes(typ, text), "seed %d: %v: %s", seed, typ, text)
		}
	}
	require.Greater(t, min(changed[0], changed[1]), 200, fmt.Sprint(changed))
}
