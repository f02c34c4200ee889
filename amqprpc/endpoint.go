package amqprpc

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/overload"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
	"github.com/bbebcec1/amqprpc-go/codec"
)

// endpoint is a registered handler without its types, and its queue.
type endpoint struct {
	server *Server
	queue  string
	kind   Kind // KindUnary for calls and notifications
	fresh  func() *inbound
	resp   messageType
	types  messageTypes
	call   func(ctx context.Context, in *inbound, msg any) (any, error)

	cfg    handlerConfig
	codecs *codec.Registry
	invoke Invoker // all middleware around the handler

	consumer  messaging.Consumer
	load      atomic.Int64 // requests that wait for a worker or have one
	gauge     *overload.Gauge
	unstarted unstarted
	clock     alarmClock // of handlers that take too long
	cancelled idSet      // attempts
	tally     tally
	mailed    atomic.Int64 // requests that came to the instance's mailbox and have or wait for a worker
	ready     bool         // the queue is or was consumed; guarded by the server's lock
}

// configure sets what the options of the handler say, and the defaults of the rest.
func (e *endpoint) configure(opts []HandlerOption) {
	e.cfg = handlerConfig{concurrency: defaultConcurrency, maxDeliveries: defaultMaxDeliveries, maxStreams: defaultMaxStreams}
	if e.kind.IsStream() {
		e.cfg.maxDeliveries = 0 // what has begun does not come again
	}
	for _, o := range opts {
		o.applyHandler(&e.cfg)
	}
	if e.kind.IsStream() {
		// A worker is taken as long as its stream is open, and a request is unacknowledged
		// only until its stream is.
		e.cfg.concurrency = e.cfg.maxStreams
		e.cfg.prefetch = min(e.cfg.maxStreams/8+1, streamPrefetch)
	} else if e.cfg.timeout <= 0 {
		e.cfg.timeout = defaultHandlerTimeout
	}
	if e.cfg.prefetch <= 0 {
		e.cfg.prefetch = e.cfg.concurrency
	}
	e.cfg.prefetch = min(e.cfg.prefetch, maxPrefetch)
}

// register completes an endpoint and adds it to the server.
func (s *Server) register(e *endpoint, opts []HandlerOption) {
	e.server = s
	e.configure(opts)
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
	if err = e.cfg.doc.encode(); err != nil {
		panic(fmt.Sprintf("amqprpc: Register %q: %v", e.queue, err))
	}
	if q := &e.cfg.queue; q.Bounce && (q.DeadLetterExchange != "" || q.DeadLetterRoutingKey != "") {
		panic(fmt.Sprintf("amqprpc: Register %q: Queue.Bounce excludes DeadLetterExchange and DeadLetterRoutingKey", e.queue))
	}
	mws := append(append([]Middleware(nil), s.cfg.middleware...), e.cfg.middleware...)
	e.invoke = chain(mws, e.handle, e.serverSeal)

	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case e.queue == "" || len(e.queue) > protocol.MaxShortString:
		panic(fmt.Sprintf("amqprpc: Register: a queue's name has 1 to %d bytes, not %d", protocol.MaxShortString, len(e.queue)))
	case e.queue == protocol.DiscoverQueue:
		panic(fmt.Sprintf("amqprpc: Register %q: the name is reserved for questions to servers about themselves", e.queue))
	case e.cfg.broadcast && (e.kind.IsStream() || s.cfg.conn.withoutControl):
		panic(fmt.Sprintf("amqprpc: Register %q: WithBroadcast is for handlers of calls, and excludes WithoutControl", e.queue))
	case s.serving:
		panic(fmt.Sprintf("amqprpc: Register %q: the server serves already", e.queue))
	}
	for _, other := range s.endpoints {
		if other.queue == e.queue {
			panic(fmt.Sprintf("amqprpc: Register %q: the queue has a handler already", e.queue))
		}
	}
	s.endpoints = append(s.endpoints, e)
	if s.err == nil {
		s.err = protocol.ValidName(e.queue)
	}
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

// handle is the end of a server's chain: it decodes, and calls the handler.
func (e *endpoint) handle(ctx context.Context, req *Request) (_ *Response, err error) {
	in := req.in
	if in.refusal != nil {
		return nil, in.refusal
	}
	msg, err := req.Message()
	if err != nil {
		return nil, err
	}
	// Time that the request has waited for a worker, and in middleware, counts.
	began := time.Now()
	again := in.started // by middleware
	if ctx.Err() != nil || !in.deadline.IsZero() && !began.Before(in.deadline) || !in.start() {
		return nil, in.expired()
	}
	if !again {
		e.tally.queued.add(in.waited + began.Sub(in.arrived))
	}
	stats := &e.server.stats
	stats.inFlight.Add(1)
	e.tally.running.Add(1)
	defer func() {
		stats.inFlight.Add(-1)
		e.tally.running.Add(-1)
		if !e.kind.IsStream() {
			e.gauge.Took(time.Since(began))
		}
		in.finish()
		if p := recover(); p != nil {
			err = e.server.panicked(e.queue, p)
		}
	}()
	resp, err := e.call(ctx, in, msg)
	if err != nil {
		return nil, err
	}
	in.resp = Response{msg: resp, decoded: true}
	return &in.resp, nil
}
