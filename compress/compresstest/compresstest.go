// Package compresstest tests implementations of compress.Encoding.
package compresstest

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/compress"
)

// Run checks that an encoding keeps the promises of its interface. It must not run in
// parallel with other tests, because it counts what is allocated.
func Run(t *testing.T, e compress.Encoding) {
	t.Run("bodies", func(t *testing.T) { testBodies(t, e) })
	t.Run("append", func(t *testing.T) { testAppend(t, e) })
	t.Run("limit", func(t *testing.T) { testLimit(t, e) })
	t.Run("bomb", func(t *testing.T) { testBomb(t, e) })
	t.Run("damage", func(t *testing.T) { testDamage(t, e) })
	t.Run("concurrency", func(t *testing.T) { testConcurrency(t, e) })
}

const enough = 16 << 20

// text is a body that becomes much smaller.
func text(size int) []byte {
	return []byte(strings.Repeat(`{"name":"tea","count":3},`, size/25+1)[:size])
}

// noise is a body that becomes no smaller.
func noise(size int) []byte {
	b := make([]byte, size)
	rand.Read(b)
	return b
}

func testBodies(t *testing.T, e compress.Encoding) {
	require.NotEmpty(t, e.Name())
	require.Equal(t, strings.ToLower(e.Name()), e.Name())
	for _, size := range []int{0, 1, 100, 1000, 10_000, 1 << 20, 5 << 20} {
		for kind, body := range map[string][]byte{"text": text(size), "noise": noise(size), "zeros": make([]byte, size)} {
			packed := e.Compress(nil, body)
			require.NotEmpty(t, packed)
			if size >= 1000 && kind != "noise" {
				require.Less(t, len(packed), size/4, "%d bytes of %s", size, kind)
			}
			got, err := e.Decompress(nil, packed, enough)
			require.NoError(t, err)
			require.True(t, bytes.Equal(body, got), "%d bytes of %s", size, kind)
		}
	}
}

// Both methods append, with and without room, and leave what is there.
func testAppend(t *testing.T, e compress.Encoding) {
	body := text(3000)
	for _, room := range []int{0, 10, 5000} {
		dst := append(make([]byte, 0, 3+room), "abc"...)
		packed := e.Compress(dst, body)
		require.Equal(t, "abc", string(packed[:3]))
		dst = append(make([]byte, 0, 3+room), "xyz"...)
		got, err := e.Decompress(dst, packed[3:], len(body))
		require.NoError(t, err)
		require.Equal(t, "xyz"+string(body), string(got))
	}
}

func testLimit(t *testing.T, e compress.Encoding) {
	for _, size := range []int{1, 1000, 100_000, 1 << 20} {
		body := text(size)
		packed := e.Compress(nil, body)
		got, err := e.Decompress([]byte("abc"), packed, size)
		require.NoError(t, err, "a limit of exactly %d bytes", size)
		require.Len(t, got, 3+size)
		for _, limit := range []int{size - 1, size / 2, 1} {
			if limit < size {
				_, err = e.Decompress([]byte("abc"), packed, limit)
				require.ErrorIs(t, err, compress.ErrTooLarge, "%d bytes, limit %d", size, limit)
			}
		}
	}
}

// A small body that becomes a large one costs no more memory than the limit allows.
func testBomb(t *testing.T, e compress.Encoding) {
	const size, limit = 64 << 20, 1 << 20
	bomb := e.Compress(nil, make([]byte, size))
	require.Less(t, len(bomb), limit/2)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := e.Decompress(nil, bomb, limit)
	runtime.ReadMemStats(&after)
	require.ErrorIs(t, err, compress.ErrTooLarge)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8*limit))
}

// What is cut short, changed, or followed by something else is an error. Garbage is, too.
func testDamage(t *testing.T, e compress.Encoding) {
	body := append(text(2000), noise(200)...)
	packed := e.Compress(nil, body)
	fails := func(src []byte, what string) {
		t.Helper()
		_, err := e.Decompress(nil, src, enough)
		require.Error(t, err, what)
		require.NotErrorIs(t, err, compress.ErrTooLarge, what)
	}
	for n := 1; n < len(packed); n++ {
		fails(packed[:n], fmt.Sprintf("the first %d bytes of %d", n, len(packed)))
	}
	for n := 1; n < 20; n++ {
		fails(append(bytes.Clone(packed), noise(n)...), fmt.Sprintf("%d bytes after the end", n))
	}
	fails(body, "a body that is not compressed")
	for i := range packed {
		changed := bytes.Clone(packed)
		changed[i] ^= 0x55
		if got, err := e.Decompress(nil, changed, enough); err == nil {
			require.True(t, bytes.Equal(body, got), "a change of byte %d is not noticed", i)
		}
	}
	got, err := e.Decompress(nil, packed, enough) // what broken bodies left in a pool does no harm
	require.NoError(t, err)
	require.True(t, bytes.Equal(body, got))
}

func testConcurrency(t *testing.T, e compress.Encoding) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			body := text(10_000 + i)
			for range 20 {
				got, err := e.Decompress(nil, e.Compress(nil, body), enough)
				if err != nil || !bytes.Equal(body, got) {
					t.Errorf("goroutine %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
}
