package codec_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/bbebcec1/amqprpc-go/codec"
)

type object = map[string]any

type person struct {
	Name    string            `json:"name"`
	Age     int8              `json:"age"`
	Tags    []string          `json:"tags"`
	Visits  []visit           `json:"visits"`
	ByID    map[int8]uint8    `json:"by_id"`
	Born    time.Time         `json:"born"`
	Temp    celsius           `json:"temp"`
	Addr    netip.Addr        `json:"addr"`
	Scores  map[string]age    `json:"scores"`
	Ratio   float32           `json:"ratio"`
	Quoted  uint8             `json:"quoted,string"`
	Data    []byte            `json:"data"`
	Pair    [2]int8           `json:"pair"`
	Labels  map[string]string `json:"labels"`
	Err     error             `json:"err"`
	Chan    chan int          `json:"chan"`
	ByFloat map[float64]int   `json:"by_float"`
	*person2
}

// person2 is unexported and embedded as a pointer, so no decoder can allocate it.
type person2 struct{ Unreachable int }

type visit struct {
	Minutes *uint16 `json:"minutes"`
}

// The ends of the message for an int, a uint and a uintptr, which may have 32 or 64 bits.
var (
	notInt  = fmt.Sprintf(" is not from %d to %d", math.MinInt, math.MaxInt)
	notUint = fmt.Sprintf(" is not from 0 to %d", uint(math.MaxUint))
)

