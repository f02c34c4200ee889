package frame

import (
	"bytes"
	"io"
	"math"
	"net"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// everyMethod returns one method of each type. Every field has a different value.
func everyMethod() []Method {
	var ms []Method
	for class := range uint32(100) {
		for method := range uint32(200) {
			if m := newMethod(ID(class<<16 | method)); m != nil {
				fill(m)
				ms = append(ms, m)
			}
		}
	}
	return ms
}

func fill(m Method) {
	v := reflect.ValueOf(m).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		switch f := v.Field(i); f.Interface().(type) {
		case string:
			f.SetString(name)
		case []byte:
			f.SetBytes([]byte(name))
		case bool:
			f.SetBool(i%2 == 0)
		case Table:
			f.Set(reflect.ValueOf(Table{{Key: name, Value: int32(i)}}))
		default:
			f.SetUint(uint64(i + 1))
		}
	}
}

func TestMethodsRoundTrip(t *testing.T) {
	t.Parallel()
	ms := everyMethod()
	require.Len(t, ms, 66)
	for _, m := range ms {
		b := AppendMethod(nil, 7, m)
		f, err := NewReader(bytes.NewReader(b), 0).Next()
		require.NoError(t, err, m.ID())
		require.Equal(t, TypeMethod, f.Type)
		require.Equal(t, uint16(7), f.Channel)
		id, fields, ok := MethodID(f.Payload)
		require.True(t, ok)
		require.Equal(t, m.ID(), id)
		got, err := ParseMethod(id, fields)
		require.NoError(t, err, id)
		require.Equal(t, m, got)
		require.NotContains(t, id.String(), "method ")

		_, err = ParseMethod(id, append(fields[:len(fields):len(fields)], 0))
		require.Error(t, err, "%s with an octet too many", id)
		if len(fields) > 0 {
			_, err = ParseMethod(id, fields[:len(fields)-1])
			require.Error(t, err, "%s with an octet too few", id)
		}
	}
}

func TestHotMethodsAgreeWithTheGeneralWay(t *testing.T) {
	t.Parallel()
	type hot interface {
		Method
		Parse(fields []byte) bool
		AppendFrame(dst []byte, channel uint16) []byte
	}
	n := 0
	for _, m := range everyMethod() {
		h, ok := m.(hot)
		if !ok {
			continue
		}
		n++
		b := AppendMethod(nil, 1, m)
		require.Equal(t, b, h.AppendFrame(nil, 1))
		again := newMethod(m.ID()).(hot)
		require.True(t, again.Parse(b[headerSize+4:len(b)-1]))
		require.Equal(t, m, again)
	}
	require.Equal(t, 7, n)
}

func TestUnknownMethod(t *testing.T) {
	t.Parallel()
	_, err := ParseMethod(ID(99<<16|1), nil)
	var unknown *UnknownMethodError
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, "frame: unknown method 1 of class 99", err.Error())
}

// allTypes returns a table with a value of every RabbitMQ type.
func allTypes() Table {
	return Table{
		{"string", "text"}, {"bytes", []byte{0, 1, 2}}, {"yes", true}, {"no", false},
		{"int8", int8(-1)}, {"uint8", uint8(200)}, {"int16", int16(-300)}, {"uint16", uint16(65535)},
		{"int32", int32(math.MinInt32)}, {"uint32", uint32(math.MaxUint32)}, {"int64", int64(math.MinInt64)},
		{"float32", float32(1.5)}, {"float64", math.Pi}, {"decimal", Decimal{2, 314}},
		{"time", Timestamp(1700000000)}, {"void", nil},
		{"array", []any{"x", int32(1), nil, []any{}, Table{{"deep", true}}}},
		{"table", Table{{"inner", Table{{"innermost", "y"}}}}}, {"empty", Table(nil)},
		{"string", "a name may come twice"},
	}
}

