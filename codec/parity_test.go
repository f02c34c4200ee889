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

//lint:file-ignore SA5008 what odd tags mean is part of the test

var moment = time.Date(2026, 3, 14, 15, 9, 26, 535897932, time.UTC)

// parity lists the values that are equal through both codecs, and the differences. A value
// comes back unchanged unless json is set to JSON's result. MsgPack's result is the same
// unless msgpack is set, or Marshal refuses the value with an error.
var parity = []struct {
	name          string
	value         any
	json, msgpack any
	refused       string
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
	{name: "uintptr", value: uintptr(1 << 30), refused: "type uintptr has no encoding"},
	{name: "float64", value: 3.141592653589793},
	{name: "float64 whole", value: 3.0},
	{name: "float64 huge", value: math.MaxFloat64},
	{name: "float64 tiny", value: math.SmallestNonzeroFloat64},
	{name: "float32", value: float32(0.1)},
	{name: "float32 greatest", value: float32(math.MaxFloat32)},
	{name: "string", value: "fib"},
	{name: "string that is not UTF-8", value: "a\xff", json: "a\ufffd", msgpack: "a\xff"},
	{name: "string empty", value: ""},
	{name: "string of 300 bytes", value: string(make([]byte, 300))},
	{name: "string with all sorts", value: "\x00\t\n\"\\</script>&\u2028\u007fäöü日本語🐇\ufffd"},
	{name: "named int", value: age(-3)},
	{name: "named string", value: level("high")},
	{name: "duration", value: 1500 * time.Millisecond},

	{name: "time in UTC", value: moment, msgpack: moment.Local()},
	{name: "time without fraction", value: time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC), msgpack: time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC).Local()},
	{name: "time with offset", value: time.Date(2026, 3, 14, 15, 9, 26, 0, time.FixedZone("", 5*3600+45*60)), msgpack: time.Date(2026, 3, 14, 9, 24, 26, 0, time.UTC).Local()},
	{name: "time zero", value: time.Time{}},
	{name: "time of year 9999", value: time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), msgpack: time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC).Local()},

	{name: "bytes", value: []byte("\x00\xff binary")},
	{name: "bytes nil", value: []byte(nil)},
	{name: "bytes empty", value: []byte{}},
	{name: "bytes 64 KiB", value: make([]byte, 64<<10)},
	{name: "byte array", value: [4]byte{1, 2, 3, 255}},
	{name: "byte array empty", value: [0]byte{}},
	{name: "bytes with a text form", value: []secret{1, 2}, json: []secret{3, 3}, msgpack: []secret{1, 2}},
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
	{name: "map with int keys", value: map[int]string{-1: "a", 1 << 30: "b"}},
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
	{name: "any of ints", value: map[string]any{"a": 1, "b": int8(-2), "c": uint16(3)}, json: map[string]any{"a": 1.0, "b": -2.0, "c": 3.0}},
	{name: "any up to 2^53", value: []any{int64(1 << 53), int64(-1 << 53)}, json: []any{float64(1 << 53), float64(-1 << 53)}},
	{name: "any of structs", value: []any{pair[int, string]{1, "x"}, &pair[int, string]{2, "y"}}, json: []any{map[string]any{"A": 1.0, "B": "x"}, map[string]any{"A": 2.0, "B": "y"}}},
	{name: "any of named types", value: []any{level("a"), age(1), names{"n"}}, json: []any{"a", 1.0, []any{"n"}}},
	{name: "any of a text form", value: []any{celsius(3)}, json: []any{"3.0°C"}, msgpack: []any{[]byte("3.0°C")}},
	{name: "any of bytes", value: []any{[]byte("hi"), [2]byte{1, 2}}, json: []any{"aGk=", []any{1.0, 2.0}}, msgpack: []any{[]byte("hi"), []byte{1, 2}}},
	{name: "any beyond 2^53", value: []any{int64(1<<53 + 1), int64(-1<<53 - 1), int64(math.MinInt64), uint64(math.MaxUint64)}, json: []any{float64(1 << 53), -float64(1 << 53), float64(math.MinInt64), float64(math.MaxUint64)}, msgpack: []any{int64(1<<53 + 1), int64(-1<<53 - 1), int64(math.MinInt64), uint64(math.MaxUint64)}},
	{name: "any of a float32", value: []any{float32(0.1)}, json: []any{0.1}, msgpack: []any{float64(float32(0.1))}},
	{name: "any of a big.Int", value: []any{bigInt("123456789012345678901234567890")}, json: []any{123456789012345678901234567890.0}, msgpack: []any{[]byte("123456789012345678901234567890")}},
	{name: "any of times", value: []any{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), time.Second}, json: []any{"2026-01-02T03:04:05Z", 1e9}, msgpack: []any{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Local(), 1e9}},
	{name: "any of methods", value: []any{&point{1, 2}, celsius(3), shape{`{"a":[1]}`}, (*point)(nil)}, json: []any{[]any{1.0, 2.0}, "3.0°C", map[string]any{"a": []any{1.0}}, nil}, refused: "MarshalJSON is for JSON"},
	{name: "any with a name", value: []untyped{1.5, "x"}},
	{name: "named any map", value: anyMap{"a": []any{true}}},

	{name: "pointer", value: ptr(7)},
	{name: "pointer nil", value: (*int)(nil)},
	{name: "pointer to pointer", value: ptr(ptr("x"))},
	{name: "pointer to nil pointer", value: ptr((*string)(nil)), json: (**string)(nil)},
	{name: "pointer to struct", value: &pair[*int, **string]{ptr(1), ptr(ptr("s"))}},

	{name: "None", value: struct{}{}},
	{name: "tags", value: tagged{"plain", "renamed", "skipped", "dash", "option", "strange", "invalid", "unicode", "internal"}, json: tagged{"plain", "renamed", "", "dash", "option", "strange", "invalid", "unicode", ""}, msgpack: tagged{"plain", "renamed", "", "", "option", "strange", "invalid", "unicode", ""}},
	{name: "omit all", value: omitting{Own: 7, OwnRef: 7}, json: omitting{}, msgpack: omitting{Own: 7, OwnRef: 7}},
	{name: "omit none", value: omitting{true, 1, 0.5, "s", []int{0}, map[string]int{"": 0}, [0]int{}, [2]int{}, ptr(0), 1.0, struct{}{}, time.Time{}, 1, 0, ptr(isZero(0)), 0, map[string]string{"": ""}}},
	{name: "omitempty of a zero in an any", value: omitting{Any: 0.0, Own: 7, OwnRef: 7}, json: omitting{Any: 0.0}, msgpack: omitting{Own: 7, OwnRef: 7}},
	{name: "omit empty", value: omitting{Slice: []int{}, Map: map[string]int{}, Both: map[string]string{}, OwnPtr: ptr(isZero(7))}, json: omitting{}, msgpack: omitting{OwnPtr: ptr(isZero(7))}},
	{name: "quoted", value: quoted{true, math.MinInt64, math.MaxUint64, 1e-9, 0.1, "a\"b\n\u2028", -3, ptr(4), nil, "1.5", 0, []int{1}}},
	{name: "quoted zero", value: quoted{}, json: quoted{Number: "0"}, msgpack: quoted{}},
	{name: "embedded", value: embedding{base{"id", 0}, &Public{true}, middle{deep{"d"}, "m"}, named2{3}, 4}, refused: `two fields have the name "Version"`},
	{name: "embedded nil", value: embedding{base: base{ID: "x"}}, refused: `two fields have the name "Version"`},
	{name: "hidden field does not travel", value: embedding{base: base{Version: 1}, Version: 2}, json: embedding{Version: 2}, refused: `two fields have the name "Version"`},
	{name: "ambiguous", value: ambiguous{left{1, 2}, right{3, 4}}, json: ambiguous{left: left{Wins: 2}}, refused: `two fields have the name "Same"`},
	{name: "diamond", value: diamond{viaLeft{base{"a", 1}}, viaRight{base{"b", 2}}, 3}, json: diamond{Own: 3}, refused: `two fields have the name "id"`},
	{name: "unexported embedded with names", value: hiding{base: base{"a", 1}}},
	{name: "embeds itself", value: recursive{nil, "a"}, refused: "it is embedded in itself"},
	{name: "tree", value: tree{1, []*tree{{Value: 2}, nil, {3, []*tree{{Value: 4}}, nil}}, map[string]*tree{"a": {Value: 5}, "b": nil}}},
	{name: "generic", value: page[int]{[]int{1}, &page[int]{}, pair[int, int]{1, 2}}},
	{name: "anonymous struct", value: struct {
		A int `json:"a"`
		B struct{ C []string }
	}{A: 1}},
	{name: "struct of 16 fields and more", value: everything{}, json: everything{Raw: json.RawMessage("null"), Quoted: quoted{Number: "0"}}, msgpack: everything{}},
	{name: "embedded with names of their own", value: flat{&Public{true}, middle{deep{"d"}, "m"}, named2{3}, 4}},
	{name: "embedded pointer is nil", value: flat{}, msgpack: flat{Public: &Public{}}},
	{name: "embedded with a name", value: wrapping{named2{1}}},

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
	{name: "pointer receiver, by value", value: point{3, 4}, refused: "MarshalJSON is for JSON"},
	{name: "pointer receiver, in a slice", value: []point{{1, 2}}, refused: "MarshalJSON is for JSON"},
	{name: "MarshalJSON of a kind that msgpack encodes", value: cents(1999)},
	{name: "MarshalJSON for text", value: colour(2)},
	{name: "value receiver", value: shape{`{"n":null,"t":true,"f":false,"i":-1,"f64":1.5,"s":"a\"b","l":[],"o":{},"deep":[[{"x":[1,[2]]}]]}`}, refused: "MarshalJSON is for JSON"},
	{name: "value receiver null", value: shape{""}, json: shape{"null"}, refused: "MarshalJSON is for JSON"},

	{name: "raw", value: json.RawMessage(`{"b":[1,2,{"c":"d"}],"a":-1.5e-9,"n":18446744073709551615,"big":-123456789012345678901234567890,"exp":1e+30}`)},
	{name: "raw nil", value: json.RawMessage(nil), json: json.RawMessage("null"), msgpack: json.RawMessage(nil)},
	{name: "raw in a struct", value: pair[json.RawMessage, *json.RawMessage]{json.RawMessage(`[]`), ptr(json.RawMessage(`"x"`))}},
	{name: "raw with repeated keys", value: json.RawMessage(`{"a":1,"a":2}`)},
	{name: "raw with 20 elements", value: json.RawMessage(`[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,[19,{"twenty":21}]]`)},
	{name: "number", value: []json.Number{"0", "-1", "12.5", "18446744073709551615", "-9223372036854775808", "123456789012345678901234567890", "1e+400", "0.1", "1e-7", "3.14159265358979323846"}},
	{name: "number empty", value: json.Number(""), json: json.Number("0"), msgpack: json.Number("")},
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
			both(t, func(t *testing.T, c codec.Codec) {
				want := tt.value
				if tt.json != nil {
					want = tt.json
				}
				pointer := reflect.New(reflect.TypeOf(tt.value))
				pointer.Elem().Set(reflect.ValueOf(tt.value))
				byValue, err := c.Marshal(tt.value)
				if _, isMsgPack := c.(codec.MsgPack); isMsgPack && tt.refused != "" {
					require.ErrorContains(t, err, tt.refused)
					_, err = c.Marshal(pointer.Interface())
					require.ErrorContains(t, err, tt.refused)
					return
				} else if isMsgPack && tt.msgpack != nil {
					require.NotEqual(t, want, tt.msgpack, "no difference")
					want = tt.msgpack
				}
				require.NoError(t, err)
				requireDecodes(t, c, byValue, want)

				byPointer, err := c.Marshal(pointer.Interface())
				require.NoError(t, err)
				require.Equal(t, byValue, byPointer, "by value and by pointer")
			})
		})
	}
}

