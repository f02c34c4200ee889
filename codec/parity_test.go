package codec_test

import (
	"encoding/json"
	"math"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/codec"
)

// parity is the table of what comes back equal through both codecs. Where
// want is given, that comes back instead.
var parity = []struct {
	name  string
	value any
	want  any
}{
	{name: "bool", value: true},
	{name: "int", value: 832040},
	{name: "int negative", value: -1},
	{name: "int8 least", value: int8(math.MinInt8)},
	{name: "int8 greatest", value: int8(math.MaxInt8)},
	{name: "int16 least", value: int16(math.MinInt16)},
	{name: "int16 greatest", value: int16(math.MaxInt16)},
	{name: "int32 least", value: int32(math.MinInt32)},
	{name: "int32 greatest", value: int32(math.MaxInt32)},
	{name: "int64 least", value: int64(math.MinInt64)},
	{name: "int64 greatest", value: int64(math.MaxInt64)},
	{name: "int64 above 2^53", value: int64(1<<53 + 1)},
	{name: "uint8 greatest", value: uint8(math.MaxUint8)},
	{name: "uint16 greatest", value: uint16(math.MaxUint16)},
	{name: "uint32 greatest", value: uint32(math.MaxUint32)},
	{name: "uint64 greatest", value: uint64(math.MaxUint64)},
	{name: "uint", value: uint(7)},
	{name: "uintptr", value: uintptr(1 << 40)},
	{name: "float64", value: 3.141592653589793},
	{name: "float64 whole", value: 3.0},
	{name: "float64 huge", value: math.MaxFloat64},
	{name: "float64 tiny", value: math.SmallestNonzeroFloat64},
	{name: "float32", value: float32(0.1)},
	{name: "float32 greatest", value: float32(math.MaxFloat32)},
	{name: "string", value: "fib"},
	{name: "string empty", value: ""},
	{name: "string of 300 bytes", value: string(make([]byte, 300))},
	{name: "string with all sorts", value: "\x00\t\n\"\\</script>&\u2028\u007fäöü日本語🐇\ufffd"},
	{name: "named int", value: age(-3)},
	{name: "named string", value: level("high")},
	{name: "duration", value: 1500 * time.Millisecond},

	{name: "time in UTC", value: time.Date(2026, 3, 14, 15, 9, 26, 535897932, time.UTC)},
	{name: "time without fraction", value: time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC)},
	{name: "time with offset", value: time.Date(2026, 3, 14, 15, 9, 26, 0, time.FixedZone("", 5*3600+45*60))},
	{name: "time zero", value: time.Time{}},
	{name: "time of year 9999", value: time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)},

	{name: "bytes", value: []byte("\x00\xff binary")},
	{name: "bytes nil", value: []byte(nil)},
	{name: "bytes empty", value: []byte{}},
	{name: "bytes 64 KiB", value: make([]byte, 64<<10)},
	{name: "byte array", value: [4]byte{1, 2, 3, 255}},
	{name: "byte array empty", value: [0]byte{}},
	{name: "bytes with a text form", value: []secret{1, 2}, want: []secret{3, 3}},
	{name: "array", value: [3]int8{1, -2, 3}},
	{name: "array of strings", value: [2]string{"a", ""}},

	{name: "slice", value: []int{1, 2, 3}},
	{name: "slice nil", value: []int(nil)},
	{name: "slice empty", value: []int{}},
	{name: "slice of 70,000", value: make([]uint16, 70_000)},
	{name: "slice of slices", value: [][]string{{"a"}, nil, {}}},
	{name: "slice of structs", value: []pair[int, string]{{1, "a"}, {}}},
	{name: "slice of pointers", value: []*int{ptr(1), nil}},
	{name: "slice of empty structs", value: make([]struct{}, 20)},
	{name: "named slice", value: names{"a", "b"}},

	{name: "map", value: map[string]int{"a": 1, "b": 2}},
	{name: "map nil", value: map[string]int(nil)},
	{name: "map empty", value: map[string]int{}},
	{name: "map of strings", value: map[string]string{"a": "1", "": "2"}},
	{name: "map of strings nil", value: map[string]string(nil)},
	{name: "map of 20 strings", value: map[string]string{"1": "", "2": "", "3": "", "4": "", "5": "", "6": "", "7": "", "8": "", "9": "", "10": "", "11": "", "12": "", "13": "", "14": "", "15": "", "16": "", "17": "", "18": "", "19": "", "20": ""}},
	{name: "map with int keys", value: map[int]string{-1: "a", 1 << 40: "b"}},
	{name: "map with uint64 keys", value: map[uint64]bool{math.MaxUint64: true}},
	{name: "map with int8 keys", value: map[int8]int8{math.MinInt8: math.MaxInt8}},
	{name: "map with named keys", value: scores{"low": 1, "high": 2}},
	{name: "map with text keys", value: map[netip.Addr]celsius{netip.MustParseAddr("10.0.0.1"): 21.5}},
	{name: "map with number text keys", value: map[celsius]int{1.5: 1}},
	{name: "map of maps", value: map[string]map[string]string{"a": {"b": "c"}, "d": nil}},
	{name: "map of slices", value: map[string][]string{"Accept": {"a", "b"}}},
	{name: "map of structs", value: map[string]pair[int, string]{"a": {1, "x"}}},

	{name: "any nil", value: pair[any, any]{}},
	{name: "any", value: map[string]any{"null": nil, "bool": false, "number": 1.5, "whole": 1.0, "string": "s", "list": []any{1.0, "a", nil, []any{}}, "object": map[string]any{"x": map[string]any{}}}},
	{name: "any of ints", value: map[string]any{"a": 1, "b": int8(-2), "c": uint16(3)}, want: map[string]any{"a": 1.0, "b": -2.0, "c": 3.0}},
	{name: "any up to 2^53", value: []any{1 << 53, -1 << 53}, want: []any{float64(1 << 53), float64(-1 << 53)}},
	{name: "any of structs", value: []any{pair[int, string]{1, "x"}, &pair[int, string]{2, "y"}}, want: []any{map[string]any{"A": 1.0, "B": "x"}, map[string]any{"A": 2.0, "B": "y"}}},
	{name: "any of named types", value: []any{level("a"), age(1), names{"n"}, map[int]bool{3: true}}, want: []any{"a", 1.0, []any{"n"}, map[string]any{"3": true}}},
	{name: "any of times", value: []any{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), time.Second}, want: []any{"2026-01-02T03:04:05Z", 1e9}},
	{name: "any of methods", value: []any{&point{1, 2}, celsius(3), shape{`{"a":[1]}`}, (*point)(nil)}, want: []any{[]any{1.0, 2.0}, "3.0°C", map[string]any{"a": []any{1.0}}, nil}},
	{name: "any with a name", value: []untyped{1.5, "x"}},
	{name: "named any map", value: anyMap{"a": []any{true}}},

	{name: "pointer", value: ptr(7)},
	{name: "pointer nil", value: (*int)(nil)},
	{name: "pointer to pointer", value: ptr(ptr("x"))},
	{name: "pointer to nil pointer", value: ptr((*string)(nil)), want: (**string)(nil)},
	{name: "pointer to struct", value: &pair[*int, **string]{ptr(1), ptr(ptr("s"))}},

	{name: "None", value: struct{}{}},
	{name: "tags", value: tagged{"plain", "renamed", "skipped", "dash", "option", "strange", "invalid", "unicode", "internal"}, want: tagged{"plain", "renamed", "", "dash", "option", "strange", "invalid", "unicode", ""}},
	{name: "omit all", value: omitting{Own: 7, OwnRef: 7}, want: omitting{}},
	{name: "omit none", value: omitting{true, 1, 0.5, "s", []int{0}, map[string]int{"": 0}, [0]int{}, [2]int{}, ptr(0), 0.0, struct{}{}, time.Unix(1, 0).UTC(), 1, 0, ptr(isZero(0)), 0, map[string]string{"": ""}}},
	{name: "omit empty", value: omitting{Slice: []int{}, Map: map[string]int{}, Both: map[string]string{}, OwnPtr: ptr(isZero(7))}, want: omitting{}},
	{name: "quoted", value: quoted{true, math.MinInt64, math.MaxUint64, 1e-9, 0.1, "a\"b\n\u2028", -3, ptr(4), nil, "1.5", 0, []int{1}}},
	{name: "quoted zero", value: quoted{}, want: quoted{Number: "0"}},
	{name: "embedded", value: embedding{base{"id", 0}, &Public{true}, middle{deep{"d"}, "m"}, named2{3}, 4}},
	{name: "embedded nil", value: embedding{base: base{ID: "x"}}},
	{name: "hidden field does not travel", value: embedding{base: base{Version: 1}, Version: 2}, want: embedding{Version: 2}},
	{name: "ambiguous", value: ambiguous{left{1, 2}, right{3, 4}}, want: ambiguous{left: left{Wins: 2}}},
	{name: "diamond", value: diamond{viaLeft{base{"a", 1}}, viaRight{base{"b", 2}}, 3}, want: diamond{Own: 3}},
	{name: "unexported embedded with names", value: hiding{base: base{"a", 1}}},
	{name: "embeds itself", value: recursive{nil, "a"}},
	{name: "tree", value: tree{1, []*tree{{Value: 2}, nil, {3, []*tree{{Value: 4}}, nil}}, map[string]*tree{"a": {Value: 5}, "b": nil}}},
	{name: "generic", value: page[int]{[]int{1}, &page[int]{}, pair[int, int]{1, 2}}},
	{name: "anonymous struct", value: struct {
		A int `json:"a"`
		B struct{ C []string }
	}{A: 1}},
	{name: "struct of 16 fields and more", value: everything{}, want: everything{Raw: json.RawMessage("null"), Quoted: quoted{Number: "0"}}},

	{name: "uuid", value: uuid.MustParse("0b2f5a9e-5f0b-4c39-9a63-0d8f2f4f9d11")},
	{name: "text", value: celsius(-12.5)},
	{name: "text in a pointer", value: ptr(celsius(1))},
	{name: "addresses", value: pair[netip.Addr, net.IP]{netip.MustParseAddr("::1"), net.IPv4(10, 0, 0, 1)}},
	{name: "url", value: url.URL{Scheme: "https", Host: "example.org", Path: "/a b"}},
	{name: "big.Int", value: big.NewInt(-7)},
	{name: "big.Int by value", value: *bigInt("-123456789012345678901234567890")},
	{name: "big.Int of 2^63 and 2^64", value: []*big.Int{bigInt("9223372036854775808"), bigInt("18446744073709551615"), bigInt("18446744073709551616"), nil}},
	{name: "big.Int of 10^30", value: bigInt("1000000000000000000000000000000")},
	{name: "big.Int in a struct by value", value: pair[big.Int, []big.Int]{*big.NewInt(7), []big.Int{*big.NewInt(8)}}},
	{name: "big.Int in an array by value", value: [1]big.Int{*big.NewInt(7)}},
	{name: "big.Float", value: new(big.Float).SetPrec(64).SetFloat64(1.5)},
	{name: "big.Rat", value: big.NewRat(1, 3)},
	{name: "pointer receiver, by value", value: point{3, 4}},
	{name: "pointer receiver, in a slice", value: []point{{1, 2}}},
	{name: "value receiver", value: shape{`{"n":null,"t":true,"f":false,"i":-1,"f64":1.5,"s":"a\"b","l":[],"o":{},"deep":[[{"x":[1,[2]]}]]}`}},
	{name: "value receiver null", value: shape{""}, want: shape{"null"}},

	{name: "raw", value: json.RawMessage(`{"b":[1,2,{"c":"d"}],"a":-1.5e-9,"n":18446744073709551615,"big":-123456789012345678901234567890,"exp":1e+30}`)},
	{name: "raw nil", value: json.RawMessage(nil), want: json.RawMessage("null")},
	{name: "raw in a struct", value: pair[json.RawMessage, *json.RawMessage]{json.RawMessage(`[]`), ptr(json.RawMessage(`"x"`))}},
	{name: "raw with repeated keys", value: json.RawMessage(`{"a":1,"a":2}`)},
	{name: "raw with 20 elements", value: json.RawMessage(`[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,[19,{"twenty":21}]]`)},
	{name: "number", value: []json.Number{"0", "-1", "12.5", "18446744073709551615", "-9223372036854775808", "123456789012345678901234567890", "1e+400", "0.1", "1e-7", "3.14159265358979323846"}},
	{name: "number empty", value: json.Number(""), want: json.Number("0")},
}

