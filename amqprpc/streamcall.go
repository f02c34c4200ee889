package amqprpc

import (
	"context"
	"io"
	"iter"
)

// ServerStream is a contract like [Method], for a stream whose server sends: one request,
// any number of messages in answer. It is the name of a queue, with the types of its
// messages.
//
//	const Prices amqprpc.ServerStream[Query, Price] = "prices"
//
//	Prices.Register(srv, func(ctx context.Context, q Query, out *amqprpc.Sender[Price]) error { … })
//	for p, err := range Prices.Call(ctx, cli, query) { … }
type ServerStream[Req, Resp any] string

// ClientStream is a contract like [ServerStream], for a stream whose client sends: any number
// of messages, one reply.
//
//	const Import amqprpc.ClientStream[Row, Summary] = "import"
//
//	Import.Register(srv, func(ctx context.Context, in *amqprpc.Receiver[Row]) (Summary, error) { … })
//	summary, err := Import.Call(ctx, cli, rows)
type ClientStream[Req, Resp any] string

// BidiStream is a contract like [ServerStream], for a stream on which both sides send.
//
//	const Chat amqprpc.BidiStream[Line, Line] = "chat"
//
//	Chat.Register(srv, func(ctx context.Context, in *amqprpc.Receiver[Line], out *amqprpc.Sender[Line]) error { … })
//	talk, err := Chat.Open(ctx, cli)
type BidiStream[Req, Resp any] string

// Register is [RegisterServerStream] on the stream's queue.
func (m ServerStream[Req, Resp]) Register(s *Server, h ServerStreamHandler[Req, Resp], opts ...HandlerOption) {
	RegisterServerStream(s, string(m), h, opts...)
}

// Register is [RegisterClientStream] on the stream's queue.
func (m ClientStream[Req, Resp]) Register(s *Server, h ClientStreamHandler[Req, Resp], opts ...HandlerOption) {
	RegisterClientStream(s, string(m), h, opts...)
}

// Register is [RegisterBidiStream] on the stream's queue.
func (m BidiStream[Req, Resp]) Register(s *Server, h BidiStreamHandler[Req, Resp], opts ...HandlerOption) {
	RegisterBidiStream(s, string(m), h, opts...)
}

// Call returns the messages with which a server answers req. Nothing happens until you range
// over them, and each range is a call of its own. If the loop breaks, the ctx of the handler
// ends. There is nothing to close. An error is the last pair: the error of the handler, or
// an error that says what happened to the stream. If the server is gone, the error is
// unavailable, and its outcome is unknown.
//
// The stream ends with ctx. It has no other deadline, unless the call has [WithTimeout]. If
// no server accepts the stream within 30 s, the error is unavailable.
func (m ServerStream[Req, Resp]) Call(ctx context.Context, c *Client, req Req, opts ...CallOption) iter.Seq2[Resp, error] {
	return func(yield func(Resp, error) bool) {
		t := newCall[Req, None](string(m), req)
		t.call.req.kind = KindServerStream
		cs := c.openStream(ctx, &t.outgoing, opts)
		defer cs.stop()
		all(func() (Resp, error) { return recvAs[Resp](cs) })(yield)
	}
}

// recvAs waits for the next message of the server's.
func recvAs[T any](cs *clientStream) (T, error) {
	var v T
	body, err := cs.recv()
	if err != nil {
		return v, err
	}
	if err = cs.messages().decode(body, &v, messageOf[T]{}.none()); err != nil {
		cs.stop()
		return v, cs.undecoded(err)
	}
	return v, nil
}

// undecoded is the error of a message that is no T, or that OnMessage refuses.
func (cs *clientStream) undecoded(err error) error {
	queue := cs.out.call.req.queue
	if e, ok := errorIn(err); ok {
		return cs.client.undecoded(e.code, OutcomeUnknown, queue, "%w", err)
	}
	return cs.client.undecoded(CodeInternal, OutcomeUnknown, queue, "a message of the stream does not decode: %w", err)
}

// messages are the stream's messages. The stream is open.
func (cs *clientStream) messages() messages {
	return messages{&cs.out.call.req, cs.current(), func() int { return int(cs.client.maxBody.Load()) }}
}