// requireDecodes decodes into a new variable of want's type.
func requireDecodes(t *testing.T, c codec.Codec, body []byte, want any) {
	t.Helper()
	got := reflect.New(reflect.TypeOf(want))
	require.NoError(t, c.Unmarshal(body, got.Interface()), "%q", body)
	require.Equal(t, want, got.Elem().Interface(), "%q", body)
}

func TestParityOfOneBigStruct(t *testing.T) {
	t.Parallel()
	value := everything{
		ID:      uuid.MustParse("0b2f5a9e-5f0b-4c39-9a63-0d8f2f4f9d11"),
		Took:    time.Minute,
		Balance: *bigInt("123456789012345678901234567890"),
		Limit:   big.NewInt(5),
		Ratio:   big.NewRat(2, 3),
		Addr:    netip.MustParseAddrPort("127.0.0.1:5672"),
		Raw:     json.RawMessage(`{"x":[1,2.5,"y"]}`),
		Data:    []byte{0, 1, 2},
		Key:     [4]byte{4, 3, 2, 1},
		Temp:    21.5,
		Index:   map[int]names{1: {"a"}, 2: nil},
		Any:     map[string]any{"k": []any{1.0, "v", nil}},
		Quoted:  quoted{Int: math.MinInt64, Ptr: ptr(3), Number: "0"},
		Page:    page[pair[string, *bool]]{Items: []pair[string, *bool]{{"x", ptr(true)}, {"y", nil}}},
		flat:    flat{Public: &Public{true}, middle: middle{deep{"d"}, "v"}, named2: named2{1}, Version: 9},
	}
	both(t, func(t *testing.T, c codec.Codec) {
		body, err := c.Marshal(value)
		require.NoError(t, err)
		requireDecodes(t, c, body, value)
	})
}

