package codec_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/bbebcec1/amqprpc-go/codec"
)

// TestReadingMsgpack reads what programs that use msgpack v5 by itself write.
func TestReadingMsgpack(t *testing.T) {
	t.Parallel()
	moment := time.Date(2026, 3, 14, 15, 9, 26, 535897932, time.UTC)
	id := uuid.MustParse("0b2f5a9e-5f0b-4c39-9a63-0d8f2f4f9d11")
	for _, tt := range []struct{ theirs, ours any }{
		{int64(7), 7},
		{uint64(7), int8(7)}, // nine bytes for what fits one
		{int64(-7), int8(-7)},
		{int32(-70000), -70000},
		{int16(-300), -300},
		{float32(0.5), 0.5},
		{0.5, float32(0.5)},
		{7, 7.0},
		{uint64(math.MaxUint64), float64(math.MaxUint64)},
		{"str", []byte("str")}, // old programs have one type for both
		{[]byte("bin"), "bin"},
		{"four and more", [4]byte([]byte("four"))},
		{"one", [4]byte([]byte("one\x00"))},
		{[]int{1, 2, 255}, []byte{1, 2, 255}},
		{[]int{1, 2}, [3]byte{1, 2, 0}},
		{moment, moment}, // MessagePack's timestamp
		{moment.Truncate(time.Second), moment.Truncate(time.Second)},
		{time.Date(1900, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(1900, 1, 1, 0, 0, 0, 1, time.UTC)},
		{time.Time{}, time.Time{}},
		{[]any{moment}, []any{moment}},
		{moment, stamp{"2026-03-14T15:09:26.535897932Z"}},
		{moment, shape{`"2026-03-14T15:09:26.535897932Z"`}},
		{id, id}, // UnmarshalBinary
		{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.1")},
		{celsius(1.5), celsius(1.5)}, // text in binary data
		{[]byte("hi"), shape{`"aGk="`}},
		{cents(1999), cents(1999)},
		{"19.99", cents(1999)},
		{"12.50", json.Number("12.50")},
		{map[int]string{-1: "a", 300: "b"}, map[int]string{-1: "a", 300: "b"}},
		{map[int]string{-1: "a", 300: "b"}, map[string]any{"-1": "a", "300": "b"}},
		{map[int]string{-1: "a"}, map[string]string{"-1": "a"}},
		{map[int]string{7: "a"}, shape{`{"7":"a"}`}},
		{map[int]bool{7: true}, struct {
			Seven bool `json:"7"`
		}{true}},
		{make([]int8, 20), make([]int, 20)},
		{map[string]any{"a": []any{nil, true}}, map[string]any{"a": []any{nil, true}}},
	} {
		body, err := msgpack.Marshal(tt.theirs)
		require.NoError(t, err)
		requireDecodes(t, codec.MsgPack{}, body, tt.ours)
	}
}

// TestNumberExtension reads numbers in our extension that another program
// might have written in MessagePack's own way.
func TestNumberExtension(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		literal string
		want    any
	}{
		{"7", int8(7)},
		{"-7", -7},
		{"255", uint8(255)},
		{"18446744073709551615", uint64(math.MaxUint64)},
		{"1.5", 1.5},
		{"7", float32(7)},
		{"3.14159265358979323846", math.Pi},
		{"3.14159265358979323846", json.Number("3.14159265358979323846")},
		{"9007199254740993", int64(9007199254740993)},
		{"1e999", json.Number("1e999")},
		{"1e999", json.RawMessage("1e999")},
	} {
		body := append([]byte{0xc7, byte(len(tt.literal)), 'N'}, tt.literal...)
		requireDecodes(t, codec.MsgPack{}, body, tt.want)
		requireDecodes(t, codec.MsgPack{}, append([]byte{0x91}, body...), []any{numberInAny(tt.literal)})
	}
	for _, target := range []any{new(int), new(uint8)} {
		require.ErrorContains(t, codec.MsgPack{}.Unmarshal([]byte("\xc7\x05N1e999"), target), "cannot decode 1e999 into")
		require.ErrorContains(t, codec.MsgPack{}.Unmarshal([]byte("\xc7\x05N1.5e0"), target), "cannot decode 1.5e0 into")
	}
	require.ErrorContains(t, codec.MsgPack{}.Unmarshal([]byte("\xc7\x05N1e999"), new(float64)), "1e999 does not fit float64")
}

func numberInAny(literal string) any {
	switch literal {
	case "1e999", "3.14159265358979323846":
		return json.Number(literal)
	case "9007199254740993":
		return int64(9007199254740993)
	case "18446744073709551615":
		return uint64(math.MaxUint64)
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		panic(err)
	}
	return f
}

// cents has a JSON form, and a binary one that msgpack v5 prefers.
type cents int64

func (c cents) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, `"%d.%02d"`, c/100, c%100), nil }

