package codec_test

import (
	"encoding/json"
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/codec"
)

// differences is the table of what does not come back the same through both
// codecs. The package documentation lists the same ones, in its order.
var differences = []struct {
	name          string
	value         any
	json, msgpack any
}{
	{
		"binary data in an any: JSON has no form for it",
		[]any{[]byte("hi"), [2]byte{1, 2}},
		[]any{"aGk=", []any{1.0, 2.0}},
		[]any{[]byte("hi"), []byte{1, 2}},
	},
	{
		"integers beyond 2^53 in an any: JSON rounds them",
		[]any{1<<53 + 1, -1<<53 - 1, int64(math.MinInt64), uint64(math.MaxUint64)},
		[]any{float64(1 << 53), -float64(1 << 53), float64(math.MinInt64), float64(math.MaxUint64)},
		[]any{int64(1<<53 + 1), int64(-1<<53 - 1), int64(math.MinInt64), uint64(math.MaxUint64)},
	},
	{
		"numbers beyond 64 bits in an any: JSON rounds them",
		[]any{bigInt("123456789012345678901234567890")},
		[]any{123456789012345678901234567890.0},
		[]any{json.Number("123456789012345678901234567890")},
	},
	{
		"float32 in an any: JSON has the shortest decimal, MessagePack the value",
		[]any{float32(0.1)},
		[]any{0.1},
		[]any{float64(float32(0.1))},
	},
	{
		"a string that is not UTF-8: JSON replaces what is not",
		"a\xff",
		"a\ufffd",
		"a\xff",
	},
	{
		"spelling of a json.Number: MessagePack keeps the value, not how it was written",
		[]json.Number{"12.50", "1E3", "-0.0", "-0"},
		[]json.Number{"12.50", "1E3", "-0.0", "-0"},
		[]json.Number{"12.5", "1000", "-0", "0"},
	},
	{
		"spelling of a json.RawMessage",
		json.RawMessage(`{"a":1.0,"b":"\u00e9"}`),
		json.RawMessage(`{"a":1.0,"b":"\u00e9"}`),
		json.RawMessage(`{"a":1,"b":"é"}`),
	},
}

func TestDifferences(t *testing.T) {
	t.Parallel()
	for _, tt := range differences {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			body, err := codec.JSON{}.Marshal(tt.value)
			require.NoError(t, err)
			requireDecodes(t, codec.JSON{}, body, tt.json)
			body, err = codec.MsgPack{}.Marshal(tt.value)
			require.NoError(t, err)
			requireDecodes(t, codec.MsgPack{}, body, tt.msgpack)
			require.NotEqual(t, tt.json, tt.msgpack)
		})
	}
}

// TestPointerMethodsWithoutAnAddress is the last difference: encoding/json
// does not call a pointer-receiver method on what is in a map or an interface.
func TestPointerMethodsWithoutAnAddress(t *testing.T) {
	t.Parallel()
	want := map[string]big.Int{"a": *big.NewInt(7)}
	body, err := codec.MsgPack{}.Marshal(want)
	require.NoError(t, err)
	requireDecodes(t, codec.MsgPack{}, body, want)

	body, err = codec.JSON{}.Marshal(want)
	require.NoError(t, err)
	require.Equal(t, `{"a":{}}`, string(body))
}
