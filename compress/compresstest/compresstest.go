// Package compresstest tests implementations of compress.Encoding.
package compresstest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

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
	if name := e.Name(); name == "" || name != strings.ToLower(name) {
		t.Errorf("the name %q is empty or not in lower case", name)
	}
	for _, size := range []int{0, 1, 100, 1000, 10_000, 1 << 20} {
		for kind, body := range map[string][]byte{"text": text(size), "noise": noise(size), "zeros": make([]byte, size)} {
			packed := e.Compress(nil, body)
			if kind != "noise" && size >= 1000 && len(packed) >= size/4 {
				t.Errorf("%d bytes of %s become %d", size, kind, len(packed))
			}
			got, err := e.Decompress(nil, packed, enough)
			if err != nil || !bytes.Equal(body, got) {
				t.Errorf("%d bytes of %s come back as %d: %v", size, kind, len(got), err)
			}
		}
	}
}

// Both methods append, with and without room, and leave what is there.
func testAppend(t *testing.T, e compress.Encoding) {
	body := text(3000)
	for _, room := range []int{0, 10, 5000} {
		packed := e.Compress(append(make([]byte, 0, 3+room), "abc"...), body)
		rest, ok := bytes.CutPrefix(packed, []byte("abc"))
		if !ok {
			t.Fatalf("Compress does not append, with room for %d bytes", room)
		}
		got, err := e.Decompress(append(make([]byte, 0, 3+room), "xyz"...), rest, len(body))
		if err != nil || string(got) != "xyz"+string(body) {
			t.Errorf("Decompress does not append, with room for %d bytes: %v", room, err)
		}
	}
}

func testLimit(t *testing.T, e compress.Encoding) {
	for _, size := range []int{1, 1000, 100_000, 1 << 20} {
		packed := e.Compress(nil, text(size))
		if got, err := e.Decompress([]byte("abc"), packed, size); err != nil || len(got) != 3+size {
			t.Errorf("%d bytes with a limit of %d: %d bytes, %v", size, size, len(got), err)
		}
		for _, limit := range []int{size - 1, size / 2, 1} {
			if limit == size {
				continue
			}
			if _, err := e.Decompress([]byte("abc"), packed, limit); !errors.Is(err, compress.ErrTooLarge) {
				t.Errorf("%d bytes with a limit of %d: %v is not ErrTooLarge", size, limit, err)
			}
		}
	}
}

// A small body that becomes a large one costs no more memory than the limit allows.
func testBomb(t *testing.T, e compress.Encoding) {
	const size, limit = 16 << 20, 256 << 10
	bomb := e.Compress(nil, make([]byte, size))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := e.Decompress(nil, bomb, limit)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, compress.ErrTooLarge) {
		t.Errorf("%v is not ErrTooLarge", err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 8*limit {
		t.Errorf("%d bytes were allocated, for a limit of %d", n, limit)
	}
}

// What is cut short, changed, or followed by something else is an error. Garbage is, too.
func testDamage(t *testing.T, e compress.Encoding) {
	body := append(text(2000), noise(200)...)
	packed := e.Compress(nil, body)
	fails := func(src []byte, what string) {
		if _, err := e.Decompress(nil, src, enough); err == nil || errors.Is(err, compress.ErrTooLarge) {
			t.Errorf("%s: the error is %v", what, err)
		}
	}
	for n := range packed {
		fails(packed[:n], fmt.Sprintf("the first %d bytes of %d", n, len(packed)))
	}
	for n := 1; n < 20; n++ {
		fails(append(bytes.Clone(packed), make([]byte, n)...), fmt.Sprintf("%d bytes after the end", n))
	}
	fails(body, "a body that is not compressed")
	for i := range packed {
		changed := bytes.Clone(packed)
		changed[i] ^= 0x55
		if got, err := e.Decompress(nil, changed, enough); err == nil && !bytes.Equal(body, got) {
			t.Errorf("a change of byte %d is not noticed", i)
		}
	}
	if got, err := e.Decompress(nil, packed, enough); err != nil || !bytes.Equal(body, got) {
		t.Errorf("after broken bodies, a whole one fails: %v", err)
	}
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
