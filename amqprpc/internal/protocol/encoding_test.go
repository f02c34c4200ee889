package protocol

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

func TestEncodingNames(t *testing.T) {
	t.Parallel()
	for _, plain := range []string{"", "utf-8", "UTF-8", "us-ascii", "binary", "Identity"} {
		require.True(t, IsPlain(plain), plain)
		require.False(t, ValidEncoding(plain), plain)
	}
	for _, name := range []string{"gzip", "x-my.encoding+1"} {
		require.False(t, IsPlain(name), name)
		require.True(t, ValidEncoding(name), name)
	}
	for _, name := range []string{"a b", "a,b", "é", "a\n", strings.Repeat("x", 256)} {
		require.False(t, ValidEncoding(name), name)
	}
}

// A caller that says nothing readable accepts no encodings.
func TestAcceptEncoding(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value any
		want  string
	}{{"zstd, gzip", "zstd, gzip"}, {"", ""}, {int64(1), ""}, {nil, ""}, {true, ""}} {
		r, err := parseHeaders(t, frame.Field{Key: "rpc-accept-encoding", Value: c.value})
		require.NoError(t, err)
		require.Equal(t, c.want, r.AcceptEncoding)
	}
}
