package frame

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Fields yields the fields of ParseTable, and its values encode to the same octets.
func TestFields(t *testing.T) {
	t.Parallel()
	table := allTypes()
	raw := AppendFields(nil, table)
	var again []byte
	n := 0
	for name, v := range Fields(raw) {
		require.Equal(t, table[n].Key, string(name))
		require.Equal(t, table[n].Value, v.Decode())
		again = AppendValueField(again, name, v)
		n++

		integer, isInt := v.Int()
		text, isText := v.Text()
		is, isBool := v.Bool()
		float, bits, isFloat := v.Float()
		switch want := table[n-1].Value.(type) {
		case int8, uint8, int16, uint16, int32, uint32, int64:
			require.True(t, isInt && !isText && !isBool && !isFloat)
			require.EqualValues(t, want, integer)
		case string:
			require.True(t, isText && !isInt && !isBool && !isFloat)
			require.Equal(t, want, string(text))
		case bool:
			require.True(t, isBool && !isInt && !isText && !isFloat)
			require.Equal(t, want, is)
		case float32:
			require.True(t, isFloat && bits == 32 && !isInt)
			require.Equal(t, want, float32(float))
		case float64:
			require.True(t, isFloat && bits == 64 && !isInt)
			require.Equal(t, want, float)
		default:
			require.False(t, isInt || isText || isBool || isFloat)
		}
	}
	require.Len(t, table, n)
	require.Equal(t, raw, again)
	for range Fields(raw) {
		break
	}
	for name := range Fields([]byte("\x01at\x01\x01b")) { // the iteration ends at the truncated field
		require.Equal(t, "a", string(name))
	}
}

func TestAppendTypedFields(t *testing.T) {
	t.Parallel()
	want := AppendFields(nil, Table{
		{Key: "s", Value: "text"}, {Key: "l", Value: int64(-2)}, {Key: "i", Value: int32(-3)}, {Key: "t", Value: true}, {Key: "f", Value: false},
	})
	got := AppendStringField(nil, "s", "text")
	got = AppendInt64Field(got, "l", -2)
	got = AppendInt32Field(got, "i", -3)
	got = AppendBoolField(got, "t", true)
	got = AppendBoolField(got, "f", false)
	require.Equal(t, want, got)
}

// The accessors reject a malformed value that did not come from a table.
func TestMalformedValues(t *testing.T) {
	t.Parallel()
	for _, v := range []Value{nil, {}, {'l'}, {'l', 0}, {'t'}, {'S'}, {'S', 0, 0, 0, 1}, {'d', 0}, {'?'}, {'B', 1, 2}} {
		_, isInt := v.Int()
		_, isText := v.Text()
		_, isBool := v.Bool()
		_, _, isFloat := v.Float()
		require.False(t, isInt || isText || isBool || isFloat, "%q", v)
	}
	require.Nil(t, Value{'?'}.Decode())
}
