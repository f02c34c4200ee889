//go:build !race

// Under the race detector, sync.Pool drops random items, so allocations cannot be counted.

package compress_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/compress"
)

// After the first time, compressing allocates only the result. Decompressing allocates some
// tables, too.
func TestGzipAllocates(t *testing.T) {
	body := []byte(strings.Repeat("tea ", 1000))
	packed := compress.Gzip{}.Compress(nil, body)
	out := make([]byte, 0, 2*len(body))
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { compress.Gzip{}.Compress(out, body) }), 0.5)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { compress.Gzip{}.Decompress(nil, packed, 1<<20) }), 4.5)
}
