package codec_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/codec"
)

// The test claims lengths that exceed the body, for every head with a length and every kind
// of Go type that could use it.
func TestLengthsThatAreNotThere(t *testing.T) {
	heads := []string{
		"\x9f", "\xdc\xff\xff", "\xdd\xff\xff\xff\xff", // arrays
		"\x8f", "\xde\xff\xff", "\xdf\xff\xff\xff\xff", // maps
		"\xbf", "\xd9\xff", "\xda\xff\xff", "\xdb\xff\xff\xff\xff", // strings
		"\xc4\xff", "\xc5\xff\xff", "\xc6\xff\xff\xff\xff", // binary data
		"\xc7\xff\x01", "\xc8\xff\xff\x01", "\xc9\xff\xff\xff\xff\x01", "\xd8\x01", // extensions
		"\xcc", "\xcd\x01", "\xce\x01", "\xcf\x01", "\xd0", "\xd1\x01", "\xd2\x01", "\xd3\x01", "\xca\x01", "\xcb\x01",
	}
	targets := []reflect.Type{
		reflect.TypeFor[any](), reflect.TypeFor[[]int](), reflect.TypeFor[[][1 << 20]byte](), reflect.TypeFor[[]struct{}](),
		reflect.TypeFor[map[string]string](), reflect.TypeFor[map[string]any](), reflect.TypeFor[map[int8][]string](),
		reflect.TypeFor[string](), reflect.TypeFor[[]byte](), reflect.TypeFor[[8]byte](), reflect.TypeFor[everything](),
		reflect.TypeFor[struct{}](), reflect.TypeFor[custom](), reflect.TypeFor[untypedKeys](), reflect.TypeFor[stamp](), reflect.TypeFor[time.Time](),
		reflect.TypeFor[int](), reflect.TypeFor[uint8](), reflect.TypeFor[float64](), reflect.TypeFor[bool](),
	}
	for _, head := range heads {
		for _, body := range []string{head, "\x91" + head, "\x81\xa1a" + head, "\x81" + head} {
			for _, typ := range targets {
				var err error
				grown := allocated(func() {
					err = codec.MsgPack{}.Unmarshal([]byte(body), reflect.New(typ).Interface())
				})
				require.Error(t, err, "%q into %s", body, typ)
				require.Less(t, grown, uint64(4<<20), "%q into %s", body, typ)
			}
		}
	}
}

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// The bodies have as many elements as they claim, and the elements' Go types are much bigger
// in memory.
func TestMemoryIsInProportion(t *testing.T) {
	type wide struct{ A, B, C, D, E, F, G, H [16]int64 }
	const n = 100
	body := binary.BigEndian.AppendUint32([]byte{0xdd}, n)
	body = append(body, bytes.Repeat([]byte{0x80}, n)...)
	var v []wide
	grown := allocated(func() { require.NoError(t, codec.MsgPack{}.Unmarshal(body, &v)) })
	require.Len(t, v, n)
	require.Less(t, grown, uint64(4*n*1024))

	// With one bad element, the decoder allocates no elements.
	body[5+3] = 0xc1
	grown = allocated(func() { require.ErrorContains(t, codec.MsgPack{}.Unmarshal(body, &v), "code 0xc1") })
	require.Less(t, grown, uint64(4096))
}

// The test nests arrays and maps that each claim the rest of the body.
func TestNestedClaims(t *testing.T) {
	type lists []lists
	type maps map[string]maps
	const levels, rest = 9_000, 1 << 20
	lie := func(head string, n uint32) []byte {
		body := strings.Repeat(head+string(binary.BigEndian.AppendUint32(nil, n)), levels)
		return append([]byte(body), make([]byte, rest)...)
	}
	for _, tt := range []struct {
		body   []byte
		target any
	}{
		{lie("\xdd", rest), new(any)},
		{lie("\xdd", rest), new(lists)},
		{lie("\xdd", rest), new([]any)},
		{lie("\xdd", rest), new(untypedKeys)},
		{lie("\x81\xa0\xdf", rest/4), new(any)},
		{lie("\xdf", rest/4), new(any)},
		{lie("\x81\xa0\xdf", rest/4), new(maps)},
		{lie("\x81\xa8Children\xdd", rest), new(tree)},
	} {
		grown := allocated(func() { require.Error(t, codec.MsgPack{}.Unmarshal(tt.body, tt.target)) })
		require.Less(t, grown, uint64(2<<20), "%T", tt.target)
	}
}

func TestEveryPrefixIsShort(t *testing.T) {
	t.Parallel()
	body, err := codec.MsgPack{}.Marshal(newOrder(20))
	require.NoError(t, err)
	for n := range body {
		require.ErrorIs(t, codec.MsgPack{}.Unmarshal(body[:n], new(order)), io.ErrUnexpectedEOF, n)
		require.ErrorIs(t, codec.MsgPack{}.Unmarshal(body[:n], new(any)), io.ErrUnexpectedEOF, n)
		require.ErrorIs(t, codec.MsgPack{}.Unmarshal(body[:n], new(struct{})), io.ErrUnexpectedEOF, n)
	}
}