func (c *cents) UnmarshalJSON(data []byte) error {
	f, err := strconv.ParseFloat(strings.Trim(string(data), `"`), 64)
	*c = cents(math.Round(f * 100))
	return err
}

func (c cents) MarshalBinary() ([]byte, error) { return binary.AppendVarint(nil, int64(c)), nil }

func (c *cents) UnmarshalBinary(data []byte) error {
	n, size := binary.Varint(data)
	if size != len(data) {
		return errors.New("no varint")
	}
	*c = cents(n)
	return nil
}

// stamp reads and writes text.
type stamp struct{ text string }

func (s stamp) MarshalText() ([]byte, error)  { return []byte(s.text), nil }
func (s *stamp) UnmarshalText(b []byte) error { s.text = string(b); return nil }

// TestBeingReadByMsgpack has msgpack v5 by itself read what MsgPack writes.
func TestBeingReadByMsgpack(t *testing.T) {
	t.Parallel()
	golden, err := os.ReadFile("testdata/order.msgpack")
	require.NoError(t, err)
	var got any
	require.NoError(t, msgpack.Unmarshal(golden, &got))
	text, err := json.Marshal(got)
	require.NoError(t, err)
	want, err := os.ReadFile("testdata/order.json")
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(text))

	for _, v := range []any{
		1, -1, int8(math.MinInt8), int64(math.MinInt64), uint64(math.MaxUint64), 1.5, float32(1.5), "x", []byte("y"),
		true, []string{"a"}, map[string]string{"k": "v"}, time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), time.Second,
	} {
		body, err := codec.MsgPack{}.Marshal(v)
		require.NoError(t, err)
		got := reflect.New(reflect.TypeOf(v))
		require.NoError(t, msgpack.Unmarshal(body, got.Interface()), "%T", v)
		require.Equal(t, v, got.Elem().Interface())
	}
}

// custom writes two values for one, which msgpack's own documentation shows.
type custom struct {
	S string
	N int
}

func (c *custom) EncodeMsgpack(enc *msgpack.Encoder) error { return enc.EncodeMulti(c.S, c.N) }
func (c *custom) DecodeMsgpack(dec *msgpack.Decoder) error { return dec.DecodeMulti(&c.S, &c.N) }

// marshaler writes its own bytes.
type marshaler struct{ body string }

func (m marshaler) MarshalMsgpack() ([]byte, error)     { return []byte(m.body), nil }
func (m *marshaler) UnmarshalMsgpack(data []byte) error { m.body = string(data); return nil }

// registered is known to msgpack as an extension. It has no way into JSON.
type registered struct{ n byte }

func (r *registered) MarshalMsgpack() ([]byte, error) { return []byte{r.n, r.n}, nil }
func (r *registered) UnmarshalMsgpack(data []byte) error {
	if len(data) != 2 {
		return fmt.Errorf("%d bytes", len(data))
	}
	r.n = data[0]
	return nil
}

