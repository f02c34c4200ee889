package codec_test

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/codec"
)

// rich is what fuzzed bodies are decoded into: all that the decoders have
// code of its own for.
type rich struct {
	everything
	Ints    [4]int8
	Uints   []uint16
	Floats  map[string]float32
	Strings map[string]string
	AnyMap  map[string]any
	Custom  []custom
	Tree    *tree
	Times   map[netip.Addr]*time.Time
	Numbers []json.Number
	Shape   shape
	Stamp   stamp
	Bytes   [][]byte
	Secrets []secret
	Omit    omitting
}

func seeds(f *testing.F, c codec.Codec) {
	f.Helper()
	for _, tt := range parity {
		body, err := c.Marshal(tt.value)
		require.NoError(f, err, tt.name)
		if len(body) < 1<<10 {
			f.Add(body)
		}
	}
	body, err := c.Marshal(rich{Custom: []custom{{"a", 1}}, Tree: &tree{Value: 1, ByName: map[string]*tree{"x": nil}}})
	require.NoError(f, err)
	f.Add(body)
}

func FuzzJSONIntoStruct(f *testing.F) {
	seeds(f, codec.JSON{})
	f.Add([]byte(`{"Omit":{"int":300},"Ints":[1,2,3,4,5],"QUOTED":{"Int":"1"}}`))
	f.Add([]byte(`{"a":1} x`))
	f.Fuzz(func(t *testing.T, body []byte) { fuzzDecode[rich](t, codec.JSON{}, body) })
}

func FuzzJSONIntoAny(f *testing.F) {
	seeds(f, codec.JSON{})
	f.Add([]byte(strings.Repeat("[", 10_001)))
	f.Fuzz(func(t *testing.T, body []byte) { fuzzDecode[any](t, codec.JSON{}, body) })
}

func FuzzMsgPackIntoStruct(f *testing.F) {
	seeds(f, codec.MsgPack{})
	seedsHostile(f)
	f.Fuzz(func(t *testing.T, body []byte) { fuzzDecode[rich](t, codec.MsgPack{}, body) })
}

func FuzzMsgPackIntoAny(f *testing.F) {
	seeds(f, codec.MsgPack{})
	seedsHostile(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		fuzzDecode[any](t, codec.MsgPack{}, body)
		fuzzDecode[any](t, codec.MsgPack{UseNumber: true}, body)
		fuzzDecode[shape](t, codec.MsgPack{}, body)
	})
}

func seedsHostile(f *testing.F) {
	f.Helper()
	for _, body := range []string{
		"\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff\xa0\xc0", "\xdb\x7f\xff\xff\xff", "\xc9\xff\xff\xff\xff\xff",
		"\x81\xa4Ints\x95\x01\x02\x03\x04\xcd\x01\x2c", "\x81\xa6Custom\x91\xa1x", "\x81\xa6quoted\x81\xa3Int\x01",
		"\xd6\xff\x00\x00\x00\x01", "\xd7\xff\x00\x00\x00\x04\x00\x00\x00\x01", "\xc7\x05N1e999", "\xc7\x06N100.00", "\xc7\x04N1e10", "\xcb\x44\x15\xaf\x1d\x78\xb5\x8c\x40", "\xd4\x07\x00", "\xc1",
		"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x01", "\x81\x01\x02", "\x81\xc0\x01", strings.Repeat("\x91", 10_001), "\x01\x01",
		"\x81\xa5Shape\xc4\x01\xff", "\x81\xa5Stamp\xd6\xff\x00\x00\x00\x01", "\x81\xa2id\xc4\x10aaaaaaaaaaaaaaaa",
	} {
		f.Add([]byte(body))
	}
}