// A msgpack tag takes precedence over a json tag.
func TestTagsOfMsgpack(t *testing.T) {
	t.Parallel()
	type tagged struct {
		ID      int    `msgpack:"id" json:"identity"`
		Name    string `json:"name,omitempty"`
		Note    string `msgpack:"note,omitempty" json:"remark"`
		Kept    int    `msgpack:"kept" json:"kept,omitempty"` // the json tag does not count
		Hidden  string `msgpack:"-" json:"hidden"`
		Visible string `msgpack:"visible" json:"-"`
		Alias   int    `msgpack:"new,alias:old"`
	}
	body, err := codec.MsgPack{}.Marshal(tagged{ID: 1, Hidden: "x", Visible: "y"})
	require.NoError(t, err)
	requireDecodes(t, codec.MsgPack{}, body, object{"id": 1.0, "kept": 0.0, "visible": "y", "new": 0.0})
	requireDecodes(t, codec.MsgPack{}, body, tagged{ID: 1, Visible: "y"})
	body, err = codec.MsgPack{}.Marshal(object{"old": 7, "identity": 8})
	require.NoError(t, err)
	requireDecodes(t, codec.MsgPack{}, body, tagged{Alias: 7})

	type row struct {
		//lint:ignore U1000 msgpack takes the option from here
		_msgpack struct{} `msgpack:",as_array"`
		A        int8
		B        string
	}
	body, err = codec.MsgPack{}.Marshal(row{A: 1, B: "x"})
	require.NoError(t, err)
	require.Equal(t, "\x92\x01\xa1x", string(body))
	requireDecodes(t, codec.MsgPack{}, body, row{A: 1, B: "x"})
	type anyRow struct {
		//lint:ignore U1000 msgpack takes the option from here
		_msgpack struct{} `msgpack:",as_array"`
		A        any
	}
	body, err = codec.MsgPack{}.Marshal([]anyRow{{A: map[int]int{1: 2}}, {A: 7}})
	require.NoError(t, err)
	require.Equal(t, "\x92\x91\x81\x01\x02\x91\x07", string(body))
	requireDecodes(t, codec.MsgPack{}, []byte("\x91\x91\x07"), []anyRow{{A: 7.0}})
	err = codec.MsgPack{}.Unmarshal([]byte("\x92\xcc\x80\xa1x"), new(row))
	require.EqualError(t, err, "codec: msgpack: element [0]: 128 is not from -128 to 127")
}