func TestTableRoundTrip(t *testing.T) {
	t.Parallel()
	b := AppendFields(nil, allTypes())
	require.NoError(t, CheckTable(b))
	got, err := ParseTable(b)
	require.NoError(t, err)
	require.Equal(t, allTypes(), got)
	require.Equal(t, b, AppendFields(nil, got))
	for n := range b {
		_, err := ParseTable(b[:n])
		require.Equal(t, err == nil, CheckTable(b[:n]) == nil)
	}
}

func TestFindField(t *testing.T) {
	t.Parallel()
	b := AppendFields(nil, allTypes())
	for _, f := range allTypes()[:19] {
		v, ok := FindField(b, f.Key)
		require.True(t, ok, f.Key)
		require.Equal(t, f.Value, v)
	}
	_, ok := FindField(b, "absent")
	require.False(t, ok)
	_, ok = FindField(b[:len(b)-1], "absent")
	require.False(t, ok)
	_, ok = FindField([]byte{3, 'a'}, "a")
	require.False(t, ok)
}

func TestQpidsUnsignedLongIsALong(t *testing.T) {
	t.Parallel()
	got, err := ParseTable([]byte{1, 'n', 'L', 0, 0, 0, 0, 0, 0, 0, 5})
	require.NoError(t, err)
	require.Equal(t, Table{{"n", int64(5)}}, got)
}

func TestTablesNestSoDeep(t *testing.T) {
	t.Parallel()
	nest := func(depth int) []byte {
		v := any(true)
		for range depth {
			v = []any{v}
		}
		return AppendFields(nil, Table{{"a", v}})
	}
	for depth, ok := range map[int]bool{maxDepth: true, maxDepth + 1: false, 4000: false} {
		b := nest(depth)
		_, err := ParseTable(b)
		require.Equal(t, ok, err == nil)
		require.Equal(t, ok, CheckTable(b) == nil)
	}
}

func everyProperty() Properties {
	return Properties{
		Flags: ^flagReserved, DeliveryMode: 2, Priority: 9, Timestamp: 1700000000,
		ContentType: []byte("ct"), ContentEncoding: []byte("ce"), Headers: AppendFields(nil, allTypes()),
		CorrelationID: []byte("c"), ReplyTo: []byte("r"), Expiration: []byte("1"), MessageID: []byte("m"),
		Type: []byte("t"), UserID: []byte("u"), AppID: []byte("a"), ClusterID: []byte("cl"),
	}
}

func TestPropertiesRoundTrip(t *testing.T) {
	t.Parallel()
	want := everyProperty()
	b := want.Append(nil)
	var got Properties
	require.NoError(t, got.Parse(b))
	require.Equal(t, want, got)
	require.Error(t, got.Parse(append(b, 0)))
	for n := range b {
		require.Error(t, got.Parse(b[:n]), n)
	}
	for flag := FlagContentType; flag > flagReserved; flag >>= 1 {
		one := everyProperty()
		one.Flags = flag
		require.NoError(t, got.Parse(one.Append(nil)))
		require.Equal(t, flag, got.Flags)
		require.Equal(t, one.Append(nil), got.Append(nil))
	}
}

func TestHeaderRoundTrip(t *testing.T) {
	t.Parallel()
	p := everyProperty()
	b := AppendHeader(nil, 3, 1<<40, p.Append(nil))
	f, err := NewReader(bytes.NewReader(b), 0).Next()
	require.NoError(t, err)
	h, ok := ParseHeader(f.Payload)
	require.True(t, ok)
	require.Equal(t, Header{Class: 60, BodySize: 1 << 40, Properties: p.Append(nil)}, h)
	_, ok = ParseHeader(f.Payload[:11])
	require.False(t, ok)
}

func TestBodiesAreCutToFrames(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 4087, 4088, 4089, 8176, 8177} {
		body := bytes.Repeat([]byte("x"), size)
		r := NewReader(bytes.NewReader(AppendBody(nil, 1, MinSize, body)), MinSize-Overhead)
		var got []byte
		for {
			f, err := r.Next()
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
			require.NotEmpty(t, f.Payload)
			got = append(got, f.Payload...)
		}
		require.Equal(t, string(body), string(got))
	}
}

