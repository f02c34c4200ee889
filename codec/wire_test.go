package codec_test

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/codec"
)

// wire is what goes over the wire, byte by byte: other languages depend on it.
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
	{math.MaxUint32, `4294967295`, "ceffffffff"},
	{1 << 32, `4294967296`, "cf0000000100000000"},
	{uint64(math.MaxUint64), `18446744073709551615`, "cfffffffffffffffff"},
	{-1, `-1`, "ff"},
	{-32, `-32`, "e0"},
	{-33, `-33`, "d0df"},
	{-128, `-128`, "d080"},
	{-129, `-129`, "d1ff7f"},
	{-32769, `-32769`, "d2ffff7fff"},
	{math.MinInt32 - 1, `-2147483649`, "d3ffffffff7fffffff"},
	{int64(7), `7`, "07"}, // the Go type does not show
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
	{map[int]string{10: "", 9: ""}, `{"10":"","9":""}`, "82a23130a0a139a0"},
	{map[*secret]int{nil: 1}, `{"":1}`, "81a001"},
	{object{"x": nil}, `{"x":null}`, "81a178c0"},
	{pair[int, *int]{1, nil}, `{"A":1,"B":null}`, "82a14101a142c0"},
	{time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC), `"2026-01-02T03:04:05.0000006Z"`, "bc" + hex.EncodeToString([]byte("2026-01-02T03:04:05.0000006Z"))},
	{json.Number("12.5"), `12.5`, "cb4029000000000000"},
	{json.Number("18446744073709551616"), `18446744073709551616`, "c7144e" + hex.EncodeToString([]byte("18446744073709551616"))},
	{json.Number("100000000000000000000"), `100000000000000000000`, "cb4415af1d78b58c40"},
	{json.Number("1e999"), `1e999`, "c7054e" + hex.EncodeToString([]byte("1e999"))},
	{json.RawMessage(`{"b":[],"a":{}}`), `{"b":[],"a":{}}`, "82a16290a16180"},
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

// TestGoldenOrder compares one whole message with the files that other
// languages' tests may read too.
func TestGoldenOrder(t *testing.T) {
	t.Parallel()
	want := newOrder(2)
	both(t, func(t *testing.T, c codec.Codec) {
		golden, err := os.ReadFile(filepath.Join("testdata", "order."+shortName(c)))
		require.NoError(t, err)
		body, err := c.Marshal(want)
		require.NoError(t, err)
		require.Equal(t, golden, body)
		requireDecodes(t, c, golden, want)
	})
}

// TestMapsAreSorted holds the codecs to equal bytes for equal values.
func TestMapsAreSorted(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, c codec.Codec) {
		build := func() []any {
			ints, texts, anys, structs := map[int]bool{}, map[string]string{}, object{}, map[level]point{}
			for i := range 50 {
				key := strings.Repeat("k", i)
				ints[i], texts[key], anys[key], structs[level(key)] = true, key, object{key: i, "": nil}, point{i, i}
			}
			return []any{ints, texts, anys, structs}
		}
		first, err := c.Marshal(build())
		require.NoError(t, err)
		for range 10 {
			again, err := c.Marshal(build())
			require.NoError(t, err)
			require.Equal(t, first, again)
		}
	})
}