// decodeErrors lists bodies that both codecs refuse, with the errors. encoding/json and plain
// msgpack write the bodies, so the test does not depend on the tested code.
var decodeErrors = []struct {
	name   string
	body   any
	target any
	want   string // after "codec: json: " and "codec: msgpack: "
}{
	{"int8 above", 300, int8(0), "300 is not from -128 to 127"},
	{"int8 just above", 128, int8(0), "128 is not from -128 to 127"},
	{"int8 below", -129, int8(0), "-129 is not from -128 to 127"},
	{"int16 above", 1 << 15, int16(0), "32768 is not from -32768 to 32767"},
	{"int16 below", -1<<15 - 1, int16(0), "-32769 is not from -32768 to 32767"},
	{"int32 above", int64(1 << 31), int32(0), "2147483648 is not from -2147483648 to 2147483647"},
	{"int32 below", int64(-1<<31 - 1), int32(0), "-2147483649 is not from -2147483648 to 2147483647"},
	{"int64 above", uint64(1 << 63), int64(0), "9223372036854775808 is not from -9223372036854775808 to 9223372036854775807"},
	{"int above", uint64(math.MaxUint64), 0, "18446744073709551615" + notInt},
	{"uint8 above", 256, uint8(0), "256 is not from 0 to 255"},
	{"uint8 negative", -1, uint8(0), "-1 is not from 0 to 255"},
	{"uint16 above", 1 << 16, uint16(0), "65536 is not from 0 to 65535"},
	{"uint16 negative", -200, uint16(0), "-200 is not from 0 to 65535"},
	{"uint32 above", int64(1 << 32), uint32(0), "4294967296 is not from 0 to 4294967295"},
	{"uint32 negative", math.MinInt32, uint32(0), "-2147483648 is not from 0 to 4294967295"},
	{"uint64 negative", int64(math.MinInt64), uint64(0), "-9223372036854775808 is not from 0 to 18446744073709551615"},
	{"uint negative", -1, uint(0), "-1" + notUint},
	{"uintptr negative", -1, uintptr(0), "-1" + notUint},
	{"named", 300, age(0), "300 is not from -128 to 127"},
	{"duration", uint64(1 << 63), time.Duration(0), "9223372036854775808 is not from -9223372036854775808 to 9223372036854775807"},
	{"pointer", 300, ptr(int8(0)), "300 is not from -128 to 127"},
	{"pointer to pointer", 300, ptr(ptr(int8(0))), "300 is not from -128 to 127"},

	{"in a field", object{"age": 300}, person{}, `field "age": 300 is not from -128 to 127`},
	{"in a field of another case", object{"AGE": 300}, person{}, `field "age": 300 is not from -128 to 127`},
	{"in an array", []int{1, 300}, [2]int8{}, "300 is not from -128 to 127"},
	{"in a slice", []int{1, 2, -1}, []uint8{}, "-1 is not from 0 to 255"},
	{"in a map", object{"a": 300}, map[string]int8{}, "300 is not from -128 to 127"},
	{"as a key", object{"300": 1}, map[int8]int{}, "300 is not from -128 to 127"},
	{"as an unsigned key", object{"-1": 1}, map[uint8]int{}, "-1 is not from 0 to 255"},
	{"as a key of letters", object{"a": 1}, map[int]int{}, `"a", where an integer was expected`},
	{"as a key of odd letters", object{"a\n\"": 1}, map[int]int{}, `"a\n\"", where an integer was expected`},
	{"beyond 64 bits", json.Number("123456789012345678901234567890"), int64(0), "123456789012345678901234567890 is not from -9223372036854775808 to 9223372036854775807"},
	{"of 50 digits", json.Number(strings.Repeat("7", 50)), 0, strings.Repeat("7", 40) + "…" + notInt},
	{"beyond 64 bits unsigned", json.Number("18446744073709551616"), uint64(0), "18446744073709551616 is not from 0 to 18446744073709551615"},
	{"quoted", object{"quoted": "300"}, person{}, `field "quoted": 300 is not from 0 to 255`},
	{"quoted but bare", object{"quoted": 3}, person{}, "holds no value of the expected kind"},
	{"quoted garbage", object{"quoted": "x"}, person{}, "holds no value of the expected kind"},
	{"quoted empty", object{"quoted": ""}, person{}, ""},

	{"quoted bool", object{"Bool": "yes"}, quoted{}, "holds no value of the expected kind"},
	{"quoted int of a float", object{"Int": "1.5"}, quoted{}, "where an integer was expected"},
	{"quoted int above", object{"Int": "9223372036854775808"}, quoted{}, `field "Int": 9223372036854775808 is not from -9223372036854775808 to 9223372036854775807`},
	{"quoted uint below", object{"Uint": "-1"}, quoted{}, `field "Uint": -1 is not from 0 to 18446744073709551615`},
	{"quoted float", object{"Float": "x"}, quoted{}, "holds no value of the expected kind"},
	{"quoted float, nearly", object{"Float": "1e"}, quoted{}, ""},
	{"quoted float above", object{"Float32": "1e39"}, quoted{}, `field "Float32": 1e39 does not fit 32 bits`},
	{"quoted string without quotes", object{"String": "abc"}, quoted{}, "holds no value of the expected kind"},
	{"quoted number", object{"Number": "x"}, quoted{}, "holds no value of the expected kind"},

	{"float into int", 1.5, 0, "where an integer was expected"},
	{"float into uint", object{"quoted": "1.5"}, person{}, "where an integer was expected"},
	{"float32 above", 1e39, float32(0), "1e+39 does not fit 32 bits"},
	{"float64 above", json.Number("1e400"), float64(0), "1e400 does not fit 64 bits"},
	{"string into int", "7", 0, "a string, where an integer was expected"},
	{"bool into int", true, 0, "a bool, where an integer was expected"},
	{"array into int", []int{}, 0, "an array, where an integer was expected"},
	{"object into int", object{}, 0, "an object, where an integer was expected"},
	{"string into uint", "7", uint(0), "a string, where an integer was expected"},
	{"string into float", "7", 0.5, "a string, where a number was expected"},
	{"string into bool", "true", false, "a string, where a bool was expected"},
	{"bool into string", true, "", "a bool, where a string was expected"},
	{"string into slice", "x", []string{}, "a string, where an array was expected"},
	{"object into slice", object{}, []string{}, "an object, where an array was expected"},
	{"string into array", "x", [1]int{}, "a string, where an array was expected"},
	{"object into bytes", object{}, []byte{}, "an object, where bytes was expected"},
	{"array into map", []int{}, map[string]int{}, "an array, where an object was expected"},
	{"string into map of strings", "x", map[string]string{}, "a string, where an object was expected"},
	{"bool in map of strings", object{"a": true}, map[string]string{}, "a bool, where a string was expected"},
	{"string into any map", "x", map[string]any{}, "a string, where an object was expected"},
	{"array into struct", []int{}, struct{}{}, "an array, where an object was expected"},
	{"string into struct", "", visit{}, "a string, where an object was expected"},
	{"in a field of a field", object{"visits": []object{{"minutes": -1}}}, person{}, "-1 is not from 0 to 65535"},
	{"in a map of a field", object{"scores": object{"x": 300}}, person{}, "300 is not from -128 to 127"},
	{"interface with methods", object{"err": "x"}, person{}, "type error has no encoding"},
	{"channel", object{"chan": 1}, person{}, "chan int"},
	{"map with float keys", object{"by_float": object{"1.5": 1}}, person{}, "map[float64]int"},
	{"embedded pointer to unexported", object{"Unreachable": 1}, person{}, "cannot set embedded pointer to unexported struct"},

	{"time", object{"born": "yesterday"}, person{}, "yesterday"},
	{"time of a number", 7, time.Time{}, ""},
	{"text", object{"temp": "hot"}, person{}, "no temperature"},
	{"text of a number", object{"addr": 7}, person{}, "where text was expected"},
	{"own method", []int{1, 300}, shortList{}, "300 is too long"},
	{"number", "12x", json.Number(""), "12x"},
	{"number of a bool", true, json.Number(""), "a bool, where a number was expected"},
	{"big.Int of a float", 1.5, big.Int{}, "1.5"},
}

