package amqprpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// outgoing is all that one call needs, in one piece of memory.
type outgoing struct {
	req  Request
	call outCall
	ctx  deadlineContext
	resp Response
}

// start runs a call through the chain and settles it. Of o, what makes up the request
// is set.
func (c *Client) start(ctx context.Context, o *outgoing, cfg *callConfig) (*Response, error) {
	req, oc := &o.req, &o.call
	if req.codec = cfg.codec; req.codec == nil {
		req.codec = c.cfg.codec
	}
	req.client = true
	req.contentType = req.codec.ContentType()
	req.header = cfg.header
	req.out = o
	oc.number, oc.req = c.numbers.Add(1), req
	oc.send = c.cfg.send.with(cfg.send)
	oc.woken = c.wakes.get()
	if req.id = cfg.id; req.id == "" {
		req.id, oc.ownID = correlationID(c.prefix, oc.number, 1), true
	}
	o.ctx.begin(ctx, c.bound(ctx, req, cfg.timeout))
	invoke := c.invoke
	if len(cfg.middleware) > 0 {
		invoke = chain(c.cfg.middleware, chain(cfg.middleware, c.attempt, c.clientSeal), c.clientSeal)
	}
	defer c.forget(o) // though middleware panics
	resp, err := invoke(&o.ctx, req)
	if cfg.replyHeader != nil {
		*cfg.replyHeader = req.replyHeader
		if resp != nil {
			*cfg.replyHeader = resp.Header()
		}
		if *cfg.replyHeader == nil {
			*cfg.replyHeader = Header{}
		}
	}
	return resp, err
}

// forget ends a call that has returned.
func (c *Client) forget(o *outgoing) {
	o.ctx.end()
	if o.call.registered {
		c.pending.remove(&o.call)
	}
	o.call.settled()
	c.wakes.put(o.call.woken)
}

// bound returns when a call must end: at the earlier of ctx's deadline and the
// call's timeout, or after the client's timeout where there is neither. The
// timeout of a notification becomes the deadline of its request.
func (c *Client) bound(ctx context.Context, req *Request, timeout time.Duration) time.Time {
	at, ok := ctx.Deadline()
	if timeout <= 0 {
		if !ok {
			at = time.Now().Add(c.cfg.timeout)
		}
		return at
	}
	end := time.Now().Add(timeout)
	if req.kind == Notification {
		req.expiry.at = end
	}
	if ok && at.Before(end) {
		return at
	}
	return end
}

// attempt is the end of a client's chain: one attempt, whose error is marked as
// this call's.
func (c *Client) attempt(ctx context.Context, req *Request) (*Response, error) {
	if end, ok := ctx.Deadline(); !ok || end.After(req.out.ctx.deadline) {
		// Middleware has put a ctx of its own in the way: the call still ends in time.
		bounded, cancel := context.WithDeadline(ctx, req.out.ctx.deadline)
		defer cancel()
		ctx = bounded
	}
	resp, err := c.transmit(ctx, req)
	if err != nil {
		req.out.call.failed(err)
		err.call = c.ref(req)
		return nil, err
	}
	return resp, nil
}

// transmit makes one attempt on the wire.
func (c *Client) transmit(ctx context.Context, req *Request) (*Response, *Error) {
	if err := c.admit(ctx, req); err != nil {
		return nil, err
	}
	oc := &req.out.call
	if !oc.registered {
		if !c.pending.add(oc, c.cfg.maxPending) {
			return nil, localError(CodeResourceExhausted, OutcomeNotSent,
				"call %s: %d calls are in flight already (WithMaxPending)", req.queue, c.cfg.maxPending)
		}
		oc.registered = true
	}
	if oc.send.failFast && !oc.isAnswered() { // no answer to an earlier attempt
		if err := c.nobodyThere(ctx, req); err != nil {
			return nil, err
		}
	}
	a := c.newAttempt(ctx, req)
	if a == nil {
		r, _ := oc.take()
		return c.finish(req, r)
	}
	if oc.send.failFast && c.current.Load() == nil {
		// Lost since the look. If it is lost from here on, the end of the epoch
		// finds the attempt.
		return nil, c.notConnected(req)
	}
	return c.await(ctx, req, a)
}

