// Package compress has the content encodings that compress the bodies of requests and
// replies: the interface Encoding and its implementation Gzip. The nested module
// compress/zstd has Zstandard. An encoding of your own is as good as these two.
//
// The package knows nothing of AMQP. amqprpc.WithCompression and
// amqprpc.WithAcceptedEncodings say which encodings are used.
package compress

import "errors"

// Encoding compresses bodies. Implementations are safe for concurrent use.
type Encoding interface {
	// Name returns the name of the encoding, as it stands in the property content_encoding.
	// Names are those of HTTP (RFC 9110, section 8.4.1) where HTTP has one, in lower case.
	Name() string

	// Compress appends the compressed src to dst and returns the extended slice.
	Compress(dst, src []byte) []byte

	// Decompress appends the decompressed src to dst and returns the extended slice. It
	// appends at most limit bytes. If there are more, it returns an error that wraps
	// [ErrTooLarge], and has allocated no more memory than is in proportion to limit. It
	// returns another error if src is not one whole compressed body: if it is cut short,
	// damaged, or has bytes after its end. src comes from strangers.
	Decompress(dst, src []byte, limit int) ([]byte, error)
}

// ErrTooLarge says that a body is larger than the limit when it is decompressed.
var ErrTooLarge = errors.New("the decompressed body is larger than the limit")
