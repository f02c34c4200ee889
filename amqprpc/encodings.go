package amqprpc

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
	"github.com/bbebcec1/amqprpc-go/compress"
)

// encodings are the content encodings that one side takes, the preferred one first.
type encodings []compress.Encoding

// check reports what is wrong with the encodings of a client or a server.
func (es encodings) check() error {
	for i, e := range es {
		if e == nil {
			return errors.New("WithAcceptedEncodings: an encoding is nil")
		}
		switch name := e.Name(); {
		case !protocol.ValidEncoding(name):
			return fmt.Errorf("WithAcceptedEncodings: %.80q is not the name of an encoding", name)
		case es[:i].find(name) != nil:
			return fmt.Errorf("WithAcceptedEncodings: two encodings are called %q", name)
		}
	}
	if n := len(es.accepted()); n > protocol.MaxShortString {
		return fmt.Errorf("WithAcceptedEncodings: the names have %d bytes together; the limit is %d", n, protocol.MaxShortString)
	}
	return nil
}

// find returns the encoding of that name, in any case, else nil.
func (es encodings) find(name string) compress.Encoding {
	for _, e := range es {
		if strings.EqualFold(e.Name(), name) {
			return e
		}
	}
	return nil
}

// pick returns the first of the encodings that a caller accepts that is among es, else nil.
func (es encodings) pick(accepted string) compress.Encoding {
	for accepted != "" {
		var name string
		name, accepted, _ = strings.Cut(accepted, ",")
		if e := es.find(strings.Trim(name, " ")); e != nil {
			return e
		}
	}
	return nil
}

// with returns es with e as the preferred one, unless e is among es already.
func (es encodings) with(e compress.Encoding) encodings {
	if es.find(e.Name()) != nil {
		return es
	}
	return append(encodings{e}, es...)
}

// accepted says what es are, for the other side to pick from.
func (es encodings) accepted() string {
	var names []string
	for _, e := range es {
		names = append(names, e.Name())
	}
	return strings.Join(names, ", ")
}

// acceptCompression adds the encoding of the client's requests to those of its replies.
func (c *clientConfig) acceptCompression() error {
	err := c.conn.encodings.check()
	if o := c.send.compression; err == nil && o != nil && o.Encoding != nil {
		c.conn.encodings = c.conn.encodings.with(o.Encoding)
		err = c.conn.encodings.check()
	}
	return err
}

type compressionOption struct{ compress.Encoding }

func (o compressionOption) applyClient(c *clientConfig) { c.send.compression = &o }
func (o compressionOption) applyCall(c *callConfig)     { c.send.compression = &o }

// WithCompression compresses the bodies of requests with e, if that makes them smaller and
// they have the size of [WithMinCompressSize]. It asks for replies in the same encoding, too.
// Middleware sees bodies that are not compressed. With nil, requests are not compressed.
//
// The messages of a stream are compressed if client and server know an encoding in common,
// which the server picks. A stream without one is not compressed, and not refused for that.
//
// Servers of this module know [compress.Gzip], unless [WithAcceptedEncodings] says otherwise.
// A server that does not know the encoding refuses the request with invalid_argument. So
// configure servers before clients.
func WithCompression(e compress.Encoding) SendOption { return compressionOption{e} }

// WithAcceptedEncodings sets which content encodings a server takes in requests and answers
// in, or which ones a client takes in replies. The same holds for the messages of streams. A
// server uses the first encoding that the caller accepts and the server knows. A client names its encodings in this order in each
// request. Servers that do not know any of them reply without compression.
//
// The default is [compress.Gzip] for servers, and none for clients, besides the encoding of
// [WithCompression]. Without arguments it is none. Two encodings of one name, and a name that
// is no token of HTTP, are invalid_argument, from [NewClient] or [Server.Serve].
func WithAcceptedEncodings(es ...compress.Encoding) ConnOption {
	return connOption(func(c *connConfig) { c.encodings = slices.Clone(es) })
}

// WithMinCompressSize sets from which size on bodies are compressed, in bytes. The default is
// 1 KiB. Values below 1 leave the default.
func WithMinCompressSize(bytes int) ConnOption {
	return connOption(func(c *connConfig) {
		if bytes > 0 {
			c.minCompressSize = bytes
		}
	})
}
