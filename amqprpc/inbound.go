package amqprpc

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/overload"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// answerGrace is how long a handler may still answer by itself after its deadline,
// before it is answered for.
const answerGrace = 250 * time.Millisecond

// inbound is a request being handled by a server, with all that it needs, in one
// piece of memory. It implements messaging.Work.
type inbound struct {
	messaging.Delivery
	endpoint    *endpoint
	typed       messageType // the inboundOf that this is a part of, which makes its message
	message     protocol.Request
	malformed   error // a header that must refuse the request
	redelivered bool
	exchange    string
	key         string
	arrived     time.Time
	waited      time.Duration // in the queue before it arrived, as far as is known
	timed       bool          // something is known of that

	req  Request
	resp Response
	ctx  serverContext

	deliveries int       // how often it was delivered, as far as is known; 1 is the first time
	deadline   time.Time // of the request or, if earlier, of the handler's time
	limited    bool      // the deadline is the handler's, not the request's
	refusal    error     // why it must not be handled; found before anything is decoded
	deadLetter bool      // reject it, besides answering
	beats      *time.Timer
	taken      time.Time // when a worker took it
	started    bool
	finished   bool // the handler; all of these belong to the goroutine that handles

	live      atomic.Pointer[stream] // that the request has opened
	instance  *string                // to whose mailbox the request came; nil if it came from the queue
	late      alarm
	mu        sync.Mutex
	answered  bool // by the goroutine that handles, or at the deadline
	cancelled bool // by its caller: it is not answered
}

// accept makes an inbound of a message, on the goroutine that reads the connection.
// It returns nil for one that cannot be answered.
func (e *endpoint) accept(m *messaging.Message, strings *protocol.Interner) messaging.Work {
	if m.Malformed {
		e.server.log.Warn("amqprpc: request rejected unanswered: its properties are malformed", "queue", e.queue)
		return nil
	}
	in := e.inbound(m, strings)
	e.arrives(in, int(e.load.Add(1)))
	return in
}

// inbound makes an inbound of a message.
func (e *endpoint) inbound(m *messaging.Message, strings *protocol.Interner) *inbound {
	in := e.fresh()
	in.endpoint, in.arrived = e, time.Now()
	in.redelivered, in.exchange, in.key = m.Redelivered, m.Exchange, m.Key
	in.malformed = in.message.Parse(&m.Properties, strings)
	in.req.body = m.Body
	return in
}

// arrives finds out how long a request was in the queue.
func (e *endpoint) arrives(in *inbound, load int) {
	if e.kind.IsStream() {
		return
	}
	calm, longest := e.gauge.Calm(in.arrived), e.gauge.Longest(in.arrived)
	e.gauge.Load(load, in.arrived)
	m := &in.message
	lag, ok := m.Lag(in.arrived)
	if !ok || in.redelivered || m.Priority > 0 || m.ReplyTo == "" {
		return // the request tells nothing, or was not first in first out
	}
	in.timed = true
	in.waited = e.server.clocks.Waited(overload.Arrival{
		Sender: overload.Sender{Address: m.ReplyTo, Secret: protocol.Prefix(m.CorrelationID)},
		Lag:    lag, Expires: m.Expires, At: in.arrived, Calm: calm, Longest: longest,
	})
}

// Handle implements messaging.Work: whatever happens, the request is answered and
// acknowledged once, or left to be delivered again.
func (in *inbound) Handle() {
	e := in.endpoint
	var ended time.Time
	defer func() {
		load := int(e.load.Add(-1))
		if in.instance != nil {
			e.mailed.Add(-1)
		}
		if e.kind.IsStream() {
			e.consumer.Room()
			return
		}
		e.gauge.Load(load, ended)
	}()
	if !in.admit() {
		in.answer() // so that no heartbeats are sent
		ended = time.Now()
		return
	}
	base := in.Context()
	if e.cfg.atMostOnce || e.kind.IsStream() || in.instance != nil { // it will not be delivered again
		base = e.server.base
	}
	in.ctx.begin(base, in.deadline)
	in.ctx.req = &in.req
	in.late.target = in
	if !in.deadline.IsZero() {
		e.clock.set(&in.late, later(in.deadline, in.taken).Add(answerGrace)) // an expired request is refused by its chain
	}
	returned := false
	defer func() {
		if !returned {
			ended = in.end(nil, e.server.exited(e.queue))
		}
	}()
	resp, err := in.invoke()
	returned = true
	ended = in.end(resp, err)
}

// end answers a request whose chain has returned, and returns when that was.
func (in *inbound) end(resp *Response, err error) time.Time {
	now := time.Now()
	if in.started {
		in.endpoint.tally.handler.add(now.Sub(in.taken))
	}
	if in.live.Load() != nil {
		in.concludeStream(resp, err)
	} else {
		in.conclude(in.reply(resp, err))
	}
	return now
}