// msgpackSays has MsgPack's error for a body if that error differs; "-" if MsgPack accepts
// the body.
var msgpackSays = map[string]string{
	"uintptr negative":               "type uintptr has no encoding",
	"in a field of another case":     "-",
	"in a slice":                     "an array, where bytes was expected",
	"as a key":                       "a string, where an integer was expected",
	"as an unsigned key":             "a string, where an integer was expected",
	"as a key of letters":            "a string, where an integer was expected",
	"as a key of odd letters":        "a string, where an integer was expected",
	"beyond 64 bits":                 "a string, where an integer was expected",
	"of 50 digits":                   "a string, where an integer was expected",
	"beyond 64 bits unsigned":        "a string, where an integer was expected",
	"quoted":                         "a string, where an integer was expected",
	"quoted but bare":                "-",
	"quoted garbage":                 "a string, where an integer was expected",
	"quoted bool":                    "a string, where a bool was expected",
	"quoted float":                   "a string, where a number was expected",
	"quoted int above":               "a string, where an integer was expected",
	"quoted uint below":              "a string, where an integer was expected",
	"quoted float above":             "a string, where a number was expected",
	"quoted string without quotes":   "-",
	"quoted number":                  "-",
	"float64 above":                  "a string, where a number was expected",
	"interface with methods":         "-",
	"map with float keys":            "a string, where a number was expected",
	"embedded pointer to unexported": "unexported field",
	"time":                           "a string, where a time was expected",
	"own method":                     "-",
	"number":                         "-",
	"big.Int of a float":             "a float, where text was expected",
}

// shortList has a decoding method that fails.
type shortList []int

func (*shortList) UnmarshalJSON([]byte) error { return errTooLong }

var errTooLong = errors.New("300 is too long")

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range decodeErrors {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			both(t, func(t *testing.T, c codec.Codec) {
				err := c.Unmarshal(foreignBody(t, c, tt.body), reflect.New(reflect.TypeOf(tt.target)).Interface())
				want := tt.want
				if says := msgpackSays[tt.name]; says != "" && shortName(c) == "msgpack" {
					want = says
				}
				if want == "-" {
					require.NoError(t, err)
					return
				}
				require.Error(t, err)
				text, ok := strings.CutPrefix(err.Error(), "codec: "+shortName(c)+": ")
				require.True(t, ok, err)
				require.Contains(t, text, want)
			})
		})
	}
}

// foreignBody encodes v in the format of c without c.
func foreignBody(t *testing.T, c codec.Codec, v any) []byte {
	t.Helper()
	var body []byte
	var err error
	if shortName(c) == "json" {
		body, err = json.Marshal(v)
	} else {
		body, err = msgpack.Marshal(v)
	}
	require.NoError(t, err)
	return body
}

// MsgPack's errors have the full path of a field, while encoding/json omits elements and
// keys.
func TestDecodeErrorPaths(t *testing.T) {
	t.Parallel()
	for want, tt := range map[string]struct{ body, target any }{
		`codec: msgpack: field "visits[1].minutes": 65536 is not from 0 to 65535`:                                   {object{"visits": []object{{}, {"minutes": 65536}}}, person{}},
		`codec: msgpack: field "scores[x]": 300 is not from -128 to 127`:                                            {object{"scores": object{"x": 300}}, person{}},
		`codec: msgpack: element [2]: a string, where an integer was expected`:                                      {[]any{1, 2, "3"}, []int{}},
		`codec: msgpack: field "tags[0]": an integer, where a string was expected`:                                  {object{"tags": []int{1}}, person{}},
		`codec: msgpack: field "temp": no temperature`:                                                              {object{"temp": "hot"}, person{}},
		`codec: msgpack: field "pair[1]": 128 is not from -128 to 127`:                                              {object{"pair": []int{1, 128}}, person{}},
		`codec: msgpack: field "by_id[128]": 128 is not from -128 to 127`:                                           {object{"by_id": map[int]int{128: 1}}, person{}},
		`codec: msgpack: field "by_id[1]": 256 is not from 0 to 255`:                                                {object{"by_id": map[int]int{1: 256}}, person{}},
		`codec: msgpack: field "labels[a]": an array, where a string was expected`:                                  {object{"labels": object{"a": []int{}}}, person{}},
		`codec: msgpack: field "labels[` + strings.Repeat("k", 40) + `…]": an integer, where a string was expected`: {object{"labels": object{strings.Repeat("k", 50): 1}}, person{}},
	} {
		body, err := msgpack.Marshal(tt.body)
		require.NoError(t, err)
		err = codec.MsgPack{}.Unmarshal(body, reflect.New(reflect.TypeOf(tt.target)).Interface())
		require.ErrorContains(t, err, want)
	}
}

