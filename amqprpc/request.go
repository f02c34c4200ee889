package amqprpc

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/bbebcec1/amqprpc-go/codec"
)

// Kind is the kind of a request.
type Kind int

const (
	KindUnary        Kind = iota // one request, one reply
	KindNotification             // a request without a reply
)

// String returns the kind's name: unary or notification.
func (k Kind) String() string {
	if k == KindNotification {
		return "notification"
	}
	return "unary"
}

// Request is one request as middleware sees it, on its way out of a client or
// into a server. It belongs to the goroutine that runs the chain: none of its
// methods may be called concurrently with another or with next, nor after the chain
// returned. [Request.HasStarted] and [Request.InspectQueue] are the exceptions, and a
// [Request.Clone] is a request of its own.
type Request struct {
	queue       string
	kind        Kind
	id          string
	attempt     int
	header      Header
	contentType string

	codec       codec.Codec
	body        []byte
	msg         any         // a *Req
	typ         messageType // of Req; server only
	decoded     bool
	encoded     bool
	client      bool
	redelivered bool
	retriers    uint32 // how often middleware has claimed the retries
	err         error  // of decoding on a server, of encoding on a client

	respType    messageType
	replyHeader Header

	in       *inbound  // server only
	out      *outgoing // client only
	expiry   time.Time // of a notification that asked for one; client only
	priority uint8     // client only
}

// Queue returns the name of the queue that is called.
func (r *Request) Queue() string { return r.queue }

// Kind returns the request's kind.
func (r *Request) Kind() Kind { return r.kind }

// IsClient reports whether the request is on its way out of a client.
func (r *Request) IsClient() bool { return r.client }

// ID returns the call's id, the same for every attempt at it and for every
// delivery of it: the key by which a repetition is known.
func (r *Request) ID() string { return r.id }

// Attempt returns which attempt at the call this is, 1 for the first. On a
// client it counts the times that the chain reached the wire.
func (r *Request) Attempt() int { return max(1, r.attempt) }

// IsIdempotent reports whether the call may be repeated though it may have run
// ([WithIdempotent]). It is always false on a server, since requests do not tell.
func (r *Request) IsIdempotent() bool { return r.out != nil && r.out.call.send.idempotent }

// QueueTime returns how long the request was in its queue before the broker
// delivered it to this server. The time is an estimate, since the clocks of callers
// differ from the server's; time that the request waited for a worker is not in it. It
// returns false where nothing is known: for a notification, for a request without a
// deadline, with a priority, or redelivered, and on a client.
func (r *Request) QueueTime() (time.Duration, bool) {
	if r.in == nil {
		return 0, false
	}
	return r.in.waited, r.in.timed
}

// Redelivered reports whether the broker has, or may have, delivered this
// message before. It is always false on a client.
func (r *Request) Redelivered() bool { return r.redelivered }

// Header returns the request's metadata, never nil. What client middleware puts
// there is sent.
func (r *Request) Header() Header {
	if r.header == nil {
		r.header = Header{}
	}
	return r.header
}

// ContentType returns the content type of the body, as it is on the wire: on a
// server what the message says, "" if it says nothing.
func (r *Request) ContentType() string { return r.contentType }

// Body returns the encoded message. It is not a copy. On a client it is encoded
// on first use, after which changes to the message no longer count, and is nil
// if the message cannot be encoded, which is then the call's error.
func (r *Request) Body() []byte {
	if r.client {
		r.encode()
	}
	return r.body
}

// Message returns the message as a *Req. On a server it is decoded on first
// use, once; the error is the one that the call will end with: the content type
// is not accepted, or the body is no Req.
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
	msg := r.typ.fresh()
	if err := decodeBody(r.codec, r.body, msg, r.typ.none()); err != nil {
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
	r.body, r.err = body, err
}

// decodeBody decodes body into dst, a pointer. An empty body is no message,
// unless none is wanted.
func decodeBody(c codec.Codec, body []byte, dst any, none bool) error {
	if none {
		return nil
	}
	if len(body) == 0 {
		return fmt.Errorf("the body is empty, where %s was expected", c.ContentType())
	}
	return c.Unmarshal(body, dst)
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

// serverContext is the ctx of a handler: it knows its request.
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

// RequestFromContext returns the request that a handler is working on, and false
// if ctx does not come from a server.
func RequestFromContext(ctx context.Context) (*Request, bool) {
	r, ok := ctx.Value(requestKey{}).(*Request)
	return r, ok
}

// ReplyHeader returns the metadata of the reply that a handler is about to give,
// for it to add to: sent with its result and with its error alike. It belongs to
// the goroutine that runs the handler. For a ctx that does not come from a
// server it is a map that goes nowhere.
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