// fuzzDecode decodes what may be anything. What is accepted must be a whole
// body, must encode again, and must come back the same from that.
func fuzzDecode[T any](t *testing.T, c codec.Codec, body []byte) {
	original := bytes.Clone(body)
	var first, second, third T
	err := c.Unmarshal(body, &first)
	require.Equal(t, original, body, "the body was changed")
	if err != nil {
		require.True(t, strings.HasPrefix(err.Error(), "codec: "), err)
		require.Less(t, len(err.Error()), 1000+2*len(body), "an error longer than what it is about")
		return
	}
	require.NotEmpty(t, body)
	require.Error(t, c.Unmarshal(append(original, 0), new(T)), "bytes after the value")

	again, err := c.Marshal(&first)
	require.NoError(t, err)
	require.NoError(t, c.Unmarshal(again, &second), "%q", again)
	// A number may have been spelled 1e2 at first; after one round it has the
	// spelling that it keeps.
	settled, err := c.Marshal(&second)
	require.NoError(t, err)
	require.NoError(t, c.Unmarshal(settled, &third), "%q", settled)
	last, err := c.Marshal(&third)
	require.NoError(t, err)
	require.Equal(t, settled, last)
}

// alike is what both codecs decode alike from any JSON text. It leaves out
// what the table of differences has.
type alike struct {
	Bool    bool              `json:"bool"`
	Int     int8              `json:"int"`
	Uint    uint16            `json:"uint,omitempty"`
	Float   float64           `json:"float"`
	Float32 float32           `json:"float32"`
	String  string            `json:"string"`
	Slice   []int16           `json:"slice"`
	Array   [2]string         `json:"array"`
	Map     map[string]string `json:"map"`
	ByInt   map[int8][]bool   `json:"by_int"`
	ByAddr  map[netip.Addr]*int
	Time    time.Time     `json:"time"`
	Took    time.Duration `json:"took"`
	Big     *big.Int      `json:"big"`
	ID      uuid.UUID     `json:"id"`
	Temp    celsius       `json:"temp"`
	Points  []point       `json:"points"`
	Next    *alike        `json:"next"`
	None    struct{}      `json:"none"`
	Ptr     **string      `json:"ptr"`
	Strings []string      `json:"strings"`
	Quoted  struct {
		Int  int8  `json:",string"`
		Bool *bool `json:",string"`
	}
	base
	*Public
}

