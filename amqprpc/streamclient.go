package amqprpc

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// acceptTimeout is how long a stream waits for a server that accepts it.
const acceptTimeout = 30 * time.Second

// clientStream is a client's call of a stream. The chain of middleware runs on a goroutine
// of its own, and its last step returns when the stream has ended. Whoever sends and
// receives does it outside of the chain. Without middleware no goroutine waits for the end:
// the caller opens the stream, and its end concludes the call.
type clientStream struct {
	client *Client
	out    *outgoing

	opened   chan struct{} // closed when a server has accepted, or the chain has returned
	consumed chan struct{} // closed when everything up to the server's end was received
	stopped  chan struct{} // closed when the caller wants no more
	done     chan struct{} // closed when the call has ended
	resp     *Response     // of the call
	err      error         // of the call

	bare   bool                       // there is no middleware
	header *Header                    // of WithReplyHeader
	await  func() (*Response, *Error) // the rest of a bare chain that has returned before the stream has ended; else nil

	mu     sync.Mutex
	atEnd  func()  // called once when the stream has ended; nil is nothing
	stream *stream // of the latest attempt
	isOpen bool
	left   bool   // the call has ended because the caller wants no more
	final  []byte // the payload of the server's end
}

// openStream begins a call of a stream, whose request is set in o.
func (c *Client) openStream(ctx context.Context, o *outgoing, opts []CallOption) *clientStream {
	cs := &clientStream{
		client: c, out: o,
		opened: make(chan struct{}), consumed: make(chan struct{}), stopped: make(chan struct{}), done: make(chan struct{}),
	}
	o.call.req.streaming = &streaming{call: cs}
	cfg := c.callConfig(opts)
	cs.bare, cs.header = len(c.cfg.middleware)+len(cfg.middleware) == 0, cfg.replyHeader
	switch {
	case !c.beginTask():
		cs.err = errClosed(o.call.req.queue, OutcomeNotSent)
		close(cs.done)
		cs.open(nil)
	case cs.bare:
		cs.run(ctx, &cfg)
	default:
		go cs.run(ctx, &cfg)
	}
	return cs
}

// run runs the chain. It begins as a task of the client's, which ends with the call.
func (cs *clientStream) run(ctx context.Context, cfg *callConfig) {
	returned := false
	defer func() {
		if !returned {
			cs.err = localError(CodeInternal, OutcomeUnknown, cs.out.call.req.queue, "middleware ended its goroutine (runtime.Goexit) instead of returning")
		}
		if cs.await != nil {
			cs.whenEnded(cs.conclude)
			return
		}
		if s := cs.current(); s != nil { // middleware may not have waited for its end
			s.finish(errStreamOver, true)
		}
		cs.end()
	}()
	cs.resp, cs.err = cs.start(ctx, cfg)
	returned = true
}

// end ends the call, whose result is known.
func (cs *clientStream) end() {
	close(cs.done)
	cs.open(nil)
	cs.client.tasks.Done()
}

func (cs *clientStream) start(ctx context.Context, cfg *callConfig) (_ *Response, err error) {
	defer cs.client.rescue(&cs.out.call.req, &err)
	return cs.client.start(ctx, cs.out, cfg)
}

// begin makes the stream of an attempt, unless an earlier one was accepted.
func (cs *clientStream) begin(s *stream) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.isOpen {
		return false
	}
	cs.stream = s
	return true
}

// open says that the latest attempt was accepted or, with nil, that there will be no other.
func (cs *clientStream) open(s *stream) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if !cs.isOpen {
		cs.isOpen = true
		if s == nil {
			cs.stream = nil
		}
		close(cs.opened)
	}
}

func (cs *clientStream) current() *stream {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.stream
}

// wait waits until a server has accepted. The error is the call's.
func (cs *clientStream) wait() (*stream, error) {
	<-cs.opened
	if s := cs.current(); s != nil {
		return s, nil
	}
	<-cs.done
	if cs.err == nil {
		return nil, io.EOF // middleware has answered in the server's place
	}
	return nil, cs.err
}

// recv waits for the next item. At a clean end it returns io.EOF.
func (cs *clientStream) recv() ([]byte, error) {
	s, err := cs.wait()
	if err != nil {
		return nil, err
	}
	payload, err := s.recv()
	if err == nil {
		s.received.Add(1)
		return payload, nil
	}
	if err == io.EOF && !cs.consume(payload) {
		err = errStreamOver // nobody has looked whether it is a clean end
	}
	cs.runAtEnd()
	<-cs.done
	switch {
	case cs.err != nil:
		return nil, cs.err
	case err == io.EOF:
		return nil, io.EOF
	case done(cs.stopped):
		return nil, cs.cancelled()
	default: // middleware makes light of it, but it is no clean end
		return nil, cs.client.streamFailed(&cs.out.call.req, s)
	}
}