func TestDecodeErrorInTheDeepIsShort(t *testing.T) {
	t.Parallel()
	body := []byte(strings.Repeat("\x91", 5000) + "\xca\x7f\x80\x00\x00")
	var v any
	err := codec.MsgPack{}.Unmarshal(body, &v)
	require.EqualError(t, err, "codec: msgpack: element "+strings.Repeat("[0]", 8)+"[…]"+strings.Repeat("[0]", 8)+": NaN and infinities have no encoding")
}

func TestErrorsWrapTheirCause(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, c codec.Codec) {
		err := c.Unmarshal(foreignBody(t, c, object{"A": "x"}), new(pair[failingText, int]))
		require.ErrorIs(t, err, errTooLong)
		if shortName(c) == "msgpack" {
			require.EqualError(t, err, `codec: msgpack: field "A": 300 is too long`)
		}
		_, err = c.Marshal(pair[failingText, int]{})
		require.ErrorIs(t, err, errTooLong)
	})
	err := codec.JSON{}.Unmarshal([]byte(`{"A":[]}`), new(pair[shortList, int]))
	require.ErrorIs(t, err, errTooLong)
	_, err = codec.MsgPack{}.Marshal(pair[int, failingText]{})
	require.EqualError(t, err, `codec: msgpack: field "B": 300 is too long`)
	var typ *json.UnmarshalTypeError
	require.ErrorAs(t, codec.JSON{}.Unmarshal([]byte(`{"A":7}`), &struct{ A string }{}), &typ)
	var syntax *json.SyntaxError
	require.ErrorAs(t, codec.JSON{}.Unmarshal([]byte(`{`), new(any)), &syntax)
	require.ErrorIs(t, codec.MsgPack{}.Unmarshal([]byte{0x92, 1}, new(any)), io.ErrUnexpectedEOF)
}

type failingText struct{}

func (failingText) MarshalText() ([]byte, error) { return nil, errTooLong }

func (*failingText) UnmarshalText([]byte) error { return errTooLong }

// nesting uses a codec in a method.
type nesting struct{}

func (nesting) MarshalText() ([]byte, error) { return codec.JSON{}.Marshal(pair[int, func()]{}) }

func TestErrorsOfACodecInAMethod(t *testing.T) {
	t.Parallel()
	_, err := codec.MsgPack{}.Marshal(pair[int, nesting]{})
	require.EqualError(t, err, `codec: msgpack: field "B": codec: json: unsupported type: func()`)
}

func TestMarshalErrors(t *testing.T) {
	t.Parallel()
	cycle := &tree{}
	cycle.Children = []*tree{cycle}
	loop := map[string]any{}
	loop["self"] = loop
	type maps map[string]maps
	typedLoop := maps{}
	typedLoop["self"] = typedLoop
	var self any
	self = &self
	for name, tt := range map[string]struct {
		value any
		want  string
	}{
		"NaN":             {pair[string, float64]{"a", math.NaN()}, ""},
		"Inf":             {[]any{math.Inf(1)}, ""},
		"-Inf float32":    {float32(math.Inf(-1)), ""},
		"NaN quoted":      {quoted{Float: math.NaN()}, ""},
		"channel":         {make(chan int), "chan int"},
		"func in a field": {pair[int, func()]{}, "func()"},
		"complex":         {complex(1, 2), "complex128"},
		"own text error":  {object{"x": failingText{}}, "300 is too long"},
		"own key error":   {map[failingText]int{{}: 1}, "300 is too long"},
		"struct cycle":    {cycle, ""},
		"map cycle":       {loop, ""},
		"typed map cycle": {typedLoop, ""},
		"interface cycle": {self, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			both(t, func(t *testing.T, c codec.Codec) {
				body, err := c.Marshal(tt.value)
				require.ErrorContains(t, err, tt.want)
				require.True(t, strings.HasPrefix(err.Error(), "codec: "+shortName(c)+": "), err)
				require.Nil(t, body)

				// A failure does not affect later uses of the pooled encoder.
				body, err = c.Marshal("next")
				require.NoError(t, err)
				requireDecodes(t, c, body, "next")
			})
		})
	}
}

