package codec_test

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/codec"
)

// wire lists encodings byte by byte, because other languages depend on them.
var wire = []struct {
	value   any
	json    string
	msgpack string // hexadecimal
}{
	{nil, `null`, "c0"},
	{true, `true`, "c3"},
	{0, `0`, "00"},
	{127, `127`, "7f"},
	{128, `128`, "cc80"},
	{255, `255`, "ccff"},
	{256, `256`, "cd0100"},
	{65535, `65535`, "cdffff"},
	{65536, `65536`, "ce00010000"},
	{int64(math.MaxUint32), `4294967295`, "ceffffffff"},
	{int64(1 << 32), `4294967296`, "cf0000000100000000"},
	{uint64(math.MaxUint64), `18446744073709551615`, "cfffffffffffffffff"},
	{-1, `-1`, "ff"},
	{-32, `-32`, "e0"},
	{-33, `-33`, "d0df"},
	{-128, `-128`, "d080"},
	{-129, `-129`, "d1ff7f"},
	{-32769, `-32769`, "d2ffff7fff"},
	{int64(math.MinInt32 - 1), `-2147483649`, "d3ffffffff7fffffff"},
	{int64(7), `7`, "07"}, // the encoding does not show the Go type
	{uint16(7), `7`, "07"},
	{time.Duration(7), `7`, "07"},
	{1.0, `1`, "cb3ff0000000000000"},
	{float32(0.5), `0.5`, "ca3f000000"},
	{"", `""`, "a0"},
	{"héé", `"héé"`, "a568c3a9c3a9"},
	{"<a>&", `"<a>&"`, "a43c613e26"},
	{strings.Repeat("x", 31), `"` + strings.Repeat("x", 31) + `"`, "bf" + strings.Repeat("78", 31)},
	{strings.Repeat("x", 32), `"` + strings.Repeat("x", 32) + `"`, "d920" + strings.Repeat("78", 32)},
	{strings.Repeat("x", 256), `"` + strings.Repeat("x", 256) + `"`, "da0100" + strings.Repeat("78", 256)},
	{strings.Repeat("x", 65536), `"` + strings.Repeat("x", 65536) + `"`, "db00010000" + strings.Repeat("78", 65536)},
	{[]byte("hi"), `"aGk="`, "c4026869"},
	{[]byte{}, `""`, "c400"},
	{make([]byte, 256), `"` + strings.Repeat("A", 340) + `AA=="`, "c50100" + strings.Repeat("00", 256)},
	{[2]byte{1, 2}, `[1,2]`, "c4020102"},
	{[]int{1, 2, 3}, `[1,2,3]`, "93010203"},
	{[]int(nil), `null`, "c0"},
	{[]int{}, `[]`, "90"},
	{make([]int, 16), `[` + strings.Repeat("0,", 15) + `0]`, "dc0010" + strings.Repeat("00", 16)},
	{make([]struct{}, 65536), `[` + strings.Repeat("{},", 65535) + `{}]`, "dd00010000" + strings.Repeat("80", 65536)},
	{struct{}{}, `{}`, "80"},
	{map[string]int{"b": 2, "a": 1, "c": 3}, `{"a":1,"b":2,"c":3}`, "83a16101a16202a16303"},
	{map[int]string{10: "", 9: ""}, `{"10":"","9":""}`, "8209a00aa0"},
	{map[level]any{"b": map[int8]any{2: nil, -1: struct{ Z, A int }{}}, "a": nil}, `{"a":null,"b":{"-1":{"Z":0,"A":0},"2":null}}`, "82a161c0a1628202c0ff82a14100a15a00"},
	{struct {
		Z map[uint8]map[string]int
		A any
	}{Z: map[uint8]map[string]int{200: {"y": 1, "x": 2}, 3: nil}}, `{"Z":{"200":{"x":2,"y":1},"3":null},"A":null}`, "82a15a8203c0ccc882a17802a17901a141c0"},
	{object{"x": nil}, `{"x":null}`, "81a178c0"},
	{pair[int, *int]{1, nil}, `{"A":1,"B":null}`, "82a14101a142c0"},
	{time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC), `"2026-01-02T03:04:05.0000006Z"`, "d7ff00000960695735a5"},
	{time.Date(2026, 1, 2, 4, 4, 5, 0, time.FixedZone("", 3600)), `"2026-01-02T04:04:05+01:00"`, "d6ff695735a5"},
	{int32(-70000), `-70000`, "d2fffeee90"},
	{json.Number("12.5"), `12.5`, "a431322e35"},
	{json.RawMessage(`{"b":[],"a":{}}`), `{"b":[],"a":{}}`, "c40f" + hex.EncodeToString([]byte(`{"b":[],"a":{}}`))},
}