// TestMsgpackMethods is not parallel: extensions are registered for the whole
// program.
func TestMsgpackMethods(t *testing.T) {
	msgpack.RegisterExt(42, (*registered)(nil))
	t.Cleanup(func() { msgpack.UnregisterExt(42) })
	for _, v := range []any{
		custom{"a", 1},
		&custom{"a", 1},
		[]custom{{"a", 1}, {"b", -2}},
		[]*custom{{"a", 1}, nil, {"b", 2}},
		map[string]custom{"x": {"a", 300}},
		pair[custom, pair[*custom, string]]{custom{"a", 1}, pair[*custom, string]{&custom{"b", 2}, "end"}},
		marshaler{"\x93\x01\x02\x03"},
		pair[marshaler, string]{marshaler{"\x81\xa1a\xc0"}, "end"},
		struct {
			Celsius celsius `json:",string"` // has a form of its own: the option means nothing
		}{1.5},
		registered{7},
		pair[registered, *registered]{registered{7}, &registered{8}},
		msgpack.RawMessage("\x92\x01\xa1x"),
		pair[msgpack.RawMessage, int]{nil, 1},
	} {
		body, err := codec.MsgPack{}.Marshal(v)
		require.NoError(t, err)
		requireDecodes(t, codec.MsgPack{}, body, v)
	}

	// The extension is found for an any, too.
	body, err := codec.MsgPack{}.Marshal([]any{&registered{9}})
	require.NoError(t, err)
	require.Equal(t, []byte{0x91, 0xd5, 42, 9, 9}, body)
	requireDecodes(t, codec.MsgPack{}, body, []any{&registered{9}})
}

// untypedKeys has msgpack decode a map of any keys, which panics on a map with
// an array for a key.
type untypedKeys struct{ m map[any]any }

func (u *untypedKeys) DecodeMsgpack(dec *msgpack.Decoder) (err error) {
	u.m, err = dec.DecodeUntypedMap()
	return err
}

func TestMsgpackMethodsMeetHostileBodies(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("\x91", 1<<20) + "\x01"
	for body, want := range map[string]string{
		"\x81\x90\x01":                 "panicked",
		deep:                           "nested deeper",
		"\xdf\xff\xff\xff\xff\x01\x01": "the body ends",
		"\x81\x01":                     "the body ends",
		"\xc1":                         "code 0xc1",
		"\x01":                         "decoding map length",
	} {
		require.ErrorContains(t, codec.MsgPack{}.Unmarshal([]byte(body), new(untypedKeys)), want)
	}
	require.ErrorContains(t, codec.MsgPack{}.Unmarshal([]byte{0xd5, 99, 1, 2}, new(any)), "unknown ext id=99")
	require.Error(t, codec.MsgPack{}.Unmarshal([]byte{0x91, 0xa1, 'x'}, new([]custom)), "its second value is missing")
	require.Error(t, codec.MsgPack{}.Unmarshal([]byte{0x91, 0xa1, 'x'}, new(pair[msgpack.RawMessage, int])))
}

func TestHostileTimestampsAndNumbers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		body   string
		target any
		want   string
	}{
		{"\xd5\xff\x01\x02", new(time.Time), "4, 8 or 12 bytes, not 2"},
		{"\xd7\xff\xff\xff\xff\xff\x00\x00\x00\x00", new(any), "999999999 nanoseconds"},
		{"\xc7\x00\xff", new(time.Time), "4, 8 or 12 bytes, not 0"},
		{"\xd6\x07\x00\x00\x00\x00", new(time.Time), "extension 7 is no timestamp"},
		{"\xd6\x07\x00\x00\x00\x00", new(stamp), "extension 7 is no timestamp"},
		{"\xc7\x0c\xff\x00\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff", new(stamp), "year"},
		{"\xc7\x0c\xff\x00\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff", new(shape), "year"},
		{"\xc7\x0aN\xff234567890", new(any), "unknown ext id=78"},
		{"\xc7\x00N", new(json.Number), "cannot decode an extension into json.Number"},
		{"\xd4N-", new(json.RawMessage), "cannot decode an extension"},
		{"\xd4Nx", new(float64), "cannot decode an extension into float64"},
		{"\xd5N1.", new(int), "cannot decode an extension into int"},
		{"\xd4Nx", new(uint), "cannot decode an extension into uint"},
		{"\xd4Nx", new(string), "cannot decode an extension into string"},
	} {
		require.ErrorContains(t, codec.MsgPack{}.Unmarshal([]byte(tt.body), tt.target), tt.want, "%q", tt.body)
	}
}
