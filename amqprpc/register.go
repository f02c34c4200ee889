package amqprpc

import (
	"context"
	"fmt"
)

// Handler answers the requests of one queue. It runs on as many goroutines at once
// as [WithConcurrency] allows; on which is the server's affair. Its ctx ends at the
// request's deadline, when the connection that the request came on is lost (the
// broker will deliver the request again), and when a drain has taken too long.
//
// The error it returns is what the caller gets: an [*Error] with its code and
// details, a [Code] by itself, a context's error as its code, and any other error as
// unknown with its message. An error of a call that the handler has made is internal to
// the handler's caller, unless the handler says otherwise with [NewError] around it, or
// [WithCalleeCodes].
type Handler[Req, Resp any] func(ctx context.Context, req Req) (Resp, error)

// Register puts h on a queue. It panics on a programmer's error: an empty or
// overlong or repeated queue name, a nil handler, codecs or fields of [Queue] that
// contradict each other,
// or a server that serves already.
func Register[Req, Resp any](s *Server, queue string, h Handler[Req, Resp], opts ...HandlerOption) {
	if h == nil {
		panic(fmt.Sprintf("amqprpc: Register %q: the handler is nil", queue))
	}
	s.register(&endpoint{queue: queue, fresh: freshInbound[Req, Resp], resp: messageOf[Resp]{}, call: h.call}, opts)
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