// Both codecs accept 10,000 levels and refuse one more.
func TestDepth(t *testing.T) {
	t.Parallel()
	type list struct{ Next *list }
	type lists []lists
	type maps map[string]maps
	const limit = 10_000
	json := func(open, end string) func(n int) string {
		return func(n int) string { return strings.Repeat(open, n) + strings.Repeat(end, n) }
	}
	msgpack := func(open string) func(n int) string {
		last := open[:1]
		switch last {
		case "\x91":
			last = "\x90"
		default:
			last = "\x80"
		}
		return func(n int) string { return strings.Repeat(open, n-1) + last }
	}
	for _, tt := range []struct {
		codec  codec.Codec
		body   func(n int) string
		target reflect.Type
	}{
		{codec.JSON{}, json("[", "]"), reflect.TypeFor[any]()},
		{codec.MsgPack{}, msgpack("\x91"), reflect.TypeFor[any]()},
		{codec.MsgPack{}, msgpack("\x81\xa0"), reflect.TypeFor[any]()},
		{codec.MsgPack{}, msgpack("\x81\xa0"), reflect.TypeFor[map[string]any]()},
		{codec.JSON{}, json("[", "]"), reflect.TypeFor[lists]()},
		{codec.MsgPack{}, msgpack("\x91"), reflect.TypeFor[lists]()},
		{codec.MsgPack{}, msgpack("\x81\xa0"), reflect.TypeFor[maps]()},
		{codec.MsgPack{}, msgpack("\x81\xa4Next"), reflect.TypeFor[list]()},
		{codec.MsgPack{}, msgpack("\x81\xa4Skip"), reflect.TypeFor[list]()},
	} {
		v := reflect.New(tt.target)
		require.NoError(t, tt.codec.Unmarshal([]byte(tt.body(limit)), v.Interface()), tt.target)
		require.Error(t, tt.codec.Unmarshal([]byte(tt.body(limit+1)), reflect.New(tt.target).Interface()), tt.target)
		require.Error(t, tt.codec.Unmarshal([]byte(tt.body(1<<20)), reflect.New(tt.target).Interface()), tt.target)

		// A value that decodes also encodes.
		body, err := tt.codec.Marshal(v.Interface())
		require.NoError(t, err)
		require.NoError(t, tt.codec.Unmarshal(body, reflect.New(tt.target).Interface()))
	}
}

func TestPointerToItself(t *testing.T) {
	t.Parallel()
	var v any
	v = &v
	require.NoError(t, codec.MsgPack{}.Unmarshal([]byte{1}, &v))
	require.Equal(t, 1.0, v)
	held := pair[any, []any]{"old", []any{"old", 1}}
	require.NoError(t, codec.MsgPack{}.Unmarshal([]byte("\x82\xa1A\xc3\xa1B\x91\xc2"), &held))
	require.Equal(t, pair[any, []any]{true, []any{false}}, held, "what they held is dropped")

	type self *self
	require.ErrorContains(t, codec.MsgPack{}.Unmarshal([]byte{1}, new(self)), "has no encoding")
	_, err := codec.MsgPack{}.Marshal(self(nil))
	require.ErrorContains(t, err, "has no encoding")
}

func TestNotFinite(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00", "\xcb\xff\xf0\x00\x00\x00\x00\x00\x00",
		"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x01", "\xca\x7f\x80\x00\x00", "\xca\xff\xc0\x00\x00",
	} {
		for _, v := range []any{new(float64), new(float32), new(any)} {
			require.ErrorContains(t, codec.MsgPack{}.Unmarshal([]byte(body), v), "NaN and infinities")
		}
	}
}

func TestKeysThatAreNotStrings(t *testing.T) {
	t.Parallel()
	for body, kind := range map[string]string{
		"\x81\xc3\x01": "a bool",
		"\x81\x07\x01": "an integer",
		"\x81\xcb\x00\x00\x00\x00\x00\x00\x00\x00\x01": "a float",
		"\x81\x90\x01": "an array",
		"\x81\x80\x01": "an object",
	} {
		for _, v := range []any{new(any), new(object), new(map[string]string)} {
			require.ErrorContains(t, codec.MsgPack{}.Unmarshal([]byte(body), v), kind+", where a string was expected")
		}
		require.ErrorContains(t, codec.MsgPack{}.Unmarshal([]byte(body), new(visit)), kind+" is not the name of a field")
	}
	require.Error(t, codec.MsgPack{}.Unmarshal([]byte("\x81\xd4\x01\x01\x01"), new(object)))
	require.ErrorContains(t, codec.MsgPack{}.Unmarshal([]byte("\x81\xc1\x01"), new(any)), "code 0xc1")
}
