package amqprpc

import (
	"context"
	"fmt"
)

// Handler answers the requests of one queue. It runs on several goroutines at once, at most
// as many as [WithConcurrency] allows. Its ctx ends at the deadline of the request, when
// the caller gives up, and when a drain takes too long. It also ends when the server loses
// the connection on which the request came, because the broker then redelivers the request.
//
// The handler's error goes to the caller. An *[Error] arrives with its code and details,
// and a [Code] arrives as this code. The error of a context arrives as deadline_exceeded or
// canceled. Any other error arrives as unknown, with its text. If the handler returns the
// error of a call that it made, its own caller gets internal. To change this, wrap the
// error with [NewError], or use [WithCalleeCodes].
type Handler[Req, Resp any] func(ctx context.Context, req Req) (Resp, error)

// Register puts h on a queue. It panics on mistakes in the program:
//
//   - The name of the queue is empty, too long, reserved, or registered already.
//   - h is nil.
//   - The codecs contradict each other, or the fields of [Queue] do.
//   - An example cannot be encoded as JSON, or a documented code is not one of the codes.
//   - The server already serves.
func Register[Req, Resp any](s *Server, queue string, h Handler[Req, Resp], opts ...HandlerOption) {
	if h == nil {
		panic(fmt.Sprintf("amqprpc: Register %q: the handler is nil", queue))
	}
	s.register(&endpoint{queue: queue, fresh: freshInbound[Req, Resp], resp: messageOf[Resp]{}, types: typesOf[Req, Resp](), call: h.call}, opts)
}

// inboundOf is an inbound with its messages, in one piece of memory.
type inboundOf[Req, Resp any] struct {
	inbound
	received Req
	sent     Resp
	used     bool // received is
	answered bool // sent is
}

func freshInbound[Req, Resp any]() *inbound {
	t := &inboundOf[Req, Resp]{}
	t.typed = t
	return &t.inbound
}

// fresh and none are the messageType of Req.
func (t *inboundOf[Req, Resp]) fresh() any {
	if t.used {
		return new(Req)
	}
	t.used = true
	return &t.received
}

func (t *inboundOf[Req, Resp]) none() bool { return messageOf[Req]{}.none() }

// call calls the handler without its types.
func (h Handler[Req, Resp]) call(ctx context.Context, in *inbound, msg any) (any, error) {
	t := in.typed.(*inboundOf[Req, Resp])
	resp := &t.sent
	if t.answered { // middleware calls the handler again
		resp = new(Resp)
	}
	t.answered = true
	var err error
	if *resp, err = h(ctx, *msg.(*Req)); err != nil {
		return nil, err
	}
	return resp, nil
}
