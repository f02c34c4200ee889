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

// rich is the target of fuzzed bodies. It has every type with decoding code of its own.
type rich struct {
	everything
	Ints    [4]int8
	Uints   []uint16
	Floats  map[string]float32
	Strings map[string]string
	AnyMap  map[string]any
	Custom  []tuple
	Tree    *tree
	Times   map[netip.Addr]*time.Time
	Numbers []json.Number
	Stamp   stamp
	Bytes   [][]byte
	Secrets []secret
	Omit    omitting
}

func seeds(f *testing.F, c codec.Codec) {
	f.Helper()
	for _, tt := range parity {
		if tt.refused != "" {
			continue
		}
		body, err := c.Marshal(tt.value)
		require.NoError(f, err, tt.name)
		if len(body) < 1<<10 {
			f.Add(body)
		}
	}
	body, err := c.Marshal(rich{Custom: []tuple{{"a", 1}}, Tree: &tree{Value: 1, ByName: map[string]*tree{"x": nil}}})
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
		fuzzDecode[untypedKeys](t, codec.MsgPack{}, body)
		fuzzDecode[[]custom](t, codec.MsgPack{}, body)
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

// fuzzDecode decodes arbitrary bytes. An accepted body must be complete and must encode
// again, and that encoding must decode to the same value.
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
	// A number may be spelled 1e2 at first. After one round trip its spelling is stable.
	settled, err := c.Marshal(&second)
	require.NoError(t, err)
	require.NoError(t, c.Unmarshal(settled, &third), "%q", settled)
	last, err := c.Marshal(&third)
	require.NoError(t, err)
	require.Equal(t, settled, last)
}

// alike has only types that both codecs return unchanged.
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
	Time    *time.Time     `json:"time"`
	Took    time.Duration  `json:"took"`
	Big     *big.Int       `json:"big"`
	ID      uuid.UUID      `json:"uuid"`
	Temp    celsius        `json:"temp"`
	Colour  colour         `json:"colour"`
	Next    *alike         `json:"next"`
	Any     any            `json:"any"`
	Anys    map[string]any `json:"anys"`
	None    struct{}       `json:"none"`
	Ptr     **string       `json:"ptr"`
	Strings []string       `json:"strings"`
	Quoted  struct {
		Int  int8  `json:",string"`
		Bool *bool `json:",string"`
	}
	base
	Public
}

// times converts the times to UTC, because MessagePack has no offset.
func (a *alike) times() {
	for ; a != nil; a = a.Next {
		if a.Time != nil {
			*a.Time = a.Time.UTC()
		}
	}
}

// FuzzParity decodes a JSON text and sends the value through each codec. Both results must be
// equal.
func FuzzParity(f *testing.F) {
	seeds(f, codec.JSON{})
	for _, text := range []string{
		`{"int":127,"INT":-128,"uint":65535,"slice":[1,null,-3],"array":["a","b"],"map":{"a":"b"},"by_int":{"-128":[true,null]}}`,
		`{"int":128}`, `{"uint":-1}`, `{"int":1.0}`, `{"by_int":{"128":null}}`, `{"any":{"b":1,"a":[9007199254740991,0.5,null,{}]},"anys":{"x":1e300}}`,
		`{"time":"2026-01-02T03:04:05.678+05:45","took":-1,"big":123456789012345678901234567890,"uuid":"0b2f5a9e-5f0b-4c39-9a63-0d8f2f4f9d11"}`,
		`{"temp":"1.5°C","colour":"colour 3","next":{"next":null,"none":{"x":[]}},"ptr":"\ud83d\ude00","Quoted":{"Int":"-1","Bool":"true"}}`,
		`{"id":"x","Version":3,"Shown":true}`, `{"ByAddr":{"10.0.0.1":1,"::1":null}}`, `{"float32":0.1,"float":-1e-7}`, `null`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var value alike
		if err := (codec.JSON{}).Unmarshal(text, &value); err != nil {
			t.Skip()
		}
		var got [2]alike
		for i, c := range []codec.Codec{codec.JSON{}, codec.MsgPack{}} {
			body, err := c.Marshal(&value)
			require.NoError(t, err)
			require.NoError(t, c.Unmarshal(body, &got[i]))
			got[i].times()
		}
		require.Equal(t, got[0], got[1])
	})
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
			Stamp: stamp{s}, Custom: []tuple{{s, int(i)}}, Bytes: [][]byte{b, nil, {}},
			Omit: omitting{Own: 7, OwnRef: 7},
		}
		for _, c := range []codec.Codec{codec.JSON{}, codec.MsgPack{}} {
			body, err := c.Marshal(&message)
			require.NoError(t, err)
			var got rich
			require.NoError(t, c.Unmarshal(body, &got))
			want := message
			if shortName(c) == "json" {
				want.Omit = omitting{}
			} else {
				want.Created = want.Created.Local()
			}
			require.Equal(t, want, got)
			require.True(t, reflect.DeepEqual(want.Uints, got.Uints))
		}
	})
}
