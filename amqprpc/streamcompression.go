package amqprpc

import "github.com/bbebcec1/amqprpc-go/compress"

// Once both sides of a stream have agreed on an encoding, each item begins with one of these.
const (
	itemPlain      = 0
	itemCompressed = 1
)

// packing says how a stream's messages become items. It does not change once the stream is
// open.
type packing struct {
	encoding compress.Encoding // that both sides have agreed on; nil is none
	offered  encodings         // to a server, which picks one of them
	sends    bool              // this side compresses; it takes compressed items in any case
	least    int               // what is shorter is not compressed
	limit    int               // of a message that is not compressed, in bytes
}

// head is how many octets an item has before its message.
func (p *packing) head() int {
	if p.encoding == nil {
		return 0
	}
	return 1
}

// agree takes the name of the encoding that a server has picked; "" is none. The error says
// that it was not offered.
func (p *packing) agree(name string) error {
	if name == "" {
		return nil
	}
	if p.encoding = p.offered.find(name); p.encoding == nil {
		return Errorf(CodeInternal, "the server has picked the encoding %.80q for the stream, which this client does not accept (WithAcceptedEncodings)", name)
	}
	return nil
}

// pack makes an item of a message. A message that would not become smaller is not compressed.
func (p *packing) pack(body []byte) []byte {
	if p.encoding == nil {
		return body
	}
	if p.sends && len(body) >= p.least {
		item := append(make([]byte, 0, 1+len(body)/2), itemCompressed)
		if item = p.encoding.Compress(item, body); len(item) <= len(body) {
			return item
		}
	}
	return append([]byte{itemPlain}, body...)
}

// unpack returns the message of an item. The error is resource_exhausted beyond the limit,
// else of the code damaged.
func (p *packing) unpack(item []byte, damaged Code) ([]byte, *Error) {
	if p.encoding != nil {
		switch {
		case len(item) == 0 || item[0] > itemCompressed:
			return nil, Errorf(damaged, "a message of the stream does not say whether it is compressed")
		case item[0] == itemCompressed:
			return unpack(p.encoding, item[1:], p.limit, "message", damaged)
		}
		item = item[1:]
	}
	if len(item) > p.limit {
		return nil, Errorf(CodeResourceExhausted, "the message has %d bytes; the limit is %d (WithMaxMessageSize)", len(item), p.limit)
	}
	return item, nil
}

// plain returns the message of an item. On a server, a message beyond the limit ends the
// stream; a client ends it whatever the error is.
func (m messages) plain(item []byte) ([]byte, error) {
	damaged := CodeInvalidArgument
	if m.req.client {
		damaged = CodeInternal
	}
	body, err := m.stream.packing.unpack(item, damaged)
	if err == nil {
		return body, nil
	}
	if err.code == CodeResourceExhausted && !m.req.client {
		m.stream.finish(err, true)
	}
	return nil, err
}