// Items makes a source for [ClientStream.Call] of an iterator that cannot fail.
func Items[T any](seq iter.Seq[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for v := range seq {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// Call sends all messages of the source rows, and returns the server's reply. If the source
// yields an error, Call returns it. If the source panics, Call panics. In both cases the
// handler gets canceled instead of an end, so that it never takes a part for the whole. If
// the server answers before it has everything, Call returns when the source next yields.
// Deadlines are those of [ServerStream.Call].
func (m ClientStream[Req, Resp]) Call(ctx context.Context, c *Client, rows iter.Seq2[Req, error], opts ...CallOption) (Resp, error) {
	var zero Resp
	up, err := m.Open(ctx, c, opts...)
	if err != nil {
		return zero, err
	}
	defer up.Cancel() // means nothing after the reply
	for row, err := range rows {
		if err != nil {
			return zero, err
		}
		if err = up.Send(row); err == io.EOF {
			break
		} else if err != nil {
			return zero, err
		}
	}
	return up.CloseAndRecv()
}

// Open begins a call, and returns when a server has accepted it. The call ends with
// CloseAndRecv or Cancel, or with ctx. You must call one of the two methods. Deadlines are
// those of [ServerStream.Call].
func (m ClientStream[Req, Resp]) Open(ctx context.Context, c *Client, opts ...CallOption) (*ClientStreamCall[Req, Resp], error) {
	t := newCall[None, Resp](string(m), None{})
	t.call.req.kind = KindClientStream
	cs := c.openStream(ctx, &t.outgoing, opts)
	if _, err := cs.wait(); err != nil && err != io.EOF {
		return nil, err
	}
	return &ClientStreamCall[Req, Resp]{cs}, nil
}

// ClientStreamCall is a call of a [ClientStream] that is open. Its methods are safe for
// concurrent use.
type ClientStreamCall[Req, Resp any] struct{ call *clientStream }

// Send sends a message. It waits until the server has room for the message, and returns when
// the message is on its way: not when it has arrived. If the error is io.EOF, the stream has
// ended, and CloseAndRecv returns the reply or the reason. After Cancel the error is
// canceled. All other errors are about this message, which is not sent, and the stream goes
// on: invalid_argument if it cannot be encoded, resource_exhausted if it is too large.
func (u *ClientStreamCall[Req, Resp]) Send(v Req) error { return u.call.sendMessage(&v) }

// sendMessage sends a message, a pointer.
func (cs *clientStream) sendMessage(v any) error {
	if _, err := cs.wait(); err != nil {
		return io.EOF
	}
	body, err := cs.messages().encode(v)
	if err != nil {
		return localError(codeOfMessage(err), OutcomeUnknown, cs.out.call.req.queue, "%w", err)
	}
	return cs.send(body)
}

// codeOfMessage is the code of a message that cannot be sent: what a caller cannot encode is
// an argument of its own.
func codeOfMessage(err error) Code {
	if code := CodeOf(err); code != CodeInternal {
		return code
	}
	return CodeInvalidArgument
}

// CloseAndRecv tells the server that everything is sent, and waits for its reply.
func (u *ClientStreamCall[Req, Resp]) CloseAndRecv() (Resp, error) {
	u.call.closeSend()
	var zero Resp
	resp, err := u.call.result()
	if err != nil {
		return zero, err
	}
	msg, err := resp.Message()
	if err != nil {
		return zero, u.call.undecoded(err)
	}
	switch m := msg.(type) {
	case *Resp:
		return *m, nil
	case Resp:
		return m, nil
	default:
		return zero, u.call.cancelled()
	}
}

// Cancel gives the call up: the handler gets canceled instead of an end. It has no effect
// after CloseAndRecv has returned.
func (u *ClientStreamCall[Req, Resp]) Cancel() { u.call.stop() }

// Open begins a call, and returns when a server has accepted it. The call ends when the
// handler returns, with Close, or with ctx. You must call Close. Deadlines are those of
// [ServerStream.Call].
func (m BidiStream[Req, Resp]) Open(ctx context.Context, c *Client, opts ...CallOption) (*BidiStreamCall[Req, Resp], error) {
	t := newCall[None, None](string(m), None{})
	t.call.req.kind = KindBidiStream
	cs := c.openStream(ctx, &t.outgoing, opts)
	if _, err := cs.wait(); err != nil && err != io.EOF {
		return nil, err
	}
	return &BidiStreamCall[Req, Resp]{cs}, nil
}

// BidiStreamCall is a call of a [BidiStream] that is open. Its methods are safe for
// concurrent use, except for Recv and All, which belong to one goroutine at a time.
type BidiStreamCall[Req, Resp any] struct{ call *clientStream }

// Send sends a message, as [ClientStreamCall.Send] does. If the error is io.EOF, Recv returns
// what the server has sent, and then the reason.
func (b *BidiStreamCall[Req, Resp]) Send(v Req) error { return b.call.sendMessage(&v) }

// CloseSend tells the server that everything is sent. The server may go on sending. The error
// is that of a stream that was never accepted.
func (b *BidiStreamCall[Req, Resp]) CloseSend() error { return b.call.closeSend() }

// Recv waits for the next message. It returns io.EOF if the server has ended the stream
// without an error, and only then. If the handler has failed, it returns the handler's
// error. After Close it returns canceled.
func (b *BidiStreamCall[Req, Resp]) Recv() (Resp, error) { return recvAs[Resp](b.call) }

// All iterates over the messages until the server ends the stream. An error is the last
// pair.
func (b *BidiStreamCall[Req, Resp]) All() iter.Seq2[Resp, error] { return all(b.Recv) }

// Close gives the call up, unless it has ended. A Recv or Send that waits returns. You may
// call Close on any goroutine, and more than once. It returns nil.
func (b *BidiStreamCall[Req, Resp]) Close() error {
	b.call.stop()
	return nil
}
