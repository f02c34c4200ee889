package invoke

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// ServerStream sends a request and returns the messages with which a server answers. An error
// is the last pair. A loop that breaks ends the handler, and a loop that waits makes the
// handler wait. The request is validated first.
func ServerStream(ctx context.Context, cli *amqprpc.Client, m *Method, request json.RawMessage, o Options) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		if err := o.check(m, request); err != nil {
			yield(nil, err)
			return
		}
		messages := amqprpc.ServerStream[Value, Value](m.Queue).Call(ctx, cli, Value(request), o.callOptions(m)...)
		for v, err := range messages {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(compact(v), nil) {
				return
			}
		}
	}
}

// ClientStream sends all messages of rows and returns the server's answer. Each message is
// validated before it is sent. If one does not fit, or rows yields an error, the stream is
// given up and the error is returned.
func ClientStream(ctx context.Context, cli *amqprpc.Client, m *Method, rows iter.Seq2[json.RawMessage, error], o Options) (Result, error) {
	var r Result
	source := func(yield func(Value, error) bool) {
		for row, err := range rows {
			if err == nil {
				err = o.check(m, row)
			}
			if !yield(Value(row), err) || err != nil {
				return
			}
		}
	}
	start := time.Now()
	v, err := amqprpc.ClientStream[Value, Value](m.Queue).Call(ctx, cli, source, o.callOptions(m, amqprpc.WithReplyHeader(&r.Header))...)
	r.Timing.Total = time.Since(start)
	if err == nil {
		r.Response = compact(v)
	}
	return r, err
}

// Upload is a client stream that is open. Send, CloseAndRecv and Cancel are those of
// amqprpc.ClientStreamCall.
type Upload struct {
	method  *Method
	options Options
	call    *amqprpc.ClientStreamCall[Value, Value]
}

// OpenUpload begins a client stream whose messages come one by one. You must call CloseAndRecv or
// Cancel.
func OpenUpload(ctx context.Context, cli *amqprpc.Client, m *Method, o Options) (*Upload, error) {
	call, err := amqprpc.ClientStream[Value, Value](m.Queue).Open(ctx, cli, o.callOptions(m)...)
	if err != nil {
		return nil, err
	}
	return &Upload{method: m, options: o, call: call}, nil
}

// Send validates a message and sends it. An *InvalidError is about this message alone.
func (u *Upload) Send(message json.RawMessage) error {
	if err := u.options.check(u.method, message); err != nil {
		return err
	}
	return u.call.Send(Value(message))
}

// CloseAndRecv says that everything is sent, and returns the answer.
func (u *Upload) CloseAndRecv() (json.RawMessage, error) {
	v, err := u.call.CloseAndRecv()
	if err != nil {
		return nil, err
	}
	return compact(v), nil
}

// Cancel gives the stream up.
func (u *Upload) Cancel() { u.call.Cancel() }

// Bidi is a stream that is open in both directions. Its methods are safe for concurrent use,
// except for Recv, which belongs to one goroutine at a time.
type Bidi struct {
	method  *Method
	options Options
	call    *amqprpc.BidiStreamCall[Value, Value]
}

// OpenBidi begins a stream. You must call Close.
func OpenBidi(ctx context.Context, cli *amqprpc.Client, m *Method, o Options) (*Bidi, error) {
	call, err := amqprpc.BidiStream[Value, Value](m.Queue).Open(ctx, cli, o.callOptions(m)...)
	if err != nil {
		return nil, err
	}
	return &Bidi{method: m, options: o, call: call}, nil
}

// Send validates a message and sends it. An *InvalidError is about this message alone. With
// io.EOF the stream has ended, and Recv returns why.
func (b *Bidi) Send(message json.RawMessage) error {
	if err := b.options.check(b.method, message); err != nil {
		return err
	}
	return b.call.Send(Value(message))
}

// CloseSend says that everything is sent.
func (b *Bidi) CloseSend() error { return b.call.CloseSend() }

// Recv waits for the next message. It returns io.EOF at the end of the stream.
func (b *Bidi) Recv() (json.RawMessage, error) {
	v, err := b.call.Recv()
	if err != nil {
		return nil, err
	}
	return compact(v), nil
}

// All iterates over the messages until the server ends the stream. An error is the last pair.
func (b *Bidi) All() iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		for {
			v, err := b.Recv()
			if err == io.EOF || !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// Close gives the stream up, unless it has ended.
func (b *Bidi) Close() error { return b.call.Close() }
