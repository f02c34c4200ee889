package amqprpc

import (
	"context"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/flow"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// refuseStream finds what must keep a request from being handled, of the kind that it is.
func (in *inbound) refuseStream() error {
	e, o := in.endpoint, &in.message.Opening
	want, got := e.kind, o.Stream
	switch {
	case want.wire() == got && got == "":
		return nil
	case got == "":
		return Errorf(CodeUnimplemented, "the queue %s takes a %s, not a call", e.queue, want)
	case want.wire() == "":
		return Errorf(CodeUnimplemented, "the queue %s takes calls, not a stream", e.queue)
	case want.wire() != got:
		return Errorf(CodeUnimplemented, "the queue %s takes a %s, not a stream of the kind %s", e.queue, want, got)
	case in.message.ReplyTo == "" || protocol.IsDirect(in.message.ReplyTo):
		return Errorf(CodeInvalidArgument, "a stream needs a queue in reply_to")
	}
	return e.server.streamsOff()
}

// isLive reports whether a request has opened a stream here already: the broker delivers
// it again if its acknowledgement was lost.
func (in *inbound) isLive() bool {
	o := &in.message.Opening
	return o.Stream != "" && in.redelivered && in.endpoint.server.streams.opened(o.Token) != nil
}

// openStream begins the stream of a request, whose handler is about to start. The request
// is acknowledged soon after the accept was written.
func (in *inbound) openStream() error {
	h, o := &in.endpoint.server.streams, &in.message.Opening
	s := h.add(0, 1, func(err error) {
		if CodeOf(err) == CodeCanceled {
			in.endpoint.server.stats.cancelled.Add(1)
		}
		in.ctx.end()
	})
	s.written = sync.OnceFunc(func() { h.acknowledgeSoon(func() { in.ackOnce() }) })
	s.packing.encoding, s.packing.sends = in.replyEncoding(), true
	s.out.Add(flow.Accept, []byte(nameOf(s.packing.encoding)))
	s.out.Grant(o.Window)
	if !h.bind(s, o.Token, in.message.ReplyTo) {
		s.finish(errStreamOver, false)
		return Errorf(CodeAborted, "the stream is over")
	}
	in.req.part().stream = s
	in.live.Store(s)
	return nil
}

// concludeStream sends the end of a stream whose chain has returned, and waits until the
// caller has it.
func (in *inbound) concludeStream(resp *Response, err error) {
	s, e := in.req.streaming.stream, in.endpoint
	in.ctx.end()
	e.clock.drop(&in.late)
	final, item, failure := in.streamEnding(&s.packing, resp, err)
	in.count(failure, false)
	if item != nil {
		s.send(item) // an error is the stream's end
	}
	s.closeSend(final)
	s.settled()
	s.finish(nil, false)
	in.answer() // no acknowledgement follows any more: a second one would close the channel
	in.Finish(messaging.Done{})
}

// streamEnding is the payload of a stream's end, the reply of a client stream, and the error
// with which the stream ends.
func (in *inbound) streamEnding(p *packing, resp *Response, err error) (final, item []byte, failure *Error) {
	h := in.req.replyHeader.clone()
	fail := func(e *Error) ([]byte, []byte, *Error) { return encodeEnding(e, h), nil, e }
	if err != nil {
		return fail(in.wireErrorOf(err))
	}
	h = resp.over(h)
	if herr := in.checkHeader(h); herr != nil {
		h = nil
		return fail(Errorf(CodeInternal, "the reply's metadata cannot be sent: %w", herr))
	}
	if in.req.kind == KindClientStream {
		body, _ := resp.Body() // the chain's seal has looked at the error
		if len(body) > p.limit {
			return fail(Errorf(CodeResourceExhausted, "the reply has %d bytes; the limit is %d", len(body), p.limit))
		}
		item = append([]byte{}, p.pack(body)...)
		if size, limit := len(item)-p.head(), int(in.endpoint.server.maxBody.Load()); size > limit {
			return fail(Errorf(CodeResourceExhausted, "the reply has %d bytes; the limit is %d", size, limit))
		}
	}
	return encodeEnding(nil, h), item, nil
}

// wireErrorOf is an error as the caller gets it. A panic of the error's own methods is an
// error like a handler's.
func (in *inbound) wireErrorOf(err error) (e *Error) {
	defer func() {
		if p := recover(); p != nil {
			e = in.endpoint.server.panicked(in.endpoint.queue, p)
		}
	}()
	return asWireError(err).known()
}

// streamsOff is why the server cannot serve streams, nil if it can.
func (s *Server) streamsOff() error {
	if s.cfg.conn.withoutControl {
		return Errorf(CodeUnimplemented, "the server has no queue for streams (WithoutControl)")
	}
	if why := s.mailless.Load(); why != nil {
		return Errorf(CodeUnavailable, "the server has no queue for streams: %w", *why)
	}
	return nil
}

func errStopped() *Error { return Errorf(CodeUnavailable, "the server has stopped") }

// endStreams ends all streams of a server whose drain took too long or that is about to
// close its connection.
func (s *Server) endStreams(ctx context.Context) {
	s.streams.endAll(errStopped())
	limit, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	s.streams.flush(limit)
}