func TestWire(t *testing.T) {
	t.Parallel()
	for _, tt := range wire {
		text, err := codec.JSON{}.Marshal(tt.value)
		require.NoError(t, err)
		require.Equal(t, tt.json, string(text))
		binary, err := codec.MsgPack{}.Marshal(tt.value)
		require.NoError(t, err)
		require.Equal(t, tt.msgpack, hex.EncodeToString(binary), tt.json)
	}
}

// TestGoldenOrder compares one message with files that tests in other languages can also
// read.
func TestGoldenOrder(t *testing.T) {
	t.Parallel()
	want := newOrder(2)
	both(t, func(t *testing.T, c codec.Codec) {
		want := want
		golden, err := os.ReadFile(filepath.Join("testdata", "order."+shortName(c)))
		require.NoError(t, err)
		body, err := c.Marshal(want)
		require.NoError(t, err)
		require.Equal(t, golden, body)
		if shortName(c) == "msgpack" {
			want.Created = want.Created.Local()
		}
		requireDecodes(t, c, golden, want)
	})
}

// Equal values have equal encodings.
func TestMapsAreSorted(t *testing.T) {
	t.Parallel()
	type inner struct {
		Z map[level]map[int8][]map[uint16]any
		A map[string]int
	}
	build := func() map[string]any {
		texts, anys, bools := map[string]string{}, object{}, map[string]bool{}
		ints, structs, levels := map[int]bool{}, map[string]inner{}, map[level]any{}
		for i := range 50 {
			key := strings.Repeat("k", i) + strconv.Itoa(i)
			texts[key], anys[key], bools[key] = key, object{key: i, "": nil}, true
			ints[i-25], levels[level(key)] = true, map[string]int{key: i, "b": 1, "a": 2}
			structs[key] = inner{map[level]map[int8][]map[uint16]any{"b": {1: {{1: 1, 300: inner{}, 2: 2}}, -1: nil}, "a": nil}, map[string]int{"z": 1, key: 2}}
		}
		return map[string]any{
			"texts": texts, "anys": anys, "bools": bools, "ints": ints, "structs": structs, "levels": levels,
			"pointer": &pair[any, *map[level]int]{[]any{map[string]int{"b": 1, "a": 2, "c": 3}}, &map[level]int{"y": 1, "x": 2, "z": 3}},
		}
	}
	both(t, func(t *testing.T, c codec.Codec) {
		for name, value := range build() {
			first, err := c.Marshal(value)
			require.NoError(t, err)
			for range 20 {
				again, err := c.Marshal(build()[name])
				require.NoError(t, err)
				require.Equal(t, first, again, name)
			}
		}
		var first []byte
		for range 20 {
			again, err := c.Marshal(build())
			require.NoError(t, err)
			if first == nil {
				first = again
			}
			require.Equal(t, first, again)
		}
	})
	floats := map[float64]string{1.5: "a", -2: "b", 0: "c"}
	body, err := codec.MsgPack{}.Marshal(floats)
	require.NoError(t, err)
	for range 20 {
		again, err := codec.MsgPack{}.Marshal(floats)
		require.NoError(t, err)
		require.Equal(t, body, again)
	}
	requireDecodes(t, codec.MsgPack{}, body, floats)
}
