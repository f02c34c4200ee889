package amqprpc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// outgoing is all that one call needs, in one piece of memory.
type outgoing struct {
	call pendingCall
	ctx  deadlineContext
	resp Response
}

// start runs a call through the chain. What makes up the request is set in o.
func (c *Client) start(ctx context.Context, o *outgoing, cfg *callConfig) (*Response, error) {
	req, pc := &o.call.req, &o.call
	if req.codec = cfg.codec; req.codec == nil {
		req.codec = c.cfg.codec
	}
	req.client = true
	req.contentType = req.codec.ContentType()
	req.header = cfg.header
	req.priority = cfg.priority
	req.out = o
	pc.client, pc.number = c, c.numbers.Add(1)
	pc.prefix = c.ids.prefix(req.queue)
	pc.send = c.cfg.send.with(cfg.send)
	pc.woken = c.wakes.get()
	pc.alarm.target = pc
	if req.id = cfg.id; req.id == "" {
		req.id, pc.ownID = protocol.CorrelationID(pc.prefix, pc.number, 1), true
	}
	if req.kind == KindNotification && cfg.expiration > 0 {
		pc.expiry = c.age() + moment(cfg.expiration)
	}
	o.ctx.life = c.life
	o.ctx.begin(ctx, c.bound(ctx, cfg.timeout, req.kind))
	if cfg.instance != "" {
		req.part().instance = cfg.instance
	}
	if req.kind == KindNotification && req.streaming != nil && pc.expiry == 0 { // a mailbox takes nothing that does not expire
		pc.expiry = c.moment(o.ctx.deadline)
	}
	if cfg.timing != nil && req.kind == KindUnary {
		req.part().timing = &timing{}
		defer req.streaming.timing.fill(cfg.timing, c, c.age())
	}
	invoke := c.invoke
	if len(cfg.middleware) > 0 {
		invoke = chain(c.cfg.middleware, chain(cfg.middleware, c.attempt, c.clientSeal), c.clientSeal)
	}
	defer c.forget(o) // though middleware panics
	resp, err := invoke(&o.ctx, req)
	c.note(o, cfg.replyHeader, resp, err)
	return resp, err
}

// note notes the result of a chain, unless the call goes on.
func (c *Client) note(o *outgoing, header *Header, resp *Response, err error) {
	if o.goesOn() {
		return
	}
	if err != nil {
		c.stats.failed.add(CodeOf(err))
	}
	if header != nil {
		*header = o.call.family.lastHeader(o.call.req.replyHeader)
		if resp != nil {
			*header = resp.Header()
		}
		if *header == nil {
			*header = Header{}
		}
	}
}

// goesOn reports whether the chain has returned, but the call of a stream goes on.
func (o *outgoing) goesOn() bool {
	s := o.call.req.streaming
	return s != nil && s.call != nil && s.call.await != nil
}

// forget ends a call whose chain has returned, unless the call goes on.
func (c *Client) forget(o *outgoing) {
	if o.goesOn() {
		return
	}
	o.ctx.end()
	if o.call.end() {
		c.release(&o.call)
	}
	for _, clone := range o.call.family.end() {
		if clone.end() {
			c.release(clone)
		}
	}
}

// release gives back what a call had that is over, once no step of it runs.
func (c *Client) release(pc *pendingCall) {
	if pc.registered {
		c.pending.remove(pc)
	}
	c.wakes.put(pc.woken)
}

// bound returns when a call must end: at the earlier of ctx's deadline and the
// call's timeout, or after the client's timeout where there is neither. A stream is then
// not bound at all: the zero time.
func (c *Client) bound(ctx context.Context, timeout time.Duration, kind Kind) time.Time {
	at, ok := ctx.Deadline()
	if timeout <= 0 {
		if !ok && !kind.IsStream() {
			at = time.Now().Add(c.cfg.timeout)
		}
		return at
	}
	end := time.Now().Add(timeout)
	if ok && at.Before(end) {
		return at
	}
	return end
}