func bigInt(s string) *big.Int {
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		panic("not an integer: " + s)
	}
	return n
}

func TestParity(t *testing.T) {
	t.Parallel()
	for _, tt := range parity {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := tt.want
			if want == nil {
				want = tt.value
			}
			both(t, func(t *testing.T, c codec.Codec) {
				byValue, err := c.Marshal(tt.value)
				require.NoError(t, err)
				requireDecodes(t, c, byValue, want)

				pointer := reflect.New(reflect.TypeOf(tt.value))
				pointer.Elem().Set(reflect.ValueOf(tt.value))
				byPointer, err := c.Marshal(pointer.Interface())
				require.NoError(t, err)
				require.Equal(t, byValue, byPointer, "by value and by pointer")
			})
		})
	}
}

// requireDecodes decodes into a fresh variable of want's type.
func requireDecodes(t *testing.T, c codec.Codec, body []byte, want any) {
	t.Helper()
	got := reflect.New(reflect.TypeOf(want))
	require.NoError(t, c.Unmarshal(body, got.Interface()), "%q", body)
	require.Equal(t, want, got.Elem().Interface(), "%q", body)
}

func TestParityOfOneBigStruct(t *testing.T) {
	t.Parallel()
	want := everything{
		ID:      uuid.MustParse("0b2f5a9e-5f0b-4c39-9a63-0d8f2f4f9d11"),
		Created: time.Date(2026, 3, 14, 15, 9, 26, 535897932, time.UTC),
		Took:    time.Minute,
		Balance: *bigInt("123456789012345678901234567890"),
		Limit:   big.NewInt(5),
		Ratio:   big.NewRat(2, 3),
		Addr:    netip.MustParseAddrPort("127.0.0.1:5672"),
		Raw:     json.RawMessage(`{"x":[1,2.5,"y"]}`),
		Data:    []byte{0, 1, 2},
		Key:     [4]byte{4, 3, 2, 1},
		Temp:    21.5,
		Points:  []point{{1, 2}, {3, 4}},
		Index:   map[int]names{1: {"a"}, 2: nil},
		Any:     map[string]any{"k": []any{1.0, "v", nil}},
		Quoted:  quoted{Int: math.MinInt64, Ptr: ptr(3), Number: "0"},
		Page:    page[pair[string, *bool]]{Items: []pair[string, *bool]{{"x", ptr(true)}, {"y", nil}}},
		embedding: embedding{
			base: base{ID: "hidden"}, Public: &Public{true},
			middle: middle{deep{"d"}, "v"}, named2: named2{1}, Version: 9,
		},
	}
	both(t, func(t *testing.T, c codec.Codec) {
		body, err := c.Marshal(want)
		require.NoError(t, err)
		want := want
		want.base.ID = "" // hidden by the outer one
		requireDecodes(t, c, body, want)
	})
}

