package amqprpc

import (
	"errors"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
	"github.com/bbebcec1/amqprpc-go/compress"
)

// packed is a body as the wire has it, where that is not the body itself.
type packed struct {
	encoding compress.Encoding // nil is none: the body would not become smaller
	body     []byte
	err      *Error // of unpacking
	unpacked bool
}

// pack compresses a body of at least least bytes. It returns the body itself and no encoding
// where that makes it no smaller.
func pack(e compress.Encoding, body []byte, least int) ([]byte, compress.Encoding) {
	if len(body) < least {
		return body, nil
	}
	small := e.Compress(make([]byte, 0, len(body)/2), body)
	if len(small) >= len(body) {
		return body, nil
	}
	return small, e
}

// nameOf is the name of an encoding as the wire has it; "" is none.
func nameOf(e compress.Encoding) string {
	if e == nil {
		return ""
	}
	return e.Name()
}

// pack compresses a client's request, if its call says so. A body beyond the limit is
// refused, and not worth it.
func (r *Request) pack() {
	e, cfg := r.out.call.compression(), &r.out.call.client.cfg.conn
	if e == nil || len(r.body) > cfg.maxMessageSize {
		return
	}
	p := &packed{}
	p.body, p.encoding = pack(e, r.body, cfg.minCompressSize)
	r.packed = p
}

// wire returns the body as the wire has it.
func (r *Request) wire() []byte {
	if r.packed != nil {
		return r.packed.body
	}
	return r.body
}

// unpack decompresses the body of a server's request on its first use: middleware may refuse
// the request without that.
func (r *Request) unpack() *Error {
	p := r.packed
	if p == nil {
		return nil
	}
	if !p.unpacked {
		p.unpacked = true
		r.body, p.err = unpack(p.encoding, p.body, r.in.endpoint.server.cfg.conn.maxMessageSize, "request", CodeInvalidArgument)
	}
	return p.err
}

// unpack decompresses a body. The error is resource_exhausted beyond limit, else of the code
// damaged.
func unpack(e compress.Encoding, body []byte, limit int, what string, damaged Code) ([]byte, *Error) {
	plain, err := e.Decompress(nil, body, limit)
	switch {
	case errors.Is(err, compress.ErrTooLarge):
		return nil, Errorf(CodeResourceExhausted, "the %s has more than %d bytes when it is decompressed, which is the limit", what, limit)
	case err != nil:
		return nil, Errorf(damaged, "the %s does not decompress: %w", what, err)
	}
	return plain, nil
}

// compressReply compresses the body of a reply, if the caller accepts that.
func (in *inbound) compressReply(body []byte) ([]byte, compress.Encoding) {
	cfg := &in.endpoint.server.cfg.conn
	e := in.replyEncoding()
	if e == nil || len(body) > cfg.maxMessageSize {
		return body, nil
	}
	return pack(e, body, cfg.minCompressSize)
}

// replyEncoding is the encoding for the reply or the stream of a request, nil if its caller
// accepts none that this server knows.
func (in *inbound) replyEncoding() compress.Encoding {
	return in.endpoint.server.cfg.conn.encodings.pick(in.message.AcceptEncoding)
}

// acceptEncoding is what a call says of the encodings of its reply.
func (pc *pendingCall) acceptEncoding() string {
	if c, e := pc.client, pc.compression(); e == nil || c.cfg.conn.encodings.find(e.Name()) != nil {
		return c.accepts
	}
	return pc.encodings().accepted()
}

// encodings are those that a call takes from its server.
func (pc *pendingCall) encodings() encodings {
	es := pc.client.cfg.conn.encodings
	if e := pc.compression(); e != nil {
		es = es.with(e)
	}
	return es
}

// compression is what a call compresses with, nil if it does not.
func (pc *pendingCall) compression() compress.Encoding {
	if o := pc.send.compression; o != nil {
		return o.Encoding
	}
	return nil
}

// plainReply returns the body of a reply without its encoding.
func (c *Client) plainReply(req *Request, r *reply) ([]byte, *Error) {
	if protocol.IsPlain(r.encoding) {
		return r.body, nil
	}
	e := req.out.call.encodings().find(r.encoding)
	if e == nil {
		return nil, localError(CodeInternal, OutcomeExecuted, req.queue,
			"the reply's content encoding %q is none that this client accepts (WithAcceptedEncodings)", r.encoding)
	}
	body, err := unpack(e, r.body, c.cfg.conn.maxMessageSize, "reply", CodeInternal)
	if err != nil {
		err.outcome, err.queue = OutcomeExecuted, req.queue
	}
	return body, err
}