// A value in a map has no address. JSON ignores its pointer method, and MsgPack refuses the
// value.
func TestPointerMethodsInAMap(t *testing.T) {
	t.Parallel()
	value := map[string]big.Int{"a": *big.NewInt(7)}
	body, err := codec.JSON{}.Marshal(value)
	require.NoError(t, err)
	require.Equal(t, `{"a":{}}`, string(body))
	_, err = codec.MsgPack{}.Marshal(value)
	require.ErrorContains(t, err, `element [a]: Encode(non-addressable big.Int)`)
}

// JSON also finds a field whose name differs in case.
func TestNamesOfFields(t *testing.T) {
	t.Parallel()
	type target struct {
		Name string `json:"name"`
		NAME string // an exact match comes first
	}
	for c, want := range map[codec.Codec]target{codec.JSON{}: {"folded", "exact"}, codec.MsgPack{}: {"", "exact"}} {
		body, err := c.Marshal(object{"NAME": "exact", "nAmE": "folded", "unknown": []any{1, object{}}})
		require.NoError(t, err)
		requireDecodes(t, c, body, want)
	}
}

// Only JSON writes integer keys as strings. A map in an any has string keys.
func TestKeysOfMaps(t *testing.T) {
	t.Parallel()
	for c, want := range map[codec.Codec]string{codec.JSON{}: `{"7":true}`, codec.MsgPack{}: "\x81\x07\xc3"} {
		body, err := c.Marshal(map[int]bool{7: true})
		require.NoError(t, err)
		require.Equal(t, want, string(body))
	}
	err := codec.MsgPack{}.Unmarshal([]byte("\x81\x07\xc3"), new(any))
	require.EqualError(t, err, "codec: msgpack: element [7]: an integer, where a string was expected")
	err = codec.MsgPack{}.Unmarshal([]byte("\x81\xa17\xc3"), new(map[int]bool))
	require.EqualError(t, err, "codec: msgpack: element [7]: a string, where an integer was expected")
}