// await queues an attempt and waits for its end, or for that of one which the
// client made in its place. Shortly before the deadline it looks at the queue, so
// that the error can say what it saw; and where the handler is to give signs of
// life it looks for those.
func (c *Client) await(ctx context.Context, req *Request, a *attempt) (*Response, *Error) {
	oc := &req.out.call
	outbox := c.outbox // nil once the attempt is queued
	select {
	case outbox <- a:
		outbox = nil
	default:
	}
	done, end := waiting(ctx)
	alarm := lateness(end)
	c.pending.wakeAt(oc, alarm)
	late := false
	var alive <-chan time.Time
	if oc.send.liveness > 0 && req.kind == Unary {
		ticker := time.NewTicker(oc.send.liveness)
		defer ticker.Stop()
		alive = ticker.C
	}
	for woken := false; ; woken = true {
		if r, ok := oc.take(); ok {
			return c.finish(req, r)
		}
		if c.isClosed() {
			return nil, c.closedOn(req)
		}
		if woken && !time.Now().Before(alarm) {
			if ctx.Err() != nil {
				return nil, c.gaveUp(ctx, oc.inFlight())
			}
			alarm = end
			c.pending.wakeAt(oc, alarm)
			if !late && outbox == nil && req.kind == Unary {
				late = true
				c.task(func() {
					s := c.look(ctx, req.queue)
					oc.seen.Store(&s)
				})
			}
		}
		if outbox == nil && done == nil && alive == nil {
			<-oc.woken // as most calls do, at half the price of a select
			continue
		}
		select {
		case outbox <- a:
			outbox = nil
		case <-oc.woken:
		case <-done:
			return nil, c.gaveUp(ctx, oc.inFlight())
		case <-alive:
			if silent := c.silence(oc); silent > livenessMisses*oc.send.liveness {
				return nil, localError(CodeUnavailable, OutcomeUnknown,
					"call %s: the handler gave no sign of life for %v (WithLiveness): its server died, or lost its connection", req.queue, silent.Round(time.Millisecond))
			}
		}
	}
}

// closedOn is the error of a call on which the client was closed.
func (c *Client) closedOn(req *Request) *Error {
	outcome := OutcomeUnknown
	if a := req.out.call.inFlight(); !a.resent && a.state.CompareAndSwap(attemptQueued, attemptAbandoned) {
		outcome = OutcomeNotSent
	}
	return errClosed(req.queue, outcome)
}

func (c *Client) isClosed() bool { return isClosed(c.closed) }

// waiting returns what ends a wait for ctx: a channel, and the time at which a
// timer must. The channel of a call's own ctx is not asked for, since making it
// costs more than the timer, which is there in any case.
func waiting(ctx context.Context) (<-chan struct{}, time.Time) {
	if c, ok := ctx.(*deadlineContext); ok {
		return c.parent.Done(), c.deadline
	}
	return ctx.Done(), deadlineOf(ctx)
}

// lateness is when an answer begins to be late: a second before the end, or after half
// of a shorter time.
func lateness(end time.Time) time.Time {
	return end.Add(-min(time.Until(end)/2, time.Second))
}

// silence is how long a handler that had given a sign of life has given none. Time
// without a connection does not count.
func (c *Client) silence(oc *outCall) time.Duration {
	last := oc.lastBeat.Load()
	if last == 0 || c.current.Load() == nil {
		return 0
	}
	return time.Duration(time.Now().UnixNano() - max(last, c.upSince.Load()))
}

// nobodyThere is the error of a call that shall not wait, where there is no
// connection, no such queue, or nobody who consumes it.
func (c *Client) nobodyThere(ctx context.Context, req *Request) *Error {
	refuse := func(format string, args ...any) *Error {
		return localError(CodeUnavailable, OutcomeNotSent, "call %s: "+format, append([]any{req.queue}, args...)...)
	}
	s := c.look(ctx, req.queue)
	switch {
	case ctx.Err() != nil:
		return ended(ctx, req.queue, OutcomeNotSent, "before it was sent")
	case s.hidden():
		return nil
	case s.err != nil && !s.gone():
		return c.notConnected(req)
	case s.gone():
		return refuse("there is no such queue: has a server registered it on this virtual host?")
	case s.err == nil && s.consumers == 0:
		return refuse("nobody consumes the queue, in which %d messages wait", s.messages)
	default:
		return nil
	}
}

func (c *Client) notConnected(req *Request) *Error {
	why := c.whyDown()
	if why == nil {
		why = errors.New("the connection was just lost")
	}
	return localError(CodeUnavailable, OutcomeNotSent, "call %s: the client is not connected: %w", req.queue, why)
}

// admit refuses what must not be published: it would end the connection, and
// with it every other call.
func (c *Client) admit(ctx context.Context, req *Request) *Error {
	refuse := func(code Code, format string, args ...any) *Error {
		return localError(code, OutcomeNotSent, "call %.300s: "+format, append([]any{req.queue}, args...)...)
	}
	if c.isClosed() {
		return errClosed(req.queue, OutcomeNotSent)
	}
	if ctx.Err() != nil {
		return ended(ctx, req.queue, OutcomeNotSent, "before it was sent")
	}
	switch {
	case req.queue == "":
		return localError(CodeInvalidArgument, OutcomeNotSent, "call: the queue's name is empty")
	case len(req.queue) > maxShortString:
		return refuse(CodeInvalidArgument, "the queue's name has %d bytes; AMQP allows %d", len(req.queue), maxShortString)
	case len(req.id) > maxShortString:
		return refuse(CodeInvalidArgument, "the call's id has %d bytes; AMQP allows %d", len(req.id), maxShortString)
	case len(req.contentType) > maxShortString:
		return refuse(CodeInvalidArgument, "the codec's content type has %d bytes; AMQP allows %d", len(req.contentType), maxShortString)
	}
	if err := req.header.check(); err != nil {
		return refuse(headerErrorCode(err), "%w", err)
	}
	if req.encode(); req.err != nil {
		return localError(CodeInvalidArgument, OutcomeNotSent, "call %s: the request cannot be encoded: %w", req.queue, req.err)
	}
	if len(req.body) > c.cfg.conn.maxMessageSize {
		return refuse(CodeResourceExhausted, "the request has %d bytes; the limit is %d (WithMaxMessageSize)", len(req.body), c.cfg.conn.maxMessageSize)
	}
	if c.blocked.Load() {
		return errBlocked(req.queue)
	}
	return nil
}

