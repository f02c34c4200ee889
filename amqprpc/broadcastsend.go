package amqprpc

import (
	"context"
	"errors"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// publish publishes the request, and waits until the broker has taken it.
func (b *broadcast) publish(ctx context.Context, req *Request) *Error {
	c, pc := b.client, &b.out.call
	awaited := req.kind == KindBroadcast
	r := protocol.Request{
		ContentType: req.contentType, CorrelationID: b.id(), MessageID: req.id, Attempt: req.attempt, Header: req.header.clone(),
		Deadline: c.timeOf(pc.expiry), UserID: c.user,
	}
	if req.packed != nil {
		r.ContentEncoding = nameOf(req.packed.encoding)
	}
	if awaited {
		r.Deadline, r.Heartbeat = deadlineOf(ctx), pc.send.liveness
		r.AcceptEncoding = pc.acceptEncoding()
	}
	m := &messaging.ControlMessage{Key: protocol.BroadcastKey(req.queue), ID: r.CorrelationID, Body: req.wire()}
	m.Properties = func() []byte {
		if !b.send() {
			return nil
		}
		if awaited {
			r.ReplyTo = c.streams.address()
		}
		return r.AppendMeant(nil, time.Now(), req.queue)
	}
	type result struct {
		fate messaging.Fate
		err  error
	}
	results := make(chan result, 1)
	if !c.task(func() {
		fate, err := c.broker.Control.Publish(ctx, m)
		results <- result{fate, err}
	}) {
		return errClosed(req.queue, OutcomeNotSent)
	}
	select {
	case got := <-results:
		return b.published(ctx, req, got.fate, got.err)
	case <-ctx.Done(): // a broker that takes nothing does not hold up the caller
		return b.unpublished(ctx, req)
	case <-b.stopped: // an answer came before the broker's confirm
		return nil
	}
}

// send notes that the request is about to be written. False: nobody wants that any more.
func (b *broadcast) send() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = !b.over
	return b.sent
}

// unsend notes that the request has reached nobody.
func (b *broadcast) unsend() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = false
}

// heard reports whether an instance has accepted.
func (b *broadcast) heard() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.instances) > 0
}

// published is the error of a request that the broker has not routed, else nil.
func (b *broadcast) published(ctx context.Context, req *Request, fate messaging.Fate, err error) *Error {
	c := b.client
	fail := func(code Code, outcome Outcome, text string) *Error {
		if outcome != OutcomeUnknown {
			b.unsend()
		}
		return localError(code, outcome, req.queue, "%s: %w", text, err)
	}
	limit, tooLarge := messaging.TooLarge(err)
	switch {
	case fate == messaging.Routed:
		c.stats.broadcasts.Add(1)
		return nil
	case fate == messaging.Unsure && b.heard(): // an accept says the same as a confirm
		c.stats.broadcasts.Add(1)
		return nil
	case ctx.Err() != nil:
		return b.unpublished(ctx, req)
	case fate == messaging.Unrouted:
		c.stats.returned.Add(1)
		return nobody(fail(CodeUnavailable, OutcomeNotExecuted, "no server takes broadcasts of the queue: has one registered a handler WithBroadcast?"))
	case fate == messaging.Unsent:
		return fail(CodeUnavailable, OutcomeNotSent, "the broadcast could not be sent")
	case messaging.Code(err) == messaging.CodeNotFound:
		return nobody(fail(CodeUnavailable, OutcomeNotExecuted, "no server has ever taken broadcasts on this virtual host"))
	case messaging.Code(err) == messaging.CodeAccessRefused:
		return fail(CodePermissionDenied, OutcomeNotExecuted, "the user may not send broadcasts; grant it write on "+protocol.ControlExchange)
	case tooLarge && len(req.wire()) > limit:
		lowerTo(&c.maxBody, limit)
		b.unsend()
		return errTooLarge(req, len(req.wire()), limit, OutcomeNotExecuted)
	case fate == messaging.Refused:
		c.stats.nacked.Add(1)
		return fail(CodeUnavailable, OutcomeUnknown, "the broker did not take the broadcast")
	default:
		b.cancel()
		return fail(CodeUnavailable, OutcomeUnknown, "the connection was lost before the broker confirmed the broadcast")
	}
}

// unpublished is the error of a request whose ctx is done before the broker has answered.
func (b *broadcast) unpublished(ctx context.Context, req *Request) *Error {
	b.mu.Lock()
	outcome := OutcomeUnknown
	if !b.sent {
		outcome = OutcomeNotSent
	}
	b.mu.Unlock()
	return b.ended(ctx, req, outcome, "before the broker confirmed the broadcast")
}

// ended is the error of a broadcast whose ctx is done.
func (b *broadcast) ended(ctx context.Context, req *Request, outcome Outcome, when string) *Error {
	if req.kind == KindBroadcast && !errors.Is(ctx.Err(), context.DeadlineExceeded) { // the deadline travels with the request
		b.cancel()
	} else {
		b.end()
	}
	if b.client.isClosed() {
		return errClosed(req.queue, outcome)
	}
	return ended(ctx, req.queue, outcome, when)
}
