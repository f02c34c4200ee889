package amqprpc

import (
	"context"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// answerGrace is how long a handler may still answer by itself after its
// deadline, before it is answered for.
const answerGrace = 250 * time.Millisecond

// inbound is a request being handled by a server, with all that it needs, in one
// piece of memory.
type inbound struct {
	d          amqp.Delivery // its Headers are nil if plain
	plain      bool          // the headers are an rpc-deadline and, or not, an rpc-batches
	stated     int64         // … this deadline
	batches    bool          // the caller understands them
	work       completion    // what becomes of it in the end
	arrived    time.Time
	expires    time.Duration // its expiration; -1 if it has none
	waited     time.Duration // in the queue before it arrived, as far as is known
	req        Request
	resp       Response
	ctx        serverContext
	queue      *servedQueue
	lane       *lane
	deliveries int       // how often it was delivered, as far as is known; 1 is the first time
	deadline   time.Time // of the request or, if earlier, of the handler's time
	limited    bool      // the deadline is the handler's, not the request's
	refusal    error     // why it must not be handled; found before anything is decoded
	deadLetter bool      // reject it, besides answering
	atMostOnce bool
	beat       time.Duration // the caller wants signs of life so often
	beats      *time.Timer
	inline     bool // the goroutine that reads the connection handles it
	started    bool
	finished   bool // the handler; all of these are the goroutine's that handles

	acked     atomic.Bool // at most once: before the handler starts
	mu        sync.Mutex
	begun     bool   // its chain is run, or was
	unhurried bool   // it may take long: it is to be answered for when its time has passed
	answered  bool   // by the goroutine that handles, or at the deadline
	late      *watch // that answers for it; nil if it is not watched
}

// begin is called before the chain is run.
func (in *inbound) begin() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.begun = true
	if !in.inline {
		in.unhurried = true
	}
	in.watch()
}

// watch has the request answered for when its time has passed, if it may take so long.
// Most of those that are handled inline never need that. The lock is held.
func (in *inbound) watch() {
	if in.begun && in.unhurried && !in.answered && in.late == nil {
		in.late = in.queue.watch(in, max(time.Until(in.deadline), 0)+answerGrace)
	}
}

// answer reports whether the caller of it is the one to answer the request.
func (in *inbound) answer() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	first := !in.answered
	in.answered = true
	return first
}

// start is called before the handler; false means that it must not start, since
// its request will be delivered again.
func (in *inbound) start() bool {
	if in.atMostOnce {
		if !in.lane.post(&completion{tag: in.d.DeliveryTag}) {
			return false
		}
		in.acked.Store(true)
	}
	in.started = true
	if in.beat > 0 {
		in.mu.Lock()
		in.beats = time.AfterFunc(0, in.giveSign)
		in.mu.Unlock()
	}
	return true
}

// finish is called when the handler returned or panicked.
func (in *inbound) finish() {
	in.finished = true
	if in.beats != nil {
		in.beats.Stop()
	}
}

// giveSign tells the caller that the handler still runs, and comes back.
func (in *inbound) giveSign() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.answered {
		return
	}
	in.queue.sign(&completion{to: in.d.ReplyTo, reply: amqp.Publishing{
		CorrelationId: in.correlationID(),
		Headers:       amqp.Table{headerHeartbeat: in.beat.Milliseconds()},
		Expiration:    strconv.FormatInt((livenessMisses * in.beat).Milliseconds(), 10),
	}}, in)
	in.beats.Reset(in.beat)
}

func (in *inbound) correlationID() string {
	if in.d.CorrelationId != "" {
		return in.d.CorrelationId
	}
	return in.d.MessageId
}

// lost reports whether the request's connection is lost, so that it will be
// delivered again and must not be answered here. A request that was acknowledged
// at the start is not.
func (in *inbound) lost() bool { return !in.acked.Load() && in.lane.ctx.Err() != nil }

// handle works one request off: whatever happens, it is answered and
// acknowledged once, or left to be delivered again.
func (q *servedQueue) handle(in *inbound) {
	defer in.lane.open.Done()
	if !q.admit(in) {
		return
	}
	base := in.lane.ctx
	if in.atMostOnce {
		base = q.base
	}
	in.ctx.begin(base, in.deadline)
	in.ctx.req = &in.req
	in.begin()
	returned := false
	defer func() {
		if !returned {
			q.finish(in, nil, q.server.exited(q.endpoint.queue))
		}
	}()
	resp, err := q.invoke(&in.ctx, &in.req)
	returned = true
	q.finish(in, resp, err)
}