// attempt is the end of a client's chain: one attempt, whose error is marked as this
// call's.
func (c *Client) attempt(ctx context.Context, req *Request) (*Response, error) {
	if end, ok := ctx.Deadline(); !req.out.ctx.deadline.IsZero() && (!ok || end.After(req.out.ctx.deadline)) {
		// Middleware has put a ctx of its own in the way: the call still ends in time.
		bounded, cancel := context.WithDeadline(ctx, req.out.ctx.deadline)
		defer cancel()
		ctx = bounded
	}
	pc := &req.out.call
	if err := pc.enter(); err != nil {
		err.call = req.ref()
		return nil, err
	}
	defer func() {
		if pc.leave() {
			c.release(pc)
		}
	}()
	run := c.roundTrip
	switch {
	case req.kind.IsStream():
		run = c.streamAttempt
	case req.streaming != nil && req.streaming.broadcast != nil:
		run = c.broadcastAttempt
	}
	resp, err := run(ctx, req)
	if err != nil {
		err.call = req.ref() // before others see the error in the log of attempts
		pc.failed(err)
		pc.family.answered(req.replyHeader)
		return nil, err
	}
	return resp, nil
}

// roundTrip makes one attempt on the wire.
func (c *Client) roundTrip(ctx context.Context, req *Request) (*Response, *Error) {
	if err := c.admit(ctx, req); err != nil {
		return nil, err
	}
	pc := &req.out.call
	if !pc.registered {
		if !c.pending.add(pc, c.cfg.maxPending) {
			return nil, localError(CodeResourceExhausted, OutcomeNotSent, req.queue,
				"the client has %s in flight already (WithMaxPending)", messaging.Counted(c.cfg.maxPending, "call"))
		}
		pc.registered = true
	}
	if pc.send.failFast && !pc.isAnswered() { // no answer to an earlier attempt
		if err := c.nobodyThere(ctx, req); err != nil {
			return nil, err
		}
	}
	expiry := pc.expiry
	if req.kind != KindNotification {
		expiry = c.moment(deadlineOf(ctx))
	}
	a := pc.begin(req.header.clone(), expiry)
	if a == nil {
		r, _ := pc.take()
		return c.finish(req, r)
	}
	req.attempt = int(a.n)
	if pc.send.failFast && c.whyDown() != nil {
		// Lost since the inspection. If the connection is lost from here on, its end
		// finds the attempt.
		return nil, c.notConnected(req)
	}
	c.broker.Publisher.Queue(a)
	return c.await(ctx, req)
}

// await waits for the end of the attempt that counts. Shortly before the deadline it
// inspects the queue, so that the error can say what is known of it. Where the
// handler is to send heartbeats, it looks for those.
func (c *Client) await(ctx context.Context, req *Request) (*Response, *Error) {
	pc := &req.out.call
	done, end := waiting(ctx)
	at := lateness(end)
	c.pending.wakeAt(pc, at)
	late := false
	var alive <-chan time.Time
	var ticker *time.Ticker
	if pc.send.liveness > 0 && req.kind == KindUnary {
		ticker = time.NewTicker(pc.send.liveness)
		defer ticker.Stop()
		alive = ticker.C
	}
	for woken := false; ; woken = true {
		if r, ok := pc.take(); ok {
			return c.finish(req, r)
		}
		if c.isClosed() {
			return nil, c.closedOn(req)
		}
		if woken && !time.Now().Before(at) {
			if ctx.Err() != nil {
				return nil, c.gaveUp(ctx, pc.inFlight())
			}
			at = end
			c.pending.wakeAt(pc, at)
			if !late && req.kind != KindNotification && pc.inFlight().state.Load() == attemptWritten {
				late = true
				c.task(func() {
					i := c.broker.Inspect(ctx, req.address())
					pc.seen.Store(&i)
				})
			}
		}
		if done == nil && alive == nil {
			<-pc.woken // as most calls do, at half the price of a select
			continue
		}
		select {
		case <-pc.woken:
			if at, interval := pc.lastHeartbeat(); alive != nil && at > 0 {
				ticker.Reset(interval)
			}
		case <-done:
			if c.isClosed() {
				return nil, c.closedOn(req)
			}
			return nil, c.gaveUp(ctx, pc.inFlight())
		case <-alive:
			if err := c.silent(pc); err != nil {
				return nil, err
			}
		}
	}
}

