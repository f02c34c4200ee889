package amqprpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
)

// ServerStreamHandler answers one request with any number of messages, which it sends with
// out. The stream ends when the handler returns. The caller gets the error as that of a
// [Handler], behind all messages, and nil is a clean end. The ctx ends at the deadline of the
// stream, if it has one, when the caller is gone or wants no more, and when a drain takes too
// long. It does not end with the connection, because the stream outlives the connection.
//
// The handler runs once for each stream that is open, at most as often as [WithMaxStreams]
// allows.
type ServerStreamHandler[Req, Resp any] func(ctx context.Context, req Req, out *Sender[Resp]) error

// ClientStreamHandler reads any number of messages from in, and answers them once. It may
// return before the caller has sent everything. Its ctx and its error are as those of a
// [ServerStreamHandler].
type ClientStreamHandler[Req, Resp any] func(ctx context.Context, in *Receiver[Req]) (Resp, error)

// BidiStreamHandler reads messages from in and sends messages with out, in any order. When it
// returns, both directions end. Its ctx and its error are as those of a
// [ServerStreamHandler].
type BidiStreamHandler[Req, Resp any] func(ctx context.Context, in *Receiver[Req], out *Sender[Resp]) error

// RegisterServerStream puts h on a queue, like [ServerStream.Register]. It panics on the same
// mistakes as [Register].
func RegisterServerStream[Req, Resp any](s *Server, queue string, h ServerStreamHandler[Req, Resp], opts ...HandlerOption) {
	register(s, queue, KindServerStream, h != nil, freshInbound[Req, None], messageOf[None]{}, typesOf[Req, Resp](), func(ctx context.Context, in *inbound, msg any) (any, error) {
		return &None{}, h(ctx, *msg.(*Req), &Sender[Resp]{in.endpoint.messages(&in.req)})
	}, opts)
}

// RegisterClientStream puts h on a queue, like [ClientStream.Register]. It panics on the same
// mistakes as [Register].
func RegisterClientStream[Req, Resp any](s *Server, queue string, h ClientStreamHandler[Req, Resp], opts ...HandlerOption) {
	register(s, queue, KindClientStream, h != nil, freshInbound[None, Resp], messageOf[Resp]{}, typesOf[Req, Resp](), func(ctx context.Context, in *inbound, _ any) (any, error) {
		resp, err := h(ctx, &Receiver[Req]{in.endpoint.messages(&in.req)})
		return &resp, err
	}, opts)
}

// RegisterBidiStream puts h on a queue, like [BidiStream.Register]. It panics on the same
// mistakes as [Register].
func RegisterBidiStream[Req, Resp any](s *Server, queue string, h BidiStreamHandler[Req, Resp], opts ...HandlerOption) {
	register(s, queue, KindBidiStream, h != nil, freshInbound[None, None], messageOf[None]{}, typesOf[Req, Resp](), func(ctx context.Context, in *inbound, _ any) (any, error) {
		m := in.endpoint.messages(&in.req)
		return &None{}, h(ctx, &Receiver[Req]{m}, &Sender[Resp]{m})
	}, opts)
}

func register(s *Server, queue string, kind Kind, given bool, fresh func() *inbound, resp messageType, types messageTypes, call func(context.Context, *inbound, any) (any, error), opts []HandlerOption) {
	if !given {
		panic(fmt.Sprintf("amqprpc: Register %q: the handler is nil", queue))
	}
	s.register(&endpoint{queue: queue, kind: kind, fresh: fresh, resp: resp, types: types, call: func(ctx context.Context, in *inbound, msg any) (any, error) {
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
	limit  func() int // of a message's body, as it is sent
}

func (e *endpoint) messages(req *Request) messages {
	return messages{req, req.streaming.stream, func() int { return int(e.server.maxBody.Load()) }}
}

// encode makes an item of a message that is about to be sent; v is a pointer.
func (m messages) encode(v any) ([]byte, error) {
	if err := m.req.look(MessageSent, v); err != nil {
		return nil, err
	}
	body, err := m.req.codec.Marshal(v)
	if err != nil {
		return nil, Errorf(CodeInternal, "the message cannot be encoded: %w", err)
	}
	if most := m.stream.packing.limit; len(body) > most {
		return nil, Errorf(CodeResourceExhausted, "the message has %d bytes; the limit is %d", len(body), most)
	}
	item := m.stream.packing.pack(body)
	if size, limit := len(item)-m.stream.packing.head(), m.limit(); size > limit {
		return nil, Errorf(CodeResourceExhausted, "the message has %d bytes; the limit is %d", size, limit)
	}
	return item, nil
}

// decode decodes an item that was received into v, a pointer.
func (m messages) decode(item []byte, v any, none bool) error {
	if !none {
		body, err := m.plain(item)
		if err != nil {
			return err
		}
		if err = decodeBody(m.req.codec, body, v, false); err != nil {
			return err
		}
	}
	return m.req.look(MessageReceived, v)
}

// Sender sends the messages of a stream to its caller. It is safe for concurrent use.
type Sender[T any] struct{ messages }

// Send sends a message. It waits until the caller has room for the message, and returns when
// the message is on its way: not when it has arrived. The error is canceled if the caller
// wants no more, unavailable if the caller is gone, and failed_precondition after the handler
// has returned. If a message cannot be encoded (internal) or is too large
// (resource_exhausted, see [WithMaxMessageSize]), it is not sent, and the stream goes on.
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

// Recv waits for the next message. It returns io.EOF if the caller has sent everything, and
// only then. The error is canceled if the caller gives up, and unavailable if the caller is
// gone. If a message does not decode or decompress, the error is invalid_argument, and the next Recv
// returns the message behind it.
// A message beyond [WithMaxMessageSize] ends the stream with resource_exhausted.
func (r *Receiver[T]) Recv() (T, error) {
	var v T
	body, err := r.stream.recv()
	switch {
	case err == io.EOF:
		return v, io.EOF
	case errors.Is(err, errStreamOver):
		return v, Errorf(CodeFailedPrecondition, "the handler has returned, and with it the stream has ended")
	case err != nil:
		return v, err
	}
	r.stream.received.Add(1)
	if err = r.decode(body, &v, messageOf[T]{}.none()); err != nil {
		if _, ok := errorIn(err); !ok {
			err = Errorf(CodeInvalidArgument, "a message of the stream does not decode: %w", err)
		}
	}
	return v, err
}

// All iterates over the messages until the caller has sent everything. An error is the last
// pair.
func (r *Receiver[T]) All() iter.Seq2[T, error] { return all(r.Recv) }

// all iterates over what recv returns until io.EOF: the very value, since an error may wrap
// one of the user's.
func all[T any](recv func() (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			v, err := recv()
			if err == io.EOF || !yield(v, err) || err != nil {
				return
			}
		}
	}
}