// admit looks at a request before its chain is run, and reports whether it is to be run.
func (q *servedQueue) admit(in *inbound) bool {
	s, e := q.server, q.endpoint
	if in.lost() {
		return false // it will be delivered again
	}
	if in.d.ReplyTo != "" && !s.replyPolicy.allows(in.d.ReplyTo) {
		s.stats.refusedReplyTo.Add(1)
		s.log.Warn("amqprpc: request rejected unanswered: its reply_to is not allowed (WithReplyTo)",
			"queue", e.queue, "reply_to", loggableReplyTo(in.d.ReplyTo), "message_id", in.d.MessageId)
		in.lane.post(&completion{tag: in.d.DeliveryTag, reject: true, final: in.lane})
		return false
	}
	q.request(in)
	if in.refusal == nil {
		if q.countDelivery(in) && q.sendBack(in) {
			return false
		}
	}
	if in.req.redelivered = in.deliveries > 1; in.req.redelivered {
		s.stats.redelivered.Add(1)
	}
	in.deadline = time.Now().Add(e.cfg.timeout)
	in.limited = true
	at, err := requestDeadline(in, s.cfg.clockSkew)
	if err != nil && in.refusal == nil {
		in.refusal = err
	}
	if !at.IsZero() && at.Before(in.deadline) {
		in.deadline, in.limited = at, false
	}
	if in.refusal == nil && q.hopeless(in) {
		s.stats.shed.Add(1)
		in.refusal = Errorf(CodeResourceExhausted, "the server is busy: what is left of the request's time is less than its handlers take")
	}
	return true
}

// finish answers a request whose chain has ended.
func (q *servedQueue) finish(in *inbound, resp *Response, err error) {
	in.ctx.end()
	mine := in.answer()
	if in.late != nil { // it does not change any more
		q.unwatch(in.late)
	}
	if !mine {
		q.server.stats.lateResults.Add(1)
		q.server.log.Warn("amqprpc: a handler returned after its request had been answered with deadline_exceeded", "queue", q.endpoint.queue, "id", in.req.id)
		return
	}
	if in.lost() {
		q.server.stats.lateResults.Add(1)
		return
	}
	c := q.reply(&in.req, resp, err)
	if in.inline && in.beats == nil && in.lane.keep(c) { // a sign of life is not to come after
		return
	}
	q.send(c, in)
}

// sendBack puts a request at the tail of its queue, with its count, and reports
// whether that is all there is to do here. Where it cannot be put there it is
// handled uncounted: better once too often than never.
func (q *servedQueue) sendBack(in *inbound) bool {
	if q.backs.send(in.lane.ctx, in.lane.link, q.endpoint.queue, in.sentBack()) {
		in.lane.post(&completion{tag: in.d.DeliveryTag, final: in.lane})
		return true
	}
	return in.lost()
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
	if !in.answer() || in.lost() {
		return
	}
	q.send(q.errorReply(in, in.expired(), OutcomeUnknown, nil), in)
}

// expired is the error of a request whose deadline has passed, or whose
// connection is lost.
func (in *inbound) expired() *Error {
	switch {
	case in.lost() && time.Now().Before(in.deadline):
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

// exited is the error of a handler that has ended its goroutine instead of returning,
// as runtime.Goexit does, and with it the FailNow of a test.
func (s *Server) exited(queue string) *Error {
	s.stats.panics.Add(1)
	s.log.Error("amqprpc: a handler ended its goroutine (runtime.Goexit) instead of returning", "queue", queue)
	return &Error{code: CodeInternal, message: "internal error"}
}

// request makes the Request of a delivery, and finds what must keep it from
// being handled.
func (q *servedQueue) request(in *inbound) {
	d, e, req := &in.d, q.endpoint, &in.req
	*req = Request{
		queue: e.queue, id: d.MessageId,
		contentType: d.ContentType, body: d.Body,
		typ: e.req, respType: e.resp, in: in,
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
}

func (q *servedQueue) refusal(req *Request) error {
	d, e := &req.in.d, q.endpoint
	if err := readControl(d.Headers, req, req.in); err != nil {
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
func readControl(t amqp.Table, req *Request, in *inbound) error {
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
	if v, ok := t[headerBatches]; ok {
		understood, isBool := v.(bool)
		if !isBool {
			return Errorf(CodeInvalidArgument, "the header %s is %T, not a boolean", headerBatches, v)
		}
		in.batches = understood
	}
	if v, ok := t[headerHeartbeat]; ok && in.d.ReplyTo != "" {
		n, isInt := integerField(v)
		if !isInt || n < 1 || n > maxDeadlineMillis {
			return Errorf(CodeInvalidArgument, "the header %s is %v (%T), not a positive integer (milliseconds)", headerHeartbeat, v, v)
		}
		in.beat = max(time.Duration(n)*time.Millisecond, minLiveness)
	}
	return nil
}
