package amqprpc

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// answerGrace is how long a handler may still answer by itself after its
// deadline, before it is answered for.
const answerGrace = 250 * time.Millisecond

// inbound is a request being handled by a server.
type inbound struct {
	d        amqp.Delivery
	lane     *lane
	deadline time.Time // of the request or, if earlier, of the handler's time
	limited  bool      // the deadline is the handler's, not the request's
	refusal  error     // why it must not be handled; found before anything is decoded

	started, finished bool        // the handler; of the worker's goroutine
	answered          atomic.Bool // by the worker, or at the deadline
}

// handle works one request off: whatever happens, it is answered and
// acknowledged once, or left to be delivered again.
func (q *servedQueue) handle(j job) {
	s, e := q.server, q.endpoint
	in := &inbound{d: j.d, lane: j.lane}
	if j.lane.ctx.Err() != nil {
		j.lane.done(completion{}) // it will be delivered again
		return
	}
	if in.d.Redelivered {
		s.stats.redelivered.Add(1)
	}
	if in.d.ReplyTo != "" && !s.replyPolicy.allows(in.d.ReplyTo) {
		s.stats.refusedReplyTo.Add(1)
		s.log.Warn("amqprpc: request rejected unanswered: its reply_to is not allowed (WithReplyTo)",
			"queue", e.queue, "reply_to", loggableReplyTo(in.d.ReplyTo), "message_id", in.d.MessageId)
		j.lane.done(completion{tag: in.d.DeliveryTag, reject: true})
		return
	}
	req := q.request(in)
	in.deadline = time.Now().Add(e.cfg.timeout)
	in.limited = true
	at, err := requestDeadline(&in.d, j.arrived, s.cfg.clockSkew)
	if err != nil && in.refusal == nil {
		in.refusal = err
	}
	if !at.IsZero() && at.Before(in.deadline) {
		in.deadline, in.limited = at, false
	}
	ctx, cancel := context.WithDeadline(j.lane.ctx, in.deadline)
	late := time.AfterFunc(time.Until(in.deadline)+answerGrace, func() { q.answerLate(in) })
	resp, err := q.invoke(serverContext{ctx, req}, req)
	cancel()
	late.Stop()
	if !in.answered.CompareAndSwap(false, true) {
		s.stats.lateResults.Add(1)
		s.log.Warn("amqprpc: a handler returned after its request had been answered with deadline_exceeded", "queue", e.queue, "id", req.id)
		return
	}
	if j.lane.ctx.Err() != nil {
		s.stats.lateResults.Add(1)
		j.lane.done(completion{})
		return
	}
	j.lane.done(q.reply(req, resp, err))
}

// invoke runs the chain; a panic of middleware is an error like a handler's.
func (q *servedQueue) invoke(ctx context.Context, req *Request) (resp *Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			resp, err = nil, q.server.panicked(q.endpoint.queue, p)
		}
	}()
	return q.endpoint.invoke(ctx, req)
}

// answerLate answers for a handler that still runs at its deadline. Its place
// among the handlers in flight stays taken until it returns; the request is done
// with, so that neither caller nor broker waits for it.
func (q *servedQueue) answerLate(in *inbound) {
	if !in.answered.CompareAndSwap(false, true) {
		return
	}
	if in.lane.ctx.Err() != nil {
		in.lane.done(completion{})
		return
	}
	err := *in.expired()
	in.lane.done(q.errorReply(in, &err, OutcomeUnknown, nil))
}

// expired is the error of a request whose deadline has passed, or whose
// connection is lost.
func (in *inbound) expired() *Error {
	switch {
	case in.lane.ctx.Err() != nil && time.Now().Before(in.deadline):
		return Errorf(CodeCanceled, "the connection of the request was lost")
	case in.limited:
		return Errorf(CodeDeadlineExceeded, "the handler's time limit passed (WithTimeout): %w", context.DeadlineExceeded)
	default:
		return Errorf(CodeDeadlineExceeded, "the request's deadline passed: %w", context.DeadlineExceeded)
	}
}

func (s *Server) panicked(queue string, p any) *Error {
	cause := &PanicError{Value: p, Stack: debug.Stack()}
	s.stats.panics.Add(1)
	s.log.Error("amqprpc: panic in a handler", "queue", queue, "panic", fmt.Sprint(p), "stack", string(cause.Stack))
	return &Error{code: CodeInternal, message: "internal error", cause: cause}
}

// request makes the Request of a delivery, and finds what must keep it from
// being handled.
func (q *servedQueue) request(in *inbound) *Request {
	d, e := &in.d, q.endpoint
	req := &Request{
		queue: e.queue, id: d.MessageId, redelivered: d.Redelivered,
		contentType: d.ContentType, body: d.Body,
		newMsg: e.newReq, none: e.noneReq, newResp: e.newResp, noneResp: e.noneResp,
		in: in,
	}
	if d.ReplyTo == "" {
		req.kind = Notification
	}
	if req.id == "" {
		req.id = d.CorrelationId
	}
	if req.id == "" {
		req.id = q.server.freshID()
	}
	in.refusal = q.refusal(req)
	return req
}

func (q *servedQueue) refusal(req *Request) error {
	d, e := &req.in.d, q.endpoint
	if err := readControl(d.Headers, req); err != nil {
		return err
	}
	if size := tableSize(d.Headers); size > maxHeaderBytes {
		return Errorf(CodeResourceExhausted, "the headers have %d bytes; the limit is %d", size, maxHeaderBytes)
	}
	req.header = headerFromTable(d.Headers)
	if len(d.Body) > q.server.cfg.conn.maxMessageSize {
		return Errorf(CodeResourceExhausted, "the request has %d bytes; the limit is %d", len(d.Body), q.server.cfg.conn.maxMessageSize)
	}
	switch strings.ToLower(d.ContentEncoding) {
	case "", "utf-8", "us-ascii", "binary", "identity":
	default:
		return Errorf(CodeInvalidArgument, "the content encoding %q is not accepted", d.ContentEncoding)
	}
	if d.ContentType == "" {
		req.codec = e.codecs.Default()
		return nil
	}
	c, ok := e.codecs.Lookup(d.ContentType)
	if !ok {
		return Errorf(CodeInvalidArgument, "the content type %q is not accepted; this queue takes %s", d.ContentType, strings.Join(e.codecs.ContentTypes(), ", "))
	}
	req.codec = c
	return nil
}

// readControl reads the framework's own headers of a request. Those that it does
// not know it ignores.
func readControl(t amqp.Table, req *Request) error {
	if v, ok := t[headerVersion]; ok {
		n, isInt := integerField(v)
		if !isInt {
			return Errorf(CodeInvalidArgument, "the header %s is %T, not an integer", headerVersion, v)
		}
		if n > protocolVersion {
			return Errorf(CodeUnimplemented, "version %d of the protocol is not spoken here; %d is", n, protocolVersion)
		}
	}
	if _, ok := t[headerStream]; ok {
		return Errorf(CodeUnimplemented, "the queue %s answers calls, not streams", req.queue)
	}
	if v, ok := t[headerAttempt]; ok {
		n, isInt := integerField(v)
		if !isInt || n < 1 || n > 1<<30 {
			return Errorf(CodeInvalidArgument, "the header %s is %v (%T), not a positive integer", headerAttempt, v, v)
		}
		req.attempt = int(n)
	}
	return nil
}