func TestMsgPackMarshalErrorsNameTheField(t *testing.T) {
	t.Parallel()
	_, err := codec.MsgPack{}.Marshal(page[pair[float64, string]]{Items: []pair[float64, string]{{}, {A: math.NaN()}}})
	require.EqualError(t, err, `codec: msgpack: field "items[1].A": NaN and infinities have no encoding`)
	_, err = codec.MsgPack{}.Marshal(object{"a": []any{map[string]func(){"f": nil}}})
	require.EqualError(t, err, `codec: msgpack: element [a][0][f]: Encode(unsupported func())`)
}

// panicking has methods for both codecs.
type panicking struct{ A int }

func (panicking) MarshalJSON() ([]byte, error)            { panic(errTooLong) }
func (*panicking) UnmarshalJSON([]byte) error             { panic("no luck") }
func (panicking) EncodeMsgpack(*msgpack.Encoder) error    { panic(errTooLong) }
func (*panicking) DecodeMsgpack(d *msgpack.Decoder) error { panic("no luck") }

func TestPanicsOfMethodsAreErrors(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, c codec.Codec) {
		for range 3 {
			_, err := c.Marshal([]panicking{{1}})
			require.ErrorContains(t, err, "panicked: 300 is too long")
			require.ErrorIs(t, err, errTooLong)
			body, err := c.Marshal([]object{{"A": 1}})
			require.NoError(t, err)
			require.ErrorContains(t, c.Unmarshal(body, new([]panicking)), "panicked: no luck")
			requireDecodes(t, c, body, []object{{"A": 1.0}})
		}
	})
	require.ErrorContains(t, codec.JSON{UseNumber: true}.Unmarshal([]byte("{}"), new(panicking)), "panicked: no luck")
}

func TestTargetsThatCannotBeSet(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, c codec.Codec) {
		body, err := c.Marshal(7)
		require.NoError(t, err)
		for _, target := range []any{nil, 7, "x", (*int)(nil), struct{}{}, map[string]int{}} {
			require.ErrorContains(t, c.Unmarshal(body, target), "it must be a pointer that is not nil")
		}
	})
}

func TestWhatFollowsTheValue(t *testing.T) {
	t.Parallel()
	for _, c := range []codec.Codec{codec.JSON{}, codec.JSON{UseNumber: true}, codec.JSON{DisallowUnknownFields: true}} {
		for _, body := range []string{"1 1", "1,", "{}{}", "[1]]", "null null", "1\x00", `"a" "b"`, "{} // x"} {
			require.Error(t, c.Unmarshal([]byte(body), new(any)), body)
		}
		for _, body := range []string{"1 ", "\r\n\t 1", " 1\r\n\t ", "{}\n"} {
			require.NoError(t, c.Unmarshal([]byte(body), new(any)), strconv.Quote(body))
		}
		for _, body := range []string{"", " ", "\n"} {
			require.ErrorContains(t, c.Unmarshal([]byte(body), new(any)), "unexpected end of JSON input", strconv.Quote(body))
		}
	}
	for body, want := range map[string]string{
		"\x01\x01":     "1 byte after the value",
		"\x01\n":       "1 byte after the value",
		"\xc0\xc0\xc0": "2 bytes after the value",
		"\x80\x80":     "1 byte after the value",
		"\xa1ab":       "1 byte after the value",
		"":             "the body ends in the middle of a value",
	} {
		require.ErrorContains(t, codec.MsgPack{}.Unmarshal([]byte(body), new(any)), want, strconv.Quote(body))
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, c := range []codec.Codec{
		codec.JSON{DisallowUnknownFields: true, UseNumber: true},
		codec.MsgPack{DisallowUnknownFields: true, UseNumber: true},
	} {
		t.Run(shortName(c), func(t *testing.T) {
			t.Parallel()
			body, err := c.Marshal(object{"minutes": 1, "hours": 2})
			require.NoError(t, err)
			require.ErrorContains(t, c.Unmarshal(body, new(visit)), `unknown field "hours"`)
			require.ErrorContains(t, c.Unmarshal(body, new(struct{})), "unknown field")

			body, err = c.Marshal([]any{1, -1.5, uint64(math.MaxUint64), object{"n": 1e30}, []int64{1 << 60}})
			require.NoError(t, err)
			requireDecodes(t, c, body, []any{
				json.Number("1"), json.Number("-1.5"), json.Number("18446744073709551615"),
				object{"n": json.Number("1e+30")}, []any{json.Number("1152921504606846976")},
			})
		})
	}
}