// admit looks at a request before its chain is run, and reports whether it is to be
// run.
func (in *inbound) admit() bool {
	e, m := in.endpoint, &in.message
	s := e.server
	if in.Lost() {
		e.unstarted.lose(in.ids())
		return false // it will be delivered again
	}
	if m.ReplyTo != "" && !s.replyPolicy.allows(m.ReplyTo) {
		s.stats.refusedReplyTo.Add(1)
		s.log.Warn("amqprpc: request rejected unanswered: its reply_to is not allowed; to allow it, give the server WithAllowedReplyTo with this name or a pattern",
			"queue", e.queue, "reply_to", protocol.Loggable(m.ReplyTo), "message_id", m.MessageID)
		in.Finish(messaging.Done{Reject: true})
		return false
	}
	if e.cancelled.has(m.CorrelationID) {
		s.stats.cancelled.Add(1)
		in.count(errGaveUp(), true)
		in.Finish(messaging.Done{})
		return false
	}
	if in.isLive() {
		in.Finish(messaging.Done{})
		return false
	}
	in.makeRequest()
	if in.refusal = in.refuse(); in.refusal == nil {
		if in.countDelivery() && in.requeue() {
			return false
		}
	}
	if in.req.redelivered = in.deliveries > 1; in.req.redelivered {
		s.stats.redelivered.Add(1)
		e.tally.redelivered.Add(1)
	}
	in.taken = time.Now()
	if e.cfg.timeout > 0 {
		in.deadline, in.limited = in.taken.Add(e.cfg.timeout), true
	}
	if end := m.End(in.arrived, s.cfg.clockSkew); !end.IsZero() && (in.deadline.IsZero() || end.Before(in.deadline)) {
		in.deadline, in.limited = end, false
	}
	if in.refusal == nil && in.hopeless() {
		s.stats.shed.Add(1)
		in.refusal = Errorf(CodeResourceExhausted, "the server is busy: what is left of the request's time is less than its handlers take").
			WithRetryAfter(in.retryAfter())
	}
	return true
}

// makeRequest makes the Request of a delivery.
func (in *inbound) makeRequest() {
	e, m := in.endpoint, &in.message
	in.req = Request{
		queue: e.queue, id: m.CallID(), attempt: m.Attempt,
		contentType: m.ContentType, body: in.req.body,
		respType: e.resp, in: in,
	}
	switch {
	case e.kind.IsStream():
		in.req.kind = e.kind
	case m.ReplyTo == "":
		in.req.kind = KindNotification
	}
	if in.req.id == "" {
		in.req.id = e.server.freshID()
	}
}

// refuse finds what must keep a request from being handled.
func (in *inbound) refuse() error {
	e, m, req := in.endpoint, &in.message, &in.req
	if in.malformed != nil {
		return headerError(e.queue, in.malformed)
	}
	if err := in.refuseStream(); err != nil {
		return err
	}
	// What is sent back to the queue must fit into a frame.
	if size, limit := m.HeaderSize(), headerLimit(in.FrameMax()); size > limit {
		return Errorf(CodeResourceExhausted, "the headers have %d bytes; the limit is %d", size, limit)
	}
	req.header = m.Metadata()
	if limit := e.server.cfg.conn.maxMessageSize; len(req.body) > limit {
		return Errorf(CodeResourceExhausted, "the request has %d bytes; the limit is %d", len(req.body), limit)
	}
	if !protocol.IsPlain(m.ContentEncoding) {
		encoding := e.server.cfg.conn.encodings.find(m.ContentEncoding)
		if encoding == nil {
			return Errorf(CodeInvalidArgument, "the content encoding %q is not accepted", m.ContentEncoding)
		}
		req.packed, req.body = &packed{encoding: encoding, body: req.body}, nil
	}
	if m.ContentType == "" {
		req.codec = e.codecs.Default()
		return nil
	}
	c, ok := e.codecs.Lookup(m.ContentType)
	if !ok {
		return Errorf(CodeInvalidArgument, "the content type %q is not accepted; this queue takes %s", m.ContentType, strings.Join(e.codecs.ContentTypes(), ", "))
	}
	req.codec = c
	return nil
}

// headerError gives what protocol found in a request's headers its code.
func headerError(queue string, err error) error {
	if errors.Is(err, protocol.ErrStream) {
		return NewError(CodeUnimplemented, err)
	}
	if _, ok := errors.AsType[*protocol.VersionError](err); ok {
		return NewError(CodeUnimplemented, err)
	}
	return NewError(CodeInvalidArgument, err)
}

