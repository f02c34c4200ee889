package compress

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// Gzip is the encoding "gzip" (RFC 1952). It uses compress/gzip. The zero value is ready to
// use.
type Gzip struct {
	// Level is from 1, which is the fastest, to 9, which makes bodies the smallest. Other
	// values count as the nearest one, so that 0 is the fastest.
	Level int
}

// Name returns "gzip".
func (Gzip) Name() string { return "gzip" }

// Compress appends src to dst as one gzip member.
func (g Gzip) Compress(dst, src []byte) []byte {
	level := min(max(g.Level, gzip.BestSpeed), gzip.BestCompression)
	pool := &gzipWriters[level]
	w, ok := pool.Get().(*gzipWriter)
	if !ok {
		w = &gzipWriter{}
		w.gzip, _ = gzip.NewWriterLevel(w, level) // the level is valid
	}
	w.out = dst
	w.gzip.Reset(w)
	w.gzip.Write(src) // writing to memory does not fail
	w.gzip.Close()
	dst, w.out = w.out, nil
	pool.Put(w)
	return dst
}

// Decompress appends what the gzip members in src contain, one after the other.
func (Gzip) Decompress(dst, src []byte, limit int) ([]byte, error) {
	r, ok := gzipReaders.Get().(*gzipReader)
	if !ok {
		r = &gzipReader{}
	}
	defer func() {
		r.src.Reset(nil)
		gzipReaders.Put(r)
	}()
	r.src.Reset(src)
	err := r.gzip.Reset(&r.src)
	if err == nil {
		dst, err = appendAll(dst, &r.gzip, statedSize(src), limit)
	}
	switch {
	case err == nil:
		return dst, nil
	case errors.Is(err, ErrTooLarge):
		return dst, err
	case errors.Is(err, io.EOF): // of the first member's header
		err = io.ErrUnexpectedEOF
	}
	return dst, fmt.Errorf("gzip: %s", strings.TrimPrefix(err.Error(), "gzip: "))
}

// gzipWriter is a reusable compressor that appends to a slice. It has about 800 KiB.
type gzipWriter struct {
	gzip *gzip.Writer
	out  []byte
}

func (w *gzipWriter) Write(p []byte) (int, error) {
	w.out = append(w.out, p...)
	return len(p), nil
}

// gzipReader is a reusable decompressor. It has about 40 KiB.
type gzipReader struct {
	gzip gzip.Reader
	src  bytes.Reader
}

var (
	gzipWriters [gzip.BestCompression + 1]sync.Pool // of *gzipWriter, by level
	gzipReaders sync.Pool                           // of *gzipReader
)

// statedSize returns the size that the end of src states, if it can be believed: an
// untrue one must not cost memory.
func statedSize(src []byte) int {
	const believed = 16 // times the compressed size
	if len(src) < 4 {
		return 0
	}
	size := binary.LittleEndian.Uint32(src[len(src)-4:])
	return int(min(uint64(size), believed*uint64(len(src))))
}

// appendAll appends what r has to dst, at most limit bytes. It begins with room for expected
// bytes.
func appendAll(dst []byte, r io.Reader, expected, limit int) ([]byte, error) {
	start := len(dst)
	room := min(expected, limit) + 1 // to read the end without growing
	for {
		dst = slices.Grow(dst, room)
		for len(dst) < cap(dst) {
			n, err := r.Read(dst[len(dst):cap(dst)])
			dst = dst[:len(dst)+n]
			switch {
			case len(dst)-start > limit:
				return dst[:start], ErrTooLarge
			case err == io.EOF:
				return dst, nil
			case err != nil:
				return dst[:start], err
			}
		}
		room = max(min(len(dst)-start, limit-(len(dst)-start)), 512)
	}
}
