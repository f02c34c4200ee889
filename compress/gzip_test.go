package compress_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/compress"
	"github.com/bbebcec1/amqprpc-go/compress/compresstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The test is not parallel, because compresstest counts what is allocated.
func TestGzip(t *testing.T) {
	require.Equal(t, "gzip", compress.Gzip{}.Name())
	for _, level := range []int{0, 6} {
		t.Run(fmt.Sprint(level), func(t *testing.T) { compresstest.Run(t, compress.Gzip{Level: level}) })
	}
}

// The levels that are out of range count as the nearest one.
func TestGzipLevels(t *testing.T) {
	t.Parallel()
	body := []byte(strings.Repeat("one word after another, and then some more; ", 500) + strings.Repeat("abcdefghij", 100))
	size := func(level int) int { return len(compress.Gzip{Level: level}.Compress(nil, body)) }
	require.Equal(t, size(1), size(-5))
	require.Equal(t, size(9), size(1000))
	require.Equal(t, size(1), size(0))
	require.Less(t, size(9), size(1))
}

// gzipped is a member as gzip programs make it, with a name and a comment.
func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Name, w.Comment, w.Extra = "body.json", "a comment", []byte("extra")
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

// Several members make one body, and the limit is that of the whole.
func TestGzipMembers(t *testing.T) {
	t.Parallel()
	three := bytes.Join([][]byte{gzipped(t, "one "), gzipped(t, ""), gzipped(t, "two")}, nil)
	got, err := compress.Gzip{}.Decompress(nil, three, 7)
	require.NoError(t, err)
	require.Equal(t, "one two", string(got))
	_, err = compress.Gzip{}.Decompress(nil, three, 6)
	require.ErrorIs(t, err, compress.ErrTooLarge)
	many := bytes.Repeat(gzipped(t, strings.Repeat("x", 1000)), 1000)
	_, err = compress.Gzip{}.Decompress(nil, many, 999_999)
	require.ErrorIs(t, err, compress.ErrTooLarge)
}

// The test vector of docs/protocol.md.
func TestGzipVector(t *testing.T) {
	t.Parallel()
	raw, err := hex.DecodeString("1f8b0800000000000203" + "8b562a494d54d2c1206301" + "ece7cce719000000")
	require.NoError(t, err)
	got, err := compress.Gzip{}.Decompress(nil, raw, 25)
	require.NoError(t, err)
	require.Equal(t, `["tea","tea","tea","tea"]`, string(got))
}

func TestGzipErrors(t *testing.T) {
	t.Parallel()
	whole := gzipped(t, "body")
	trailer := func(at int, v uint32) []byte {
		b := bytes.Clone(whole)
		binary.LittleEndian.PutUint32(b[len(b)-at:], v)
		return b
	}
	for want, src := range map[string][]byte{
		"gzip: unexpected EOF":   {},
		"gzip: invalid header":   []byte("no gzip at all"),
		"gzip: invalid checksum": trailer(8, 1),
	} {
		_, err := compress.Gzip{}.Decompress(nil, src, 100)
		require.EqualError(t, err, want)
	}
	_, err := compress.Gzip{}.Decompress(nil, trailer(4, 1<<31), 1<<30) // an untrue size
	require.EqualError(t, err, "gzip: invalid checksum")
}

func FuzzGzip(f *testing.F) {
	f.Add([]byte("body"), 100)
	f.Add(compress.Gzip{}.Compress(nil, []byte("body")), 3)
	f.Fuzz(func(t *testing.T, src []byte, limit int) {
		limit = min(max(limit, 0), 1<<20)
		if got, err := (compress.Gzip{}).Decompress([]byte("abc"), src, limit); err == nil {
			require.LessOrEqual(t, len(got)-3, limit)
		}
		got, err := compress.Gzip{}.Decompress(nil, compress.Gzip{}.Compress(nil, src), len(src))
		require.NoError(t, err)
		require.True(t, bytes.Equal(src, got))
	})
}