// cancelled is the error of whoever uses a stream that the caller has stopped.
func (cs *clientStream) cancelled() *Error {
	return localError(CodeCanceled, OutcomeUnknown, cs.out.call.req.queue, "the caller has cancelled the stream")
}

// consume says that everything up to the server's end was received. It reports false if the
// caller has left before.
func (cs *clientStream) consume(final []byte) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if !done(cs.consumed) && !cs.left {
		cs.final = final
		close(cs.consumed)
	}
	return !cs.left
}

// leave says that the caller wants no more. It reports false if everything was received before.
func (cs *clientStream) leave() bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.left = !done(cs.consumed)
	return cs.left
}

// send sends an item. io.EOF says that the server has ended the stream, and that the
// result of the call says how.
func (cs *clientStream) send(payload []byte) error {
	s, err := cs.wait()
	if err != nil {
		return err
	}
	if err = s.send(payload); err == nil {
		return nil
	}
	if done(cs.stopped) {
		return cs.cancelled()
	}
	return io.EOF
}

// closeSend sends the end of this side.
func (cs *clientStream) closeSend() error {
	s, err := cs.wait()
	if err == nil {
		s.closeSend(nil)
	}
	return err
}

// stop ends a stream that the caller wants no more of, and waits for the end of the call.
func (cs *clientStream) stop() {
	cs.mu.Lock()
	if !done(cs.stopped) {
		close(cs.stopped)
	}
	cs.mu.Unlock()
	cs.runAtEnd()
	<-cs.done
}

// result waits for the end of the call.
func (cs *clientStream) result() (*Response, error) {
	<-cs.done
	return cs.resp, cs.err
}

// streamAttempt opens a stream on the wire, and returns when it has ended; or, without
// middleware, when it was accepted.
func (c *Client) streamAttempt(ctx context.Context, req *Request) (*Response, *Error) {
	cs, pc := req.streaming.call, &req.out.call
	if err := c.openBox(ctx, req); err != nil {
		return nil, err
	}
	over := make(chan struct{})
	s := c.streams.add(1, 0, func(error) {
		close(over)
		cs.startAtEnd()
	})
	open := false
	defer func() {
		if !open {
			s.finish(errStreamOver, true)
		}
	}()
	if !cs.begin(s) {
		return nil, localError(CodeFailedPrecondition, OutcomeUnknown, req.queue, "the stream was accepted once, and cannot be opened again: what has come of it cannot be taken back")
	}
	pc.setStream(s)
	s.opened = func() { // at once, though the chain has not seen it yet
		if pc.accept() {
			cs.open(s)
		}
	}
	s.packing.offered, s.packing.sends = pc.encodings(), pc.compression() != nil
	if req.kind == KindClientStream {
		s.half = func() {
			cs.consume(nil)
			cs.startAtEnd()
		}
	}
	if err := c.awaitAccept(ctx, req); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() {
		s.finish(ended(ctx, req.queue, OutcomeUnknown, "while the stream was open"), true)
	})
	open = true
	await := func() (*Response, *Error) {
		defer s.finish(errStreamOver, true)
		defer stop()
		return c.awaitEnd(req, s, over)
	}
	if cs.bare {
		cs.await = await
		return &Response{codec: req.codec, decoded: true}, nil
	}
	return await()
}

// awaitEnd waits until a stream that was accepted has ended.
func (c *Client) awaitEnd(req *Request, s *stream, over <-chan struct{}) (*Response, *Error) {
	cs := req.streaming.call
	select {
	case <-cs.consumed:
	case <-cs.stopped:
		if !cs.leave() {
			break
		}
		s.finish(Errorf(CodeCanceled, "the caller wants no more"), true)
		return &Response{codec: req.codec, contentType: req.contentType, decoded: true, stopped: true}, nil
	case <-over:
		return nil, c.streamFailed(req, s)
	}
	return c.streamEnded(req, s)
}