// newAttempt begins an attempt, whose message is made when it is written. It is
// nil if the answer to an earlier one came meanwhile.
func (c *Client) newAttempt(ctx context.Context, req *Request) *attempt {
	expiry := req.expiry
	if req.kind == Unary {
		expiry.at = deadlineOf(ctx)
	}
	a := req.out.call.begin(c.prefix, req.header.clone(), expiry)
	if a != nil {
		req.attempt = a.n
	}
	return a
}

// finish turns the result of an attempt into what the chain returns.
func (c *Client) finish(req *Request, r result) (*Response, *Error) {
	resp, err := c.read(req, r)
	if err != nil && (err.outcome == OutcomeNotSent || err.outcome == OutcomeNotExecuted) && req.out.call.inFlight().resent {
		err.outcome = OutcomeUnknown // of this attempt it is known, of the one before it not
	}
	return resp, err
}

func (c *Client) read(req *Request, r result) (*Response, *Error) {
	if r.err != nil {
		return nil, r.err
	}
	if req.kind == Notification {
		return &Response{codec: req.codec, contentType: req.contentType}, nil
	}
	d := &r.reply
	if d.bounced {
		return nil, bounced(req.queue, d)
	}
	req.replyHeader = headerFromTable(d.headers)
	if code, isError := d.headers[headerCode]; isError {
		return nil, remoteError(req.queue, code, d)
	}
	cd := c.replyCodec(req, d.contentType)
	if cd == nil {
		return nil, localError(CodeInternal, OutcomeExecuted,
			"call %s: the reply's content type %q is none that this client decodes (WithCodec)", req.queue, d.contentType)
	}
	if len(d.body) > c.cfg.conn.maxMessageSize {
		return nil, localError(CodeResourceExhausted, OutcomeExecuted,
			"call %s: the reply has %d bytes; the limit is %d (WithMaxMessageSize)", req.queue, len(d.body), c.cfg.conn.maxMessageSize)
	}
	contentType := d.contentType
	if contentType == "" {
		contentType = cd.ContentType()
	}
	resp := &req.out.resp
	*resp = Response{header: req.replyHeader, contentType: contentType, body: d.body, encoded: true, codec: cd, typ: req.respType}
	return resp, nil
}

// remoteError reads the error that a server answered with. One that cannot be
// read is an error all the same, with the code of the header.
func remoteError(queue string, code any, d *wireReply) *Error {
	name, _ := code.(string)
	e := &Error{}
	if err := json.Unmarshal(d.body, e); err != nil {
		e.message = "the server's error could not be read"
	}
	e.code = codeFromWire(name)
	e.remote, e.queue = true, queue
	o, _ := d.headers[headerOutcome].(string)
	e.outcome = outcomeFromWire(o)
	return e
}

// gaveUp is the error of a call whose ctx ended first.
func (c *Client) gaveUp(ctx context.Context, a *attempt) *Error {
	a.state.CompareAndSwap(attemptQueued, attemptAbandoned)
	queue := a.call.req.queue
	if a.resent || a.state.Load() != attemptAbandoned {
		if why := c.whyDown(); why != nil {
			return ended(ctx, queue, OutcomeUnknown, "after the request was sent; the client has no connection now: "+why.Error())
		}
		if a.call.req.kind == Notification {
			return ended(ctx, queue, OutcomeUnknown, "before the broker confirmed the notification")
		}
		return ended(ctx, queue, OutcomeUnknown, "before an answer came"+a.call.seen.Load().String())
	}
	if why := c.whyDown(); why != nil {
		return ended(ctx, queue, OutcomeNotSent, "waiting for a connection to the broker: "+why.Error())
	}
	return ended(ctx, queue, OutcomeNotSent, "before the request could be sent")
}

// ended is the error of a ctx that is done.
func ended(ctx context.Context, queue string, outcome Outcome, when string) *Error {
	err := ctx.Err()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, err) {
		err = fmt.Errorf("%w (%w)", err, cause)
	}
	e := localError(CodeOf(ctx.Err()), outcome, "call %.300s: %w, %s", queue, err, when)
	return e
}

func errClosed(queue string, outcome Outcome) *Error {
	return localError(CodeCanceled, outcome, "call %.300s: %w", queue, ErrClientClosed)
}
