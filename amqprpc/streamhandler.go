package amqprpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
)

// ServerStreamHandler answers one request with any number of messages, which it sends with
// out. What it returns is the end of the stream: nil is a clean one. Its ctx ends when the
// caller is gone or wants no more, and when a drain has taken too long. It does not end with
// the connection, which the stream outlives.
type ServerStreamHandler[Req, Resp any] func(ctx context.Context, req Req, out *Sender[Resp]) error

// ClientStreamHandler reads any number of messages from in, and answers them once. It may
// return before the caller has sent all.
type ClientStreamHandler[Req, Resp any] func(ctx context.Context, in *Receiver[Req]) (Resp, error)

// BidiStreamHandler reads messages from in and sends others with out, in any order. What it
// returns ends both directions.
type BidiStreamHandler[Req, Resp any] func(ctx context.Context, in *Receiver[Req], out *Sender[Resp]) error

// RegisterServerStream puts h on a queue. It panics as [Register] does.
func RegisterServerStream[Req, Resp any](s *Server, queue string, h ServerStreamHandler[Req, Resp], opts ...HandlerOption) {
	register(s, queue, KindServerStream, h != nil, freshInbound[Req, None], messageOf[None]{}, func(ctx context.Context, in *inbound, msg any) (any, error) {
		return &None{}, h(ctx, *msg.(*Req), &Sender[Resp]{in.endpoint.messages(&in.req)})
	}, opts)
}

// RegisterClientStream puts h on a queue. It panics as [Register] does.
func RegisterClientStream[Req, Resp any](s *Server, queue string, h ClientStreamHandler[Req, Resp], opts ...HandlerOption) {
	register(s, queue, KindClientStream, h != nil, freshInbound[None, Resp], messageOf[Resp]{}, func(ctx context.Context, in *inbound, _ any) (any, error) {
		resp, err := h(ctx, &Receiver[Req]{in.endpoint.messages(&in.req)})
		return &resp, err
	}, opts)
}

// RegisterBidiStream puts h on a queue. It panics as [Register] does.
func RegisterBidiStream[Req, Resp any](s *Server, queue string, h BidiStreamHandler[Req, Resp], opts ...HandlerOption) {
	register(s, queue, KindBidiStream, h != nil, freshInbound[None, None], messageOf[None]{}, func(ctx context.Context, in *inbound, _ any) (any, error) {
		m := in.endpoint.messages(&in.req)
		return &None{}, h(ctx, &Receiver[Req]{m}, &Sender[Resp]{m})
	}, opts)
}

func register(s *Server, queue string, kind Kind, given bool, fresh func() *inbound, resp messageType, call func(context.Context, *inbound, any) (any, error), opts []HandlerOption) {
	if !given {
		panic(fmt.Sprintf("amqprpc: Register %q: the handler is nil", queue))
	}
	s.register(&endpoint{queue: queue, kind: kind, fresh: fresh, resp: resp, call: func(ctx context.Context, in *inbound, msg any) (any, error) {
		if in.live.Load() != nil {
			return nil, Errorf(CodeFailedPrecondition, "the handler of a stream runs once: what it has sent cannot be taken back")
		}
		if err := in.openStream(); err != nil {
			return nil, err
		}
		resp, err := call(ctx, in, msg)
		if err != nil {
			return nil, err
		}
		return resp, nil
	}}, opts)
}

// messages are the messages of a stream as one side's user sees them.
type messages struct {
	req    *Request
	stream *stream
	limit  func() int // of a message's body
}

func (e *endpoint) messages(req *Request) messages {
	return messages{req, req.streaming.stream, func() int { return int(e.server.maxBody.Load()) }}
}

// encode encodes a message that is about to be sent, v is a pointer.
func (m messages) encode(v any) ([]byte, error) {
	if err := m.req.look(MessageSent, v); err != nil {
		return nil, err
	}
	body, err := m.req.codec.Marshal(v)
	if err != nil {
		return nil, Errorf(CodeInternal, "the message cannot be encoded: %w", err)
	}
	if limit := m.limit(); len(body) > limit {
		return nil, Errorf(CodeResourceExhausted, "the message has %d bytes; the limit is %d", len(body), limit)
	}
	return body, nil
}

// decode decodes a message that was received into v, a pointer.
func (m messages) decode(body []byte, v any, none bool) error {
	if err := decodeBody(m.req.codec, body, v, none); err != nil {
		return err
	}
	return m.req.look(MessageReceived, v)
}

// Sender sends the messages of a stream to its caller. It is safe for concurrent use.
type Sender[T any] struct{ messages }

// Send sends a message. It waits until the caller has room for it, and returns when the
// message is on its way: not when it has arrived. The error is canceled where the caller is
// gone or wants no more, and failed_precondition after the handler has returned. A message
// that cannot be encoded (internal) or is too large (resource_exhausted, see
// [WithMaxMessageSize]) is not sent, and the stream goes on.
func (s *Sender[T]) Send(v T) error {
	body, err := s.encode(&v)
	if err != nil {
		return err
	}
	if err = s.stream.send(body); errors.Is(err, errStreamOver) {
		return Errorf(CodeFailedPrecondition, "the handler has returned, and with it the stream has ended")
	}
	return err
}

// Receiver receives the messages that a caller sends. It belongs to one goroutine at a time.
type Receiver[T any] struct{ messages }

// Recv waits for the next message. It returns io.EOF where the caller has sent all, and
// nowhere else. A caller that gives up is canceled, one that is gone unavailable. A message
// that does not decode is invalid_argument, and the next call goes on behind it.
func (r *Receiver[T]) Recv() (T, error) {
	var v T
	body, err := r.stream.recv()
	switch {
	case errors.Is(err, io.EOF):
		return v, io.EOF
	case errors.Is(err, errStreamOver):
		return v, Errorf(CodeFailedPrecondition, "the handler has returned, and with it the stream has ended")
	case err != nil:
		return v, err
	}
	if err = r.decode(body, &v, messageOf[T]{}.none()); err != nil {
		if _, ok := errorIn(err); !ok {
			err = Errorf(CodeInvalidArgument, "a message of the stream does not decode: %w", err)
		}
	}
	return v, err
}

// All iterates over the messages until the caller has sent all. After an error, which is the
// last pair, it ends.
func (r *Receiver[T]) All() iter.Seq2[T, error] { return all(r.Recv) }

// all iterates over what recv returns until io.EOF.
func all[T any](recv func() (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			v, err := recv()
			if errors.Is(err, io.EOF) || !yield(v, err) || err != nil {
				return
			}
		}
	}
}