// hopeless reports whether a request is better not begun: the handlers are busy, most
// of its time has passed, and a handler takes longer than the rest.
func (in *inbound) hopeless() bool {
	if in.message.ReplyTo == "" || in.endpoint.kind.IsStream() {
		return false
	}
	left, budget := time.Until(in.deadline), time.Duration(0)
	if left <= 0 {
		return false // it is not begun, for that
	}
	if expires := in.message.Expires; expires >= 0 {
		left = min(left, time.Until(in.arrived.Add(expires-in.waited)))
		budget = expires
	}
	return in.endpoint.gauge.Hopeless(int(in.endpoint.load.Load()), left, budget)
}

// retryAfter returns when the caller of a request that a busy server refuses should call
// again: after the requests that wait now. They wait for about as long as this request did,
// and at least for as long as a handler takes.
func (in *inbound) retryAfter() time.Duration {
	return min(max(in.waited, in.endpoint.gauge.Typical()), time.Minute)
}

// invoke runs the chain. A panic of middleware is an error like a handler's.
func (in *inbound) invoke() (resp *Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			resp, err = nil, in.endpoint.server.panicked(in.endpoint.queue, p)
		}
	}()
	return in.endpoint.invoke(&in.ctx, &in.req)
}

// start is called before the handler. False means that it must not start, since its
// request will be delivered again.
func (in *inbound) start() bool {
	if in.endpoint.cfg.atMostOnce && !in.ackOnce() {
		return false
	}
	in.started = true
	if in.message.Heartbeat > 0 && !in.endpoint.kind.IsStream() && (in.beats == nil || in.finished) { // else it is accepted, and they go on
		in.mu.Lock()
		in.beats = time.AfterFunc(0, in.sendHeartbeat)
		in.mu.Unlock()
	}
	return true
}

// ackOnce acknowledges the request before its handler runs. It does nothing if the request
// is already acknowledged, for example when middleware runs the handler again: a second
// acknowledgement would close the channel.
func (in *inbound) ackOnce() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return !in.answered && (in.Acked() || in.AckNow())
}

// sendHeartbeat tells the caller that the handler still runs or, in a mailbox, that the
// request is accepted. It comes back.
func (in *inbound) sendHeartbeat() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.answered || in.cancelled {
		return
	}
	m := &in.message
	in.Heartbeat(m.ReplyTo, protocol.Reply{CorrelationID: m.ReplyID(), Heartbeat: m.Heartbeat, Instance: in.mailbox()})
	in.beats.Reset(m.Heartbeat)
}

// finish is called when the handler returned or panicked.
func (in *inbound) finish() {
	in.finished = true
	if in.beats != nil {
		in.beats.Stop()
	}
}

// answer reports whether its caller is the first one to answer the request, and so may do
// it.
func (in *inbound) answer() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	first := !in.answered
	in.answered = true
	return first
}

// conclude answers a request whose chain has ended.
func (in *inbound) conclude(done messaging.Done, failure *Error) {
	e := in.endpoint
	in.ctx.end()
	e.clock.drop(&in.late)
	switch {
	case !in.answer():
		e.server.stats.lateResults.Add(1)
		e.server.log.Warn("amqprpc: a handler returned after its request had been answered with deadline_exceeded", "queue", e.queue, "id", in.req.id)
	case in.Lost():
		e.server.stats.lateResults.Add(1)
	case in.isCancelled():
		e.server.stats.cancelled.Add(1)
		in.count(errGaveUp(), !in.started)
		in.Finish(in.done())
	default:
		in.count(failure, failure != nil && !in.started)
		in.Finish(done)
	}
}

// ring implements ringer. It answers a request whose handler still runs after the deadline.
// The handler's worker stays busy until the handler returns, but caller and broker do not
// wait for it.
func (in *inbound) ring() {
	if s := in.live.Load(); s != nil {
		s.finish(in.expired(), true)
		return
	}
	switch {
	case !in.answer(), in.Lost():
	case in.isCancelled():
		in.count(errGaveUp(), false)
		in.Finish(in.done())
	default:
		late := in.expired()
		in.count(late, false)
		in.Finish(in.errorReply(late, OutcomeUnknown, nil))
	}
}

func (in *inbound) isCancelled() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.cancelled
}

func errGaveUp() *Error {
	return Errorf(CodeCanceled, "the caller has given up: %w", context.Canceled)
}

// expired is the error of a request whose deadline has passed, or whose connection
// is lost.
func (in *inbound) expired() *Error {
	switch {
	case in.isCancelled():
		return errGaveUp()
	case in.Lost() && time.Now().Before(in.deadline):
		return Errorf(CodeCanceled, "the connection of the request was lost")
	case in.limited:
		return &Error{code: CodeDeadlineExceeded, message: "the handler's time limit passed", cause: context.DeadlineExceeded}
	default:
		return &Error{code: CodeDeadlineExceeded, message: "the request's deadline passed", cause: context.DeadlineExceeded}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
