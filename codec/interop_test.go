package codec_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
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

// TestReadingMsgpack reads what programs that use msgpack v5 by itself write,
// and, in hexadecimal, what those in other languages do.
func TestReadingMsgpack(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("0b2f5a9e-5f0b-4c39-9a63-0d8f2f4f9d11")
	for _, tt := range []struct{ theirs, ours any }{
		{int64(7), 7},
		{uint64(7), int8(7)}, // nine bytes for what fits one
		{int64(-7), int8(-7)},
		{int32(-70000), -70000},
		{int16(-300), -300},
		{float32(0.5), 0.5},
		{0.5, float32(0.5)}, // most languages have no float32
		{[]any{0.5, 1, float32(2), 0.25}, []float32{0.5, 1, 2, 0.25}},
		{7, 7.0},
		{uint64(math.MaxUint64), float64(math.MaxUint64)},
		{uint64(1 << 63), float32(1 << 63)},
		{object{"a": 0.5, "b": []any{1.5}, "c": 2}, map[string]any{"a": 0.5, "b": []any{1.5}, "c": 2.0}},
		{"str", []byte("str")}, // old programs have one type for both
		{[]byte("bin"), "bin"},
		{"four", [4]byte([]byte("four"))},
		{"one", [4]byte([]byte("one\x00"))},
		{moment, moment.Local()},
		{moment.Truncate(time.Second), moment.Truncate(time.Second).Local()},
		{time.Date(1900, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(1900, 1, 1, 0, 0, 0, 1, time.UTC).Local()},
		{time.Time{}, time.Time{}},
		{[]any{moment}, []any{moment.Local()}},
		{[]any{moment, nil}, []*time.Time{ptr(moment.Local()), nil}},
		{id, id},
		{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.1")},
		{celsius(1.5), celsius(1.5)},
		{"1.5°C", celsius(1.5)}, // text in a string
		{cents(1999), cents(1999)},
		{map[int]string{-1: "a", 300: "b"}, map[int]string{-1: "a", 300: "b"}},
		{make([]int8, 20), make([]int, 20)},
		{map[string]any{"a": []any{nil, true}}, map[string]any{"a": []any{nil, true}}},
		{errTooLong, "300 is too long"},
	} {
		body, err := msgpack.Marshal(tt.theirs)
		if err, ok := tt.theirs.(error); ok {
			body, _ = msgpack.Marshal(err.Error())
		}
		require.NoError(t, err)
		requireDecodes(t, codec.MsgPack{}, body, tt.ours)
	}
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
	dec := msgpack.NewDecoder(bytes.NewReader(golden))
	dec.SetCustomStructTag("json")
	var got order
	require.NoError(t, dec.Decode(&got))
	want := newOrder(2)
	want.Created = want.Created.Local()
	require.Equal(t, want, got)

	for _, v := range []any{
		1, -1, int8(math.MinInt8), int64(math.MinInt64), uint64(math.MaxUint64), 1.5, float32(1.5), "x", []byte("y"),
		true, []string{"a"}, map[string]string{"k": "v"}, moment.Local(), time.Second,
	} {
		body, err := codec.MsgPack{}.Marshal(v)
		require.NoError(t, err)
		got := reflect.New(reflect.TypeOf(v))
		require.NoError(t, msgpack.Unmarshal(body, got.Interface()), "%T", v)
		require.EqualValues(t, v, got.Elem().Interface())
	}
}

// custom writes two values for one, which msgpack's own documentation shows.
type custom struct {
	S string
	N int
}

func (c *custom) EncodeMsgpack(enc *msgpack.Encoder) error { return enc.EncodeMulti(c.S, c.N) }
func (c *custom) DecodeMsgpack(dec *msgpack.Decoder) error { return dec.DecodeMulti(&c.S, &c.N) }

// tuple writes one value.
type tuple custom

func (c *tuple) EncodeMsgpack(enc *msgpack.Encoder) error { return enc.Encode([]any{c.S, c.N}) }
func (c *tuple) DecodeMsgpack(dec *msgpack.Decoder) error {
	if n, err := dec.DecodeArrayLen(); err != nil || n != 2 {
		return fmt.Errorf("%d elements: %w", n, errors.Join(err, io.ErrUnexpectedEOF))
	}
	return dec.DecodeMulti(&c.S, &c.N)
}

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
		pair[custom, pair[*custom, string]]{custom{"a", 1}, pair[*custom, string]{&custom{"b", 2}, "end"}},
		map[string]*tuple{"x": {"a", 300}, "y": nil},
		marshaler{"\x93\x01\x02\x03"},
		pair[marshaler, string]{marshaler{"\x81\xa1a\xc0"}, "end"},
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

// TestSeveralValuesForOne is what custom does: it works, but where keys are to
// be sorted, since nothing then says what belongs together.
func TestSeveralValuesForOne(t *testing.T) {
	t.Parallel()
	_, err := codec.MsgPack{}.Marshal([]any{&custom{"a", 1}, map[int]int{1: 2}})
	require.ErrorContains(t, err, "EncodeMsgpack must write one value")
	requireDecodes(t, codec.MsgPack{}, []byte("\xa1a\x01"), custom{"a", 1})
	require.ErrorContains(t, codec.MsgPack{}.Unmarshal([]byte("\xa1a\x01\xc0"), new(custom)), "1 byte after the value")
	require.ErrorIs(t, codec.MsgPack{}.Unmarshal([]byte("\xa1a"), new(custom)), io.EOF)

	// Beside a type that writes one value, all is as strict as ever.
	body, err := codec.MsgPack{}.Marshal(object{"A": []int{1, 2}, "B": 300})
	require.NoError(t, err)
	err = codec.MsgPack{}.Unmarshal(body, new(pair[msgpack.RawMessage, int8]))
	require.EqualError(t, err, `codec: msgpack: field "B": 300 is not from -128 to 127`)
	requireDecodes(t, codec.MsgPack{}, body, pair[msgpack.RawMessage, int16]{msgpack.RawMessage("\x92\x01\x02"), 300})
}

// TestRawMessagesKeepTheirBytes holds that sorting leaves alone what a method
// has written.
func TestRawMessagesKeepTheirBytes(t *testing.T) {
	t.Parallel()
	raw := msgpack.RawMessage("\x82\xa1b\x01\xa1a\x02")
	value := pair[map[int]string, msgpack.RawMessage]{map[int]string{2: "", 1: ""}, raw}
	body, err := codec.MsgPack{}.Marshal(value)
	require.NoError(t, err)
	require.Equal(t, "\x82\xa1A\x82\x01\xa0\x02\xa0\xa1B"+string(raw), string(body))
	requireDecodes(t, codec.MsgPack{}, body, value)
}

// broken writes what is no value.
type broken struct{ body string }

func (b broken) EncodeMsgpack(enc *msgpack.Encoder) error {
	_, err := enc.Writer().Write([]byte(b.body))
	return err
}

func TestBrokenMethods(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"\xc1": "code 0xc1 means nothing", "\xa2x": "the body ends", "\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00": "NaN and infinities",
		"\x92\xca\x7f\x80\x00\x00\x01": "NaN and infinities", "\xdd\xff\xff\xff\xff": "the body ends",
	} {
		_, err := codec.MsgPack{}.Marshal(broken{body})
		require.ErrorContains(t, err, want)
		_, err = codec.MsgPack{}.Marshal([]any{broken{body}})
		require.ErrorContains(t, err, want)
	}
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

// TestHostileExtensions is not parallel: it measures memory.
func TestHostileExtensions(t *testing.T) {
	for _, tt := range []struct {
		body   string
		target any
		want   string
	}{
		{"\xd5\xff\x01\x02", new(time.Time), "invalid ext len=2"},
		{"\xc7\x00\xff", new(time.Time), "invalid ext len=0"},
		{"\xd6\x07\x00\x00\x00\x00", new(time.Time), "invalid time ext id=7"},
		{"\x81\xa1A\xd6\x07\x00\x00\x00\x00", new(pair[time.Time, int]), `field "A": got ext type=7, wanted -1`},
		{"\xd6\xff\x00\x00\x00\x00", new(stamp), "decoding string"},
		{"\xd4\x4e\x37", new(any), "unknown ext id=78"},
		{"\xd4\x4e\x37", new(int), "invalid code=d4"},
		{"\xd4\x4e\x37", new(string), "invalid code=d4"},
		// msgpack takes the inside of an extension for a map, with any length.
		{"\xd8\x01\xdf\xff\xff\xff\xff0123456789a", new(object), "an extension, where an object was expected"},
		{"\xd8\x01\xdf\xff\xff\xff\xff0123456789a", new(map[string]int), "an extension, where an object was expected"},
		{"\xd8\x01\xdf\xff\xff\xff\xff0123456789a", new(untypedKeys), "the inside of an extension"},
		{"\xc7\x06\xff\xdf\xff\xff\xff\xff0", new(untypedKeys), "the inside of an extension"},
		{"\x91\xc8\x00\x06\xff\xdf\xff\xff\xff\xff0", new([]untypedKeys), "inside of an extension"},
		{"\xc7\x00\xff\xdf\xff\xff\xff\xff", new(untypedKeys), "the body ends"},
	} {
		var err error
		grown := allocated(func() { err = codec.MsgPack{}.Unmarshal([]byte(tt.body), tt.target) })
		require.ErrorContains(t, err, tt.want, "%q", tt.body)
		require.Less(t, grown, uint64(4<<20), "%q", tt.body)
	}
}