func TestReaderReadsWhateverTheSourceCuts(t *testing.T) {
	t.Parallel()
	var b []byte
	b = append(b, ProtocolHeader...)
	b = AppendHeartbeat(b)
	b = AppendMethod(b, 1, &BasicAck{DeliveryTag: 1})
	b = AppendFrame(b, TypeBody, 1, bytes.Repeat([]byte("y"), 100_000))
	b = AppendHeartbeat(b)
	for name, src := range map[string]io.Reader{
		"whole": bytes.NewReader(b),
		"bytes": iotest.OneByteReader(bytes.NewReader(b)),
		"half":  iotest.HalfReader(bytes.NewReader(b)),
		"eof":   iotest.DataErrReader(bytes.NewReader(b)),
	} {
		r := NewReader(src, 1<<20)
		h, err := r.ReadProtocolHeader()
		require.NoError(t, err, name)
		require.Equal(t, ProtocolHeader, string(h[:]))
		for _, want := range []struct {
			typ  uint8
			size int
		}{{TypeHeartbeat, 0}, {TypeMethod, 13}, {TypeBody, 100_000}, {TypeHeartbeat, 0}} {
			f, err := r.Next()
			require.NoError(t, err, name)
			require.Equal(t, want.typ, f.Type)
			require.Len(t, f.Payload, want.size)
		}
		_, err = r.Next()
		require.Equal(t, io.EOF, err)
	}
}

func TestReaderRefuses(t *testing.T) {
	t.Parallel()
	var size *SizeError
	_, err := NewReader(strings.NewReader("\x03\x00\x01\x00\x00\x10\x01"), 4096).Next()
	require.ErrorAs(t, err, &size)
	require.Equal(t, SizeError{Type: 3, Channel: 1, Size: 4097, Max: 4096}, *size)

	var end *EndError
	_, err = NewReader(strings.NewReader("\x08\x00\x00\x00\x00\x00\x00\xcf"), 0).Next()
	require.ErrorAs(t, err, &end)
	require.Equal(t, byte(0xcf), end.Got)

	_, err = NewReader(strings.NewReader("\x08\x00\x00"), 0).Next()
	require.Equal(t, io.ErrUnexpectedEOF, err)
	_, err = NewReader(strings.NewReader("\x08\x00\x00\x00\x00\x00\x01"), 0).Next()
	require.Equal(t, io.ErrUnexpectedEOF, err)
}

func TestReady(t *testing.T) {
	t.Parallel()
	b := AppendHeartbeat(AppendHeartbeat(nil))
	r := NewReader(bytes.NewReader(b[:len(b)-1]), 0)
	require.False(t, r.Ready())
	_, err := r.Next()
	require.NoError(t, err)
	require.False(t, r.Ready(), "the second is not here whole")
	r = NewReader(bytes.NewReader(b), 0)
	_, err = r.Next()
	require.NoError(t, err)
	require.True(t, r.Ready())
}

func TestShortStringsAreCut(t *testing.T) {
	t.Parallel()
	b := AppendShortString(nil, strings.Repeat("x", 300))
	require.Len(t, b, 256)
	require.Equal(t, byte(255), b[0])
}

// A connection that was busy once has a small buffer again when it is quiet, and loses nothing
// on the way.
func TestReaderOfAQuietConnection(t *testing.T) {
	t.Parallel()
	from, to := net.Pipe()
	defer to.Close()
	r := NewReader(from, 1<<20)
	busy := AppendBody(nil, 1, 1<<20, make([]byte, 300<<10))
	for round := range 3 {
		go func() {
			to.Write(busy)
			for range 2 * calmReads {
				to.Write(AppendHeartbeat(nil))
			}
		}()
		f, err := r.Next()
		require.NoError(t, err)
		require.Len(t, f.Payload, 300<<10)
		require.Greater(t, len(r.buf), initialBuffer, "round %d", round)
		for range 2 * calmReads {
			f, err := r.Next()
			require.NoError(t, err)
			require.EqualValues(t, TypeHeartbeat, f.Type)
		}
		require.Len(t, r.buf, initialBuffer)
	}
}