// waiting returns what ends a wait for ctx: a channel, and the time at which a timer
// must. It does not ask a call's own ctx for its channel, since to make that costs
// more than the timer, which is there in any case.
func waiting(ctx context.Context) (<-chan struct{}, time.Time) {
	if c, ok := ctx.(*deadlineContext); ok {
		return c.parent.Done(), c.deadline
	}
	return ctx.Done(), deadlineOf(ctx)
}

// lateness is when an answer begins to be late: a second before the end, or after
// half of a shorter time.
func lateness(end time.Time) time.Time {
	return end.Add(-min(time.Until(end)/2, time.Second))
}

// silent is the error of a call whose handler had sent heartbeats and sends none any
// more. An idempotent call is sent again instead. Time without a connection does not
// count.
func (c *Client) silent(pc *pendingCall) *Error {
	last, interval := pc.lastHeartbeat()
	if last == 0 || c.whyDown() != nil {
		return nil
	}
	silence := time.Duration(c.age() - max(last, moment(c.upSince.Load())))
	if silence <= protocol.HeartbeatMisses*interval {
		return nil
	}
	if pc.send.idempotent {
		c.sendAgain(pc.inFlight())
		return nil
	}
	return localError(CodeUnavailable, OutcomeUnknown, pc.req.queue,
		"the handler gave no sign of life for %v (WithLiveness): its server died, or lost its connection", silence.Round(time.Millisecond))
}

// closedOn is the error of a call on which the client was closed.
func (c *Client) closedOn(req *Request) *Error {
	outcome := OutcomeUnknown
	if a := req.out.call.inFlight(); !a.resent && a.abandon() {
		outcome = OutcomeNotSent
	} else {
		c.giveUp(a)
	}
	return errClosed(req.queue, outcome)
}

// gaveUp is the error of a call whose ctx ended first.
func (c *Client) gaveUp(ctx context.Context, a *attempt) *Error {
	if !a.abandon() && !errors.Is(ctx.Err(), context.DeadlineExceeded) { // the deadline travels with the request
		c.giveUp(a)
	}
	queue := a.call.req.queue
	down := c.whyDown()
	switch abandoned := a.state.Load() == attemptAbandoned && !a.resent; {
	case abandoned && down != nil:
		return ended(ctx, queue, OutcomeNotSent, "waiting for a connection to the broker: "+down.Error())
	case abandoned:
		return ended(ctx, queue, OutcomeNotSent, "before the request could be sent")
	case down != nil:
		return ended(ctx, queue, OutcomeUnknown, "after the request was sent; the client has no connection now: "+down.Error())
	case a.call.req.kind == KindNotification:
		return ended(ctx, queue, OutcomeUnknown, "before the broker confirmed the notification")
	default:
		return ended(ctx, queue, OutcomeUnknown, "before an answer came"+a.call.seen.Load().String())
	}
}

// ended is the error of a ctx that is done.
func ended(ctx context.Context, queue string, outcome Outcome, when string) *Error {
	err := ctx.Err()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, err) {
		err = fmt.Errorf("%w (%w)", err, cause)
	}
	return localError(CodeOf(ctx.Err()), outcome, queue, "%w, %s", err, when)
}

func errClosed(queue string, outcome Outcome) *Error {
	return localError(CodeCanceled, outcome, queue, "%w", ErrClientClosed)
}
