package amqprpc

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
	"github.com/bbebcec1/amqprpc-go/codec"
)

// Kind is the kind of a request.
type Kind uint8

const (
	KindUnary        Kind = iota // one request, one reply
	KindNotification             // a request without a reply
	KindServerStream             // one request, any number of messages in answer
	KindClientStream             // any number of messages, one reply
	KindBidiStream               // any number of messages, both ways
	KindBroadcast                // one request to all instances, an answer of each; on clients only: see All
)

// String returns the kind's name: unary, notification, server stream, client stream, bidi
// stream or broadcast.
func (k Kind) String() string {
	switch k {
	case KindNotification:
		return "notification"
	case KindServerStream:
		return "server stream"
	case KindClientStream:
		return "client stream"
	case KindBidiStream:
		return "bidi stream"
	case KindBroadcast:
		return "broadcast"
	default:
		return "unary"
	}
}

// IsStream reports whether one side or both send any number of messages.
func (k Kind) IsStream() bool { return k.wire() != "" }

// wire is the kind of a stream as the wire has it, else "".
func (k Kind) wire() protocol.StreamKind {
	switch k {
	case KindServerStream:
		return protocol.StreamServer
	case KindClientStream:
		return protocol.StreamClient
	case KindBidiStream:
		return protocol.StreamBidi
	default:
		return ""
	}
}

// Request is a request as middleware sees it: on a client before it is sent, on a server
// after it has arrived. Only the goroutine that runs the chain may use it. No method may be
// called concurrently with another or with next, or after the chain has returned. The
// exceptions are [Request.HasStarted] and [Request.InspectQueue]. A [Request.Clone] is a
// request of its own.
type Request struct {
	queue       string
	id          string
	attempt     int
	header      Header
	contentType string

	codec  codec.Codec
	body   []byte
	packed *packed // the body on the wire, if that is another one
	msg    any     // a *Req
	err    error   // of decoding on a server, of encoding on a client

	respType    messageType
	replyHeader Header

	in  *inbound  // server only
	out *outgoing // client only

	kind        Kind
	priority    uint8 // client only
	decoded     bool
	encoded     bool
	client      bool
	redelivered bool
	retriers    uint16 // how often middleware has claimed the retries

	streaming *streaming // of a stream
}

// Queue returns the name of the queue that is called.
func (r *Request) Queue() string { return r.queue }

// Kind returns the kind of the request.
func (r *Request) Kind() Kind { return r.kind }

// IsClient reports whether the request is on a client.
func (r *Request) IsClient() bool { return r.client }

// ID returns the ID of the call. The ID is the same for every attempt and every delivery. A
// handler uses it to recognise a repeated call.
func (r *Request) ID() string { return r.id }

// Attempt returns the number of the caller's attempt at the call: 1 for the first. On a
// client, each time that the chain sends the request counts as an attempt.
func (r *Request) Attempt() int { return max(1, r.attempt) }

// CorrelationID returns the correlation_id of the message: each attempt at a call has its
// own, while [Request.ID] is the same for all of them. On a client it is that of the last
// attempt, and "" before the first.
func (r *Request) CorrelationID() string {
	if r.in != nil {
		return r.in.message.CorrelationID
	}
	if r.out != nil {
		if a := r.out.call.inFlight(); a != nil {
			return a.id()
		}
	}
	return ""
}

// IsIdempotent reports whether the call has the option [WithIdempotent]. On a server it is
// always false, because the message does not contain this option.
func (r *Request) IsIdempotent() bool { return r.out != nil && r.out.call.send.idempotent }

// QueueTime returns how long the request was in its queue before the broker delivered it to
// this server. The time is an estimate, because the clocks of callers differ from the
// server's clock. It does not include the time that the request waited in the server.
// QueueTime returns false if nothing is known. This is so on a client, for notifications,
// and for requests that have no deadline, have a priority, or are redelivered.
func (r *Request) QueueTime() (time.Duration, bool) {
	if r.in == nil {
		return 0, false
	}
	return r.in.waited, r.in.timed
}

