package amqprpc

import (
	"context"
	"fmt"
	"time"

	"github.com/bbebcec1/amqprpc-go/codec"
)

// Handler answers the requests of one queue. It runs on as many goroutines at
// once as [WithConcurrency] allows; on which is the server's affair. Its ctx ends
// at the request's deadline, when the connection that the request came on is lost
// (the broker will deliver it again), and when a drain has taken too long.
//
// The error it returns is what the caller gets: an [*Error] with its code and
// details, a [Code] by itself, a context's error as its code, and any other
// error as unknown with its message.
type Handler[Req, Resp any] func(ctx context.Context, req Req) (Resp, error)

// Register puts h on a queue. It panics on a programmer's error: an empty or
// overlong or repeated queue name, a nil handler, codecs that contradict each
// other, or a server that serves already.
func Register[Req, Resp any](s *Server, queue string, h Handler[Req, Resp], opts ...HandlerOption) {
	if h == nil {
		panic(fmt.Sprintf("amqprpc: Register %q: the handler is nil", queue))
	}
	s.register(&endpoint{
		queue: queue, req: messageOf[Req]{}, resp: messageOf[Resp]{},
		call: func(ctx context.Context, msg any) (any, error) {
			resp, err := h(ctx, *msg.(*Req))
			if err != nil {
				return nil, err
			}
			return &resp, nil
		},
	}, opts)
}

// endpoint is a registered handler without its types.
type endpoint struct {
	queue     string
	req, resp messageType
	call      func(ctx context.Context, msg any) (any, error)

	cfg    handlerConfig
	codecs *codec.Registry
	invoke Invoker // all middleware around the handler
}

func (s *Server) register(e *endpoint, opts []HandlerOption) {
	e.cfg = handlerConfig{concurrency: defaultConcurrency, maxDeliveries: defaultMaxDeliveries}
	for _, o := range opts {
		o.applyHandler(&e.cfg)
	}
	if e.cfg.timeout <= 0 {
		e.cfg.timeout = defaultHandlerTimeout
	}
	if e.cfg.prefetch <= 0 {
		e.cfg.prefetch = e.cfg.concurrency
	}
	e.cfg.prefetch = min(e.cfg.prefetch, maxPrefetch)
	cs := s.cfg.codecs
	if e.cfg.codecs != nil {
		cs = e.cfg.codecs
	}
	if len(cs) == 0 {
		cs = []codec.Codec{codec.JSON{}, codec.MsgPack{}}
	}
	var err error
	if e.codecs, err = codec.NewRegistry(cs...); err != nil {
		panic(fmt.Sprintf("amqprpc: Register %q: %v", e.queue, err))
	}
	mws := append(append([]Middleware(nil), s.cfg.middleware...), e.cfg.middleware...)
	e.invoke = chain(mws, s.handler(e), e.serverSeal)

	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case e.queue == "" || len(e.queue) > maxShortString:
		panic(fmt.Sprintf("amqprpc: Register: a queue's name has 1 to %d bytes, not %d", maxShortString, len(e.queue)))
	case s.serving:
		panic(fmt.Sprintf("amqprpc: Register %q: the server serves already", e.queue))
	}
	for _, other := range s.endpoints {
		if other.queue == e.queue {
			panic(fmt.Sprintf("amqprpc: Register %q: the queue has a handler already", e.queue))
		}
	}
	s.endpoints = append(s.endpoints, e)
}

// replyCodec is the codec that a response of middleware's own is encoded with.
func (e *endpoint) replyCodec(req *Request, contentType string) codec.Codec {
	if contentType != "" {
		if c, ok := e.codecs.Lookup(contentType); ok {
			return c
		}
	}
	if req.codec == nil {
		return e.codecs.Default()
	}
	return req.codec
}

// handler is the end of a server's chain: it decodes and calls.
func (s *Server) handler(e *endpoint) Invoker {
	return func(ctx context.Context, req *Request) (_ *Response, err error) {
		in := req.in
		if in.refusal != nil {
			return nil, in.refusal
		}
		msg, err := req.Message()
		if err != nil {
			return nil, err
		}
		// Time in the prefetch buffer and in middleware counts.
		begun := time.Now()
		if ctx.Err() != nil || !begun.Before(in.deadline) {
			return nil, in.expired()
		}
		if !in.start() {
			return nil, in.expired()
		}
		s.stats.inFlight.Add(1)
		defer func() {
			s.stats.inFlight.Add(-1)
			in.queue.pressure.took(time.Since(begun))
			in.finish()
			if p := recover(); p != nil {
				err = s.panicked(e.queue, p)
			}
		}()
		resp, err := e.call(ctx, msg)
		if err != nil {
			return nil, err
		}
		in.resp = Response{msg: resp, decoded: true}
		return &in.resp, nil
	}
}