// openBox makes the queue that the answers to a stream or a broadcast come to, if there is none.
func (c *Client) openBox(ctx context.Context, req *Request) *Error {
	err := c.broker.OpenBox(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ended(ctx, req.queue, OutcomeNotSent, "while a queue for the answers was made")
	}
	code := CodeUnavailable
	if messaging.Code(err) == messaging.CodeAccessRefused {
		code = CodePermissionDenied
	}
	return localError(code, OutcomeNotSent, req.queue, "a queue for the answers could not be made: %w", err)
}

// awaitAccept sends the request, and waits until a server has accepted it.
func (c *Client) awaitAccept(ctx context.Context, req *Request) *Error {
	end := time.Now().Add(acceptTimeout)
	if at, ok := ctx.Deadline(); ok && at.Before(end) {
		end = at
	}
	patience := &deadlineContext{}
	patience.begin(ctx, end)
	defer patience.end()
	resp, err := c.roundTrip(patience, req)
	switch {
	case err != nil && err.code == CodeDeadlineExceeded && !err.remote && ctx.Err() == nil:
		return localError(CodeUnavailable, err.outcome, req.queue, "no server has accepted the stream within %v: %w", acceptTimeout, err)
	case err != nil:
		return err
	case resp != acceptedResponse:
		return localError(CodeUnimplemented, OutcomeExecuted, req.queue, "the server has answered as to a call: it does not speak streams")
	default:
		return nil
	}
}

// acceptedResponse stands for an accept where an answer is expected.
var acceptedResponse = &Response{}

// streamEnded is the result of a stream that its server has ended.
func (c *Client) streamEnded(req *Request, s *stream) (*Response, *Error) {
	cs := req.streaming.call
	final, item := cs.final, []byte(nil)
	if req.kind == KindClientStream {
		var err error
		if item, err = s.recv(); err == nil {
			final, err = s.recv()
		} else {
			item, final = nil, item
		}
		if err != io.EOF {
			return nil, c.streamFailed(req, s)
		}
	}
	s.finish(nil, false)
	e, err := parseEnding(final)
	switch {
	case err != nil:
		return nil, localError(CodeInternal, OutcomeExecuted, req.queue, "the end of the stream could not be read: %w", err)
	case e.Error != nil:
		failure := *e.Error
		failure.remote, failure.queue, failure.outcome = true, req.queue, OutcomeExecuted
		return nil, &failure
	case req.kind == KindClientStream && item == nil:
		return nil, localError(CodeInternal, OutcomeExecuted, req.queue, "the server has ended the stream without a reply")
	}
	req.replyHeader = e.Header
	if req.kind == KindClientStream {
		body, unreadable := s.packing.unpack(item, CodeInternal)
		if unreadable != nil {
			unreadable.outcome, unreadable.queue = OutcomeExecuted, req.queue
			return nil, unreadable
		}
		return &Response{header: e.Header, contentType: req.contentType, body: body, encoded: true, codec: req.codec, req: req}, nil
	}
	return &Response{header: e.Header, contentType: req.contentType, codec: req.codec, decoded: true}, nil
}

// streamFailed is the error of a stream that is over before its end.
func (c *Client) streamFailed(req *Request, s *stream) *Error {
	why := s.why()
	e, ok := errorIn(why)
	if !ok {
		return localError(CodeUnavailable, OutcomeUnknown, req.queue, "the stream is over: %w", why)
	}
	failure := *e
	failure.queue, failure.outcome = req.queue, OutcomeUnknown
	return &failure
}

func done(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// accept notes that a server has accepted the stream, and reports whether that is the result
// of the attempt that counts. Further answers to its request count as repeated.
func (pc *pendingCall) accept() bool {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	if pc.over || pc.current == nil {
		return false
	}
	counts := !pc.has && !pc.current.ended
	pc.answered, pc.current.ended = pc.current.n, true
	if !pc.has {
		pc.put(result{accepted: true})
	}
	return counts
}

// opening is what the attempt says of the stream that it opens. If the call has gone on or
// ended since Claim, no server may take the stream of a later attempt for its own. So the token
// is one that the client does not know, which it says to whoever accepts.
func (a *attempt) opening() protocol.Opening {
	pc := a.call
	o := protocol.Opening{Stream: pc.req.kind.wire(), Token: protocol.NewToken(), Deadline: pc.req.out.ctx.deadline}
	pc.mu.Lock()
	s := pc.req.streaming.stream
	counts := pc.current == a && !a.ended && !pc.over
	pc.mu.Unlock()
	if counts {
		o.Token, o.Window = s.local, s.granted()
	}
	return o
}

// setStream makes s the stream that further attempts open.
func (pc *pendingCall) setStream(s *stream) {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	pc.req.streaming.stream = s
}