// FuzzParity writes one JSON text in MessagePack and holds the two codecs to
// the same verdict on it, and to the same value.
func FuzzParity(f *testing.F) {
	seeds(f, codec.JSON{})
	for _, text := range []string{
		`{"int":127,"INT":-128,"uint":65535,"slice":[1,null,-3],"array":["a","b","c"],"map":{"a":"b"},"by_int":{"-128":[true,null]}}`,
		`{"int":128}`, `{"uint":-1}`, `{"int":1.0}`, `{"int":1e1}`, `{"by_int":{"128":null}}`, `{"by_int":{"01":[]}}`,
		`{"time":"2026-01-02T03:04:05.678+05:45","took":-1,"big":123456789012345678901234567890,"id":"0b2f5a9e-5f0b-4c39-9a63-0d8f2f4f9d11"}`,
		`{"temp":"1.5°C","points":[[1,2],null,[3]],"next":{"next":null,"none":{"x":[]}},"ptr":"\ud83d\ude00","Quoted":{"Int":"-1","Bool":"true"}}`,
		`{"Quoted":{"Int":1}}`, `{"Quoted":{"Bool":null}}`, `{"version":3,"Shown":true}`, `{"ByAddr":{"10.0.0.1":1,"::1":null}}`,
		`{"float":1e400}`, `{"float32":1e39}`, `{"float32":0.1,"float":-1e-7}`, `null`, `[]`, `{"string":"\u0000\"\\"}`, `{"a":{"b":[{}]}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !json.Valid(text) || bytes.Contains(text, []byte("-0")) {
			// MessagePack knows no integer -0; it is 0. encoding/json takes
			// it for an int and refuses it for a uint.
			t.Skip()
		}
		binary, err := codec.MsgPack{}.Marshal(json.RawMessage(text))
		require.NoError(t, err)

		var fromJSON, fromMsgPack alike
		jsonErr := codec.JSON{}.Unmarshal(text, &fromJSON)
		msgpackErr := codec.MsgPack{}.Unmarshal(binary, &fromMsgPack)
		require.Equal(t, jsonErr == nil, msgpackErr == nil, "json: %v\nmsgpack: %v", jsonErr, msgpackErr)
		if jsonErr == nil {
			require.Equal(t, fromJSON, fromMsgPack)
		}

		// As text again, it means what it meant: compare with every digit.
		var was, is any
		require.NoError(t, codec.JSON{UseNumber: true}.Unmarshal(text, &was))
		var back json.RawMessage
		require.NoError(t, codec.MsgPack{}.Unmarshal(binary, &back))
		require.NoError(t, codec.JSON{UseNumber: true}.Unmarshal(back, &is))
		requireSameValue(t, was, is)
	})
}

// requireSameValue compares untyped messages, and their numbers by value.
func requireSameValue(t *testing.T, want, got any) {
	t.Helper()
	switch want := want.(type) {
	case json.Number:
		got, ok := got.(json.Number)
		require.True(t, ok)
		if len(want) > 100 || strings.ContainsAny(string(want), "eE") {
			return // too big for a fraction
		}
		a, ok := new(big.Rat).SetString(string(want))
		require.True(t, ok)
		b, ok := new(big.Rat).SetString(string(got))
		require.True(t, ok)
		require.Zero(t, a.Cmp(b), "%s is %s", want, got)
	case []any:
		require.IsType(t, want, got)
		require.Len(t, got, len(want))
		for i := range want {
			requireSameValue(t, want[i], got.([]any)[i])
		}
	case map[string]any:
		require.IsType(t, want, got)
		require.Len(t, got, len(want))
		for k := range want {
			requireSameValue(t, want[k], got.(map[string]any)[k])
		}
	default:
		require.Equal(t, want, got)
	}
}

// FuzzRoundTrip sends one message of fuzzed values through both codecs.
func FuzzRoundTrip(f *testing.F) {
	f.Add(int64(0), uint64(0), 0.0, "", []byte(nil), uint8(0))
	f.Add(int64(math.MinInt64), uint64(math.MaxUint64), math.MaxFloat64, "\x00\"é\u2028", []byte{0, 255}, uint8(255))
	f.Add(int64(1<<53+1), uint64(1<<63), 1e21, "k", []byte("binary"), uint8(7))
	f.Fuzz(func(t *testing.T, i int64, u uint64, fl float64, s string, b []byte, n uint8) {
		if math.IsNaN(fl) || math.IsInf(fl, 0) {
			t.Skip()
		}
		s = strings.ToValidUTF8(s, "\ufffd")
		if b == nil {
			b = []byte{}
		}
		message := rich{
			everything: everything{
				ID: uuid.UUID([16]byte(append(b, make([]byte, 16)...))), Created: time.Unix(i%(1<<34), int64(n)).UTC(),
				Took: time.Duration(i), Balance: *big.NewInt(i), Limit: new(big.Int).SetUint64(u), Data: b, Key: [4]byte{n},
				Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{n}), uint16(u)), Raw: json.RawMessage(`null`),
				Index: map[int]names{int(i): {s}}, Any: []any{fl, s, map[string]any{s: nil}},
				Quoted: quoted{n > 9, i, u, fl, float32(n) / 3, s, age(i), nil, ptr(n > 5), "1", n, nil},
			},
			Ints: [4]int8{int8(i), int8(n)}, Uints: make([]uint16, n), Floats: map[string]float32{s: float32(n) / 7},
			Strings: map[string]string{s: s, s + "x": ""}, Tree: &tree{Value: int(i), ByName: map[string]*tree{s: {Value: 1}}},
			Shape: shape{"1"}, Stamp: stamp{s}, Bytes: [][]byte{b, nil, {}},
			Omit: omitting{Own: 7, OwnRef: 7},
		}
		for _, c := range []codec.Codec{codec.JSON{}, codec.MsgPack{}} {
			body, err := c.Marshal(&message)
			require.NoError(t, err)
			var got rich
			require.NoError(t, c.Unmarshal(body, &got))
			want := message
			want.Omit = omitting{}
			require.Equal(t, want, got)
			require.True(t, reflect.DeepEqual(want.Uints, got.Uints))
		}
	})
}