// TestDecodingIntoWhatIsThere holds both codecs to encoding/json's rules for
// variables that are not zero.
func TestDecodingIntoWhatIsThere(t *testing.T) {
	t.Parallel()
	type target struct {
		Int   int
		Slice []pair[int, int]
		Map   map[string]int
		Ptr   *pair[int, int]
		Any   any
		Iface any
		Array [3]int
		Keep  string
		Nil   *int
		NoMap map[string]int
	}
	both(t, func(t *testing.T, c codec.Codec) {
		body, err := c.Marshal(map[string]any{
			"Int": nil, "Slice": []any{map[string]any{"A": 1}}, "Map": map[string]any{"b": 2},
			"Ptr": map[string]any{"B": 2}, "Any": map[string]any{"A": 1}, "Iface": 1.5,
			"Array": []any{1, 2}, "Nil": nil, "NoMap": nil,
		})
		require.NoError(t, err)
		inner := &pair[int, int]{5, 6}
		held := &pair[int, int]{7, 8}
		got := target{
			Int: 1, Slice: make([]pair[int, int], 3), Map: map[string]int{"a": 1}, Ptr: inner,
			Any: held, Iface: "old", Array: [3]int{9, 9, 9}, Keep: "kept", Nil: ptr(1), NoMap: map[string]int{},
		}
		require.NoError(t, c.Unmarshal(body, &got))
		require.Equal(t, target{
			Int: 1, Slice: []pair[int, int]{{1, 0}}, Map: map[string]int{"a": 1, "b": 2}, Ptr: inner,
			Any: held, Iface: 1.5, Array: [3]int{1, 2, 0}, Keep: "kept",
		}, got)
		require.Equal(t, pair[int, int]{5, 2}, *inner, "a pointer is followed")
		require.Equal(t, pair[int, int]{1, 8}, *held, "a pointer in an interface is followed")
	})
}

