package protocol

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

func TestCheckHeader(t *testing.T) {
	t.Parallel()
	for want, h := range map[string]map[string]string{
		"empty name": {"": "x"},
		`the header name "aaaaaaaaaaaaaaaaaaaa"… has 256 bytes; AMQP allows 255`: {strings.Repeat("a", 256): ""},
		`the header "rpc-": names beginning "rpc-" are reserved`:                 {"rpc-": ""},
		`the header "rpc-x": names beginning`:                                    {"rpc-x": ""},
		`the header "CC": the broker would copy`:                                 {"CC": ""},
		`the header "BCC": the broker would copy`:                                {"BCC": ""},
	} {
		require.ErrorContains(t, CheckHeader(h), want)
		for name := range h {
			require.Equal(t, strings.Contains(want, "the header \""), Reserved(name))
		}
	}
	for _, h := range []map[string]string{nil, {"a": ""}, {"rp": "", "rpc": "", "cc": "", "Rpc-": ""}, {"a": strings.Repeat("x", MaxMetadata-7)}} {
		require.NoError(t, CheckHeader(h))
	}
	require.Equal(t, &SizeError{MaxMetadata + 1, MaxMetadata}, CheckHeader(map[string]string{"a": strings.Repeat("x", MaxMetadata-6)}))
	require.EqualError(t, &SizeError{2, 1}, "the headers have 2 bytes; the limit is 1")

	// Names and lengths count, not only values.
	many := make(map[string]string)
	for i := range 100 {
		many[strings.Repeat("n", i+100)] = ""
	}
	require.Error(t, CheckHeader(many))
}

// Metadata that a sender may send is within what a receiver takes, together with all
// headers that the framework adds.
func TestMetadataLeavesRoomForTheFramework(t *testing.T) {
	t.Parallel()
	h := map[string]string{"a": strings.Repeat("x", MaxMetadata-7)}
	require.NoError(t, CheckHeader(h))
	require.Equal(t, MaxMetadata, HeaderSize(h))
	r := Request{
		Deadline: noon.Add(time.Hour), Batches: true, Heartbeat: time.Second, Attempt: 2, Header: h,
		Client: strings.Repeat("c", MaxShortString), ReplyTo: "amq.gen-x",
	}
	var got Request
	require.NoError(t, got.Parse(parsed(t, r.Append(nil, noon)), &Interner{}))
	require.LessOrEqual(t, got.HeaderSize(), MaxHeader)
	require.Equal(t, h, got.Metadata())
}

// An array of empty strings is as large as it is on the wire.
func TestHeaderSizeIsThatOfTheWire(t *testing.T) {
	t.Parallel()
	empty := make([]any, 2000)
	for i := range empty {
		empty[i] = ""
	}
	r, err := parseHeaders(t, frame.Field{Key: "a", Value: empty})
	require.NoError(t, err)
	require.Greater(t, r.HeaderSize(), MaxHeader)
}

func TestMetadataOfOtherSenders(t *testing.T) {
	t.Parallel()
	r, err := parseHeaders(t,
		frame.Field{Key: "text", Value: "é"}, frame.Field{Key: "yes", Value: true}, frame.Field{Key: "no", Value: false},
		frame.Field{Key: "int8", Value: int8(-1)}, frame.Field{Key: "uint32", Value: uint32(1 << 31)}, frame.Field{Key: "int64", Value: int64(-1 << 63)},
		frame.Field{Key: "float32", Value: float32(0.1)}, frame.Field{Key: "float64", Value: 1e300},
		frame.Field{Key: "bytes", Value: []byte("x")}, frame.Field{Key: "time", Value: frame.Timestamp(1)}, frame.Field{Key: "void", Value: nil},
		frame.Field{Key: "table", Value: frame.Table{}}, frame.Field{Key: "array", Value: []any{"x"}}, frame.Field{Key: "decimal", Value: frame.Decimal{}},
		frame.Field{Key: "rpc-unknown", Value: "x"}, frame.Field{Key: "twice", Value: "first"}, frame.Field{Key: "twice", Value: "last"})
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"text": "é", "yes": "true", "no": "false", "int8": "-1", "uint32": "2147483648", "int64": "-9223372036854775808",
		"float32": "0.1", "float64": "1e+300", "twice": "last",
	}, r.Metadata())
}

func TestInternerIsBounded(t *testing.T) {
	t.Parallel()
	var s Interner
	require.Empty(t, s.String(nil))
	for i := range 3 * internedMost {
		text := strings.Repeat("x", i%MaxShortString) + string(rune('a'+i%26))
		require.Equal(t, text, s.String([]byte(text)))
		require.LessOrEqual(t, len(s.seen), internedMost)
	}
	var fresh Interner
	long := strings.Repeat("x", MaxShortString+1)
	require.Equal(t, long, fresh.String([]byte(long)))
	require.Empty(t, fresh.seen)
}
