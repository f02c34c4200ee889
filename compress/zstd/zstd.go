// Package zstd is Zstandard (RFC 8878) as a compress.Encoding, "zstd". It uses
// github.com/klauspost/compress. For most bodies it is faster than gzip and makes them smaller.
//
//	zstd := zstd.New(0)
//	srv := amqprpc.NewServer(url, amqprpc.WithAcceptedEncodings(zstd, compress.Gzip{}))
//	cli, err := amqprpc.Dial(ctx, url, amqprpc.WithCompression(zstd))
package zstd

import (
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/bbebcec1/amqprpc-go/compress"
)

// Encoding compresses with Zstandard. Make it with New, once for a program: it keeps memory
// for as many bodies as are compressed at the same time. It is safe for concurrent use.
type Encoding struct {
	encoder *zstd.Encoder

	mu       sync.Mutex
	decoders map[int]*zstd.Decoder // by limit
}

var _ compress.Encoding = (*Encoding)(nil)

// New makes an Encoding. level is from 1, which is the fastest, to 22, as in the program
// zstd. 0 is the default level, 3. The library has four levels and takes the nearest one.
func New(level int) *Encoding {
	if level == 0 {
		level = 3
	}
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic("zstd: " + err.Error()) // no option here can fail
	}
	return &Encoding{encoder: encoder, decoders: make(map[int]*zstd.Decoder)}
}

// Name returns "zstd".
func (*Encoding) Name() string { return "zstd" }

// Compress appends src to dst as one frame.
func (e *Encoding) Compress(dst, src []byte) []byte {
	if len(src) == 0 {
		return append(dst, emptyFrame...) // the library would append nothing
	}
	return e.encoder.EncodeAll(src, dst)
}

// emptyFrame is a frame without content: the magic number, a header with the size 0, and an
// empty last block.
const emptyFrame = "\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00"

// windowMost is the largest window that a frame may have, which RFC 8878 recommends. A small
// body may have a large one.
const windowMost = 8 << 20

// Decompress appends what the frames in src contain, one after the other. It allocates at
// most limit bytes or 8 MiB, whichever is more, and some tables. Dictionaries are not
// supported.
func (e *Encoding) Decompress(dst, src []byte, limit int) ([]byte, error) {
	if len(src) == 0 {
		return dst, errors.New("zstd: the body is empty")
	}
	d, err := e.decoder(max(limit, windowMost))
	if err != nil {
		return dst, err
	}
	plain, err := d.DecodeAll(src, dst[len(dst):]) // the limit is of what comes after dst
	if err == nil && len(plain) > limit {
		err = zstd.ErrDecoderSizeExceeded
	}
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return dst, fmt.Errorf("zstd: %w", compress.ErrTooLarge)
	case err != nil:
		return dst, fmt.Errorf("zstd: %w", err)
	case len(dst) == 0:
		return plain, nil
	default:
		return append(dst, plain...), nil
	}
}

// limitsMost bounds the decoders that are kept. A program has one limit or two.
const limitsMost = 8

// decoder returns the decoder that allocates at most limit bytes for a body.
func (e *Encoding) decoder(limit int) (*zstd.Decoder, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if d, ok := e.decoders[limit]; ok {
		return d, nil
	}
	d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(uint64(limit)), zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	if len(e.decoders) >= limitsMost {
		clear(e.decoders)
	}
	e.decoders[limit] = d
	return d, nil
}
