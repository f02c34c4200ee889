package frame

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzReader cuts arbitrary bytes into frames. Valid input must encode to the same bytes, and
// invalid input must return an error.
func FuzzReader(f *testing.F) {
	for _, m := range everyMethod() {
		f.Add(AppendMethod(nil, 1, m))
	}
	p := everyProperty()
	f.Add(AppendHeader(nil, 1, 5, p.Append(nil)))
	f.Add(AppendBody(nil, 1, 0, []byte("body")))
	f.Add(AppendHeartbeat(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := NewReader(bytes.NewReader(data), 0)
		for at := 0; ; {
			ready := r.Ready()
			frame, err := r.Next()
			if err != nil {
				return
			}
			_ = ready
			again := AppendFrame(nil, frame.Type, frame.Channel, frame.Payload)
			require.Equal(t, data[at:at+len(again)], again)
			at += len(again)
			switch frame.Type {
			case TypeMethod:
				fuzzMethod(t, frame)
			case TypeHeader:
				fuzzHeader(t, frame)
			}
		}
	})
}

func fuzzMethod(t *testing.T, f Frame) {
	id, fields, ok := MethodID(f.Payload)
	if !ok {
		return
	}
	m, err := ParseMethod(id, fields)
	if err != nil {
		return
	}
	// Unused bits and 'L' have several encodings, so compare the decoded values.
	b := AppendMethod(nil, f.Channel, m)
	_, fields, _ = MethodID(b[headerSize : len(b)-1])
	again, err := ParseMethod(id, fields)
	require.NoError(t, err)
	require.Equal(t, b, AppendMethod(nil, f.Channel, again))
}

func fuzzHeader(t *testing.T, f Frame) {
	h, ok := ParseHeader(f.Payload)
	if !ok {
		return
	}
	var p Properties
	if p.Parse(h.Properties) != nil {
		return
	}
	again := p.Append(nil)
	h.Properties[1] &^= byte(flagReserved)
	require.Equal(t, h.Properties, again)
}

// FuzzTable decodes arbitrary tables.
func FuzzTable(f *testing.F) {
	f.Add(AppendFields(nil, allTypes()))
	f.Add([]byte{1, 'a', 'A', 0, 0, 0, 2, 'A', 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := ParseTable(data)
		require.Equal(t, err == nil, CheckTable(data) == nil)
		if err != nil {
			return
		}
		b := AppendFields(nil, table)
		require.Len(t, b, len(data))
		again, err := ParseTable(b)
		require.NoError(t, err)
		require.Equal(t, b, AppendFields(nil, again)) // compare bytes, not values, because NaN is not equal to NaN
		for _, field := range table {
			_, ok := FindField(data, field.Key)
			require.True(t, ok)
		}
	})
}