// TestNullChangesNothing decodes nulls into variables of kinds that know no
// nil, and which keep what they have.
func TestNullChangesNothing(t *testing.T) {
	t.Parallel()
	build := func() rich {
		v := rich{
			everything: everything{
				Created: time.Unix(1, 0).UTC(), Took: 2, Temp: 3, Data: []byte{4}, Key: [4]byte{5}, Limit: big.NewInt(6),
				Quoted: quoted{Bool: true, Int: 7, String: "8", Ptr: ptr(9), Number: "10"}, Addr: netip.MustParseAddrPort("[::1]:11"),
			},
			Ints: [4]int8{12}, Stamp: stamp{"13"}, Strings: map[string]string{"14": ""}, AnyMap: object{"15": 1}, Omit: omitting{Bool: true, Float: 16},
		}
		v.Page.Items = []pair[string, *bool]{{"17", nil}}
		return v
	}
	quotedNulls := object{"Bool": nil, "Int": "null", "String": nil, "Ptr": "null", "Number": nil}
	both(t, func(t *testing.T, c codec.Codec) {
		body, err := c.Marshal(object{
			"created": nil, "took": nil, "temp": nil, "data": nil, "key": nil, "limit": nil, "quoted": quotedNulls, "addr": nil,
			"Ints": nil, "Stamp": nil, "Strings": nil, "AnyMap": nil, "Omit": object{"bool": nil, "float": nil}, "page": nil,
		})
		require.NoError(t, err)
		got, want := build(), build()
		require.NoError(t, c.Unmarshal(body, &got))
		want.Data, want.Limit, want.Quoted.Ptr, want.Strings, want.AnyMap = nil, nil, nil, nil, nil
		require.Equal(t, want, got)
	})
}

func TestArraysOfAnotherLength(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, c codec.Codec) {
		body, err := c.Marshal([]any{1, 2, object{"left": "out"}})
		require.NoError(t, err)
		requireDecodes(t, c, body, [2]int{1, 2})
		array := [4]any{3: "old"}
		require.NoError(t, c.Unmarshal(body, &array))
		require.Equal(t, [4]any{1.0, 2.0, object{"left": "out"}, nil}, array)
	})
}

func TestFieldNamesIgnoreCase(t *testing.T) {
	t.Parallel()
	type target struct {
		Name  string `json:"name"`
		NAME  string // an exact match comes first
		Größe int
		Kelvn int `json:"Kk"`
	}
	both(t, func(t *testing.T, c codec.Codec) {
		body, err := c.Marshal(map[string]any{"NAME": "exact", "nAmE": "folded", "GRÖSSE": 1, "GRÖßE": 2, "\u212a\u212a": 3, "unknown": []any{1, map[string]any{}}})
		require.NoError(t, err)
		requireDecodes(t, c, body, target{Name: "folded", NAME: "exact", Größe: 2, Kelvn: 3})
	})
}
