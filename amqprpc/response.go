package amqprpc

import (
	"reflect"

	"github.com/bbebcec1/amqprpc-go/codec"
)

// Response is the successful answer to a request. Like [Request], it may be used only by
// the goroutine that runs the chain.
type Response struct {
	header      Header
	msg         any // a *Resp
	contentType string
	body        []byte
	codec       codec.Codec
	req         *Request // that it answers; nil while it has not left the middleware that made it
	err         error
	decoded     bool
	encoded     bool
	stopped     bool // the stream
}

// NewResponse makes a response of msg, a *Resp or a Resp, for middleware that answers
// instead of the handler.
func NewResponse(msg any) *Response {
	if v := reflect.ValueOf(msg); v.IsValid() && v.Kind() != reflect.Pointer {
		p := reflect.New(v.Type())
		p.Elem().Set(v)
		msg = p.Interface()
	}
	return &Response{msg: msg, decoded: true}
}

// NewRawResponse makes a response of a body that is already encoded, for middleware that
// sends a stored answer. If contentType is empty, the response has the content type of the
// request. The header h may be nil. The body is not copied.
func NewRawResponse(contentType string, body []byte, h Header) *Response {
	return &Response{contentType: contentType, body: body, header: h.clone(), encoded: true}
}

// Header returns the metadata of the reply. It is never nil. Middleware on a server may add
// to it. If the handler has set the same name with [ReplyHeader], the value of the
// middleware is sent.
func (r *Response) Header() Header {
	if r.header == nil {
		r.header = Header{}
	}
	return r.header
}

// Message returns the message as a *Resp. The message is decoded once, at the first use. On
// a client, Message returns nil for a notification.
func (r *Response) Message() (any, error) {
	if r.decoded {
		return r.msg, r.err
	}
	r.decoded = true
	if r.req == nil || r.req.respType == nil {
		return nil, nil
	}
	if r.codec == nil {
		r.err = Errorf(CodeInternal, "no codec is known for the content type %q", r.contentType)
		return nil, r.err
	}
	typ := r.req.respType
	msg := typ.fresh()
	if err := decodeBody(r.codec, r.body, msg, typ.none()); err != nil {
		r.err = Errorf(CodeInternal, "the reply does not decode: %w", err)
		return nil, r.err
	}
	r.msg = msg
	return msg, nil
}

// Stopped reports whether a client has stopped its stream before the server's end, as a
// range loop does that breaks. It is false for all other requests.
func (r *Response) Stopped() bool { return r.stopped }

// ContentType returns the content type of the body. It is "" only for a new response that
// the middleware has not yet returned.
func (r *Response) ContentType() string { return r.contentType }

// Body returns the encoded message, not a copy. The message is encoded once. On a server,
// this happens when the handler returns, so all middleware sees an encoding error.
func (r *Response) Body() ([]byte, error) {
	if r.encoded || r.codec == nil {
		return r.body, r.err
	}
	r.encoded = true
	body, err := r.codec.Marshal(r.msg)
	if err != nil {
		r.err = Errorf(CodeInternal, "the reply cannot be encoded: %w", err)
		return nil, r.err
	}
	r.body = body
	return body, nil
}

// bind gives a response that middleware made what it needs of its request to
// encode and decode itself. c is the codec for contentType, or the request's.
func (r *Response) bind(req *Request, c codec.Codec) {
	if r.codec != nil {
		return
	}
	r.codec = c
	r.req = req
	if r.contentType == "" && c != nil {
		r.contentType = c.ContentType()
	}
}