// Redelivered reports whether the broker may have delivered this message before. On a
// client it is always false.
func (r *Request) Redelivered() bool { return r.redelivered }

// Header returns the metadata of the request. It is never nil. Middleware on a client may
// add to it.
func (r *Request) Header() Header {
	if r.header == nil {
		r.header = Header{}
	}
	return r.header
}

// ContentType returns the content type of the body. On a server it is the content type of
// the message, or "" if the message has none.
func (r *Request) ContentType() string { return r.contentType }

// Body returns the encoded message, not compressed and not a copy. On a client, the message
// is encoded at the first use, and later changes to the message have no effect. If the
// message cannot be encoded, Body returns nil, and the call fails. On a server, Body returns
// nil if the body does not decompress. Message then returns the error.
func (r *Request) Body() []byte {
	if r.client {
		r.encode()
	} else {
		_ = r.unpack() // Message returns the error
	}
	return r.body
}

// Message returns the message as a *Req. On a server, the message is decoded once, at the
// first use. If the content type is not accepted, or the body does not decode as a Req,
// Message returns an error, and the call fails with it.
func (r *Request) Message() (any, error) {
	if r.client {
		return r.msg, nil
	}
	if r.decoded {
		return r.msg, r.err
	}
	r.decoded = true
	if r.codec == nil {
		r.err = r.in.refusal
		return nil, r.err
	}
	typ := r.in.typed
	msg := typ.fresh()
	if !typ.none() {
		if err := r.unpack(); err != nil {
			r.err = err
			return nil, err
		}
	}
	if err := decodeBody(r.codec, r.body, msg, typ.none()); err != nil {
		r.err = Errorf(CodeInvalidArgument, "the request does not decode: %w", err)
		return nil, r.err
	}
	r.msg = msg
	return msg, nil
}

// encode encodes a client's message, once; its error is the call's.
func (r *Request) encode() {
	if r.encoded {
		return
	}
	r.encoded = true
	body, err := r.codec.Marshal(r.msg)
	if r.body, r.err = body, err; err == nil {
		r.pack()
	}
}

// decodeBody decodes body into dst, a pointer. Whether an empty body is a message is the
// codec's affair, unless none is wanted.
func decodeBody(c codec.Codec, body []byte, dst any, none bool) error {
	if none {
		return nil
	}
	err := c.Unmarshal(body, dst)
	if err != nil && len(body) == 0 {
		return fmt.Errorf("the body is empty, where %s was expected: %w", c.ContentType(), err)
	}
	return err
}

type requestKey struct{}

// messageType is a message's type where it is not known at compile time.
type messageType interface {
	fresh() any // a new *T
	none() bool // T is None: the body is ignored
}

// messageOf is the messageType of T.
type messageOf[T any] struct{}

func (messageOf[T]) fresh() any { return new(T) }
func (messageOf[T]) none() bool { return reflect.TypeFor[T]() == reflect.TypeFor[None]() }

// serverContext is the ctx of a handler. It contains the request.
type serverContext struct {
	deadlineContext
	req *Request
}

// Value implements context.Context.
func (c *serverContext) Value(key any) any {
	if key == (requestKey{}) {
		return c.req
	}
	return c.deadlineContext.Value(key)
}

// RequestFromContext returns the request that a handler is working on. It returns false if
// ctx does not come from a server.
func RequestFromContext(ctx context.Context) (*Request, bool) {
	r, ok := ctx.Value(requestKey{}).(*Request)
	return r, ok
}

// ReplyHeader returns the metadata of the reply that a handler will give. The handler may
// add to it. The metadata are sent with a result and with an error. Only the goroutine of
// the handler may use the map. If ctx does not come from a server, ReplyHeader returns a
// map that has no effect.
func ReplyHeader(ctx context.Context) Header {
	r, ok := RequestFromContext(ctx)
	if !ok {
		return Header{}
	}
	if r.replyHeader == nil {
		r.replyHeader = Header{}
	}
	return r.replyHeader
}

// deadlineOf returns the deadline of a request's ctx, zero if it has none.
func deadlineOf(ctx context.Context) time.Time {
	d, _ := ctx.Deadline()
	return d
}