// For a type without nil, JSON leaves the value unchanged and MsgPack sets it to zero.
func TestNil(t *testing.T) {
	t.Parallel()
	type target struct {
		Int   int
		Float float64
		Bool  bool
		Text  string
		Bytes []byte
		Map   map[string]int
		Ptr   *int
		Time  *time.Time
		Inner named2
	}
	build := func() target {
		return target{1, 2, true, "3", []byte{4}, map[string]int{"5": 6}, ptr(7), &moment, named2{9}}
	}
	changed := build()
	changed.Bytes, changed.Map, changed.Ptr, changed.Time = nil, nil, nil, nil
	for c, want := range map[codec.Codec]target{codec.JSON{}: changed, codec.MsgPack{}: {}} {
		body, err := c.Marshal(object{
			"Int": nil, "Float": nil, "Bool": nil, "Text": nil, "Bytes": nil, "Map": nil, "Ptr": nil, "Time": nil, "Inner": nil,
		})
		require.NoError(t, err)
		got := build()
		require.NoError(t, c.Unmarshal(body, &got))
		require.Equal(t, want, got)
	}
	// msgpack cannot set a time.Time to zero.
	require.Error(t, codec.MsgPack{}.Unmarshal([]byte("\x81\xa4Time\xc0"), new(struct{ Time time.Time })))
}

// Only JSON drops surplus elements.
func TestArraysOfAnotherLength(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, c codec.Codec) {
		body, err := c.Marshal([]int{1, 2})
		require.NoError(t, err)
		requireDecodes(t, c, body, [3]int{1, 2, 0})
		if shortName(c) == "json" {
			requireDecodes(t, c, body, [1]int{1})
		} else {
			require.ErrorContains(t, c.Unmarshal(body, new([1]int)), "[1]int len is 1, but msgpack has 2 elements")
		}
	})
}

// TestForms checks the values whose MessagePack form differs from their JSON form.
func TestForms(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		value         any
		json, msgpack string
	}{
		"the tag option string": {struct {
			N int `json:",string"`
		}{7}, `{"N":"7"}`, "\x81\xa1N\x07"},
		"the tag option omitzero": {struct {
			N int `json:",omitzero"`
		}{}, `{}`, "\x81\xa1N\x00"},
		"the tag option omitempty": {struct {
			T time.Time `json:",omitempty"`
			S struct {
				A int `json:",omitempty"`
			} `json:",omitempty"`
		}{}, `{"T":"0001-01-01T00:00:00Z","S":{}}`, "\x80"},
		"a colon in a tag": {struct {
			N int `json:"a:b"`
		}{7}, `{"a:b":7}`, "\x81\xa1N\x07"},
		"an error": {struct{ E error }{errTooLong}, `{"E":{}}`, "\x81\xa1E\xaf300 is too long"},
		"the tag name -": {struct {
			N int `json:"-,"`
		}{7}, `{"-":7}`, "\x80"},
		"a text form":                    {netip.MustParsePrefix("10.0.0.0/8"), `"10.0.0.0/8"`, "\xc4\x05\x0a\x00\x00\x00\x08"},
		"a text form only":               {celsius(3), `"3.0°C"`, "\xc4\x063.0°C"},
		"MarshalJSON":                    {colour(2), `"colour 2"`, "\x02"},
		"a json.RawMessage":              {json.RawMessage("[1]"), `[1]`, "\xc4\x03[1]"},
		"a json.Number":                  {json.Number("7"), `7`, "\xa17"},
		"bytes":                          {[]byte("hi"), `"aGk="`, "\xc4\x02hi"},
		"an embedded struct with a name": {wrapping{named2{1}}, `{"named":{"Inside":1}}`, "\x81\xa6Inside\x01"},
	} {
		body, err := codec.JSON{}.Marshal(tt.value)
		require.NoError(t, err, name)
		require.Equal(t, tt.json, string(body), name)
		body, err = codec.MsgPack{}.Marshal(tt.value)
		require.NoError(t, err, name)
		require.Equal(t, tt.msgpack, string(body), name)
	}
}
