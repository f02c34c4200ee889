package amqprpc

import (
	"encoding/json"
	"errors"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// reply turns what the chain returned into what is done with the delivery.
func (q *servedQueue) reply(req *Request, resp *Response, err error) *completion {
	in := req.in
	if err != nil {
		return q.errorReply(in, asWireError(err), in.outcome(err), req.replyHeader)
	}
	if req.kind == Notification {
		return in.completed()
	}
	body, _ := resp.Body() // the chain's seal has looked at the error
	h := req.replyHeader
	if h == nil {
		h = resp.header
	} else {
		h = h.clone()
		for name, v := range resp.header {
			h[name] = v
		}
	}
	fail := func(code Code, format string, args ...any) *completion {
		return q.errorReply(in, Errorf(code, format, args...), OutcomeExecuted, nil)
	}
	limit := q.server.cfg.conn.maxMessageSize
	switch herr := q.checkReply(in, h); {
	case herr != nil:
		return fail(CodeInternal, "the reply's metadata cannot be sent: %w", herr)
	case len(body) > limit:
		return fail(CodeResourceExhausted, "the reply has %d bytes; the limit is %d", len(body), limit)
	case resp.contentType == contentTypeBatch:
		return fail(CodeInternal, "the reply's content type %s is the protocol's own", contentTypeBatch)
	case len(resp.contentType) > maxShortString:
		return fail(CodeInternal, "the reply's content type has %d bytes; AMQP allows %d", len(resp.contentType), maxShortString)
	}
	var headers amqp.Table
	if len(h) > 0 {
		headers = make(amqp.Table, len(h))
		h.into(headers)
	}
	return q.replyWith(in, amqp.Publishing{Headers: headers, ContentType: resp.contentType, Body: body})
}

// outcome is what an error that ends the chain tells of the request.
func (in *inbound) outcome(err error) Outcome {
	switch stated, ok := errors.AsType[*Error](err); {
	case in.started && in.finished:
		return OutcomeExecuted
	case in.started:
		return OutcomeUnknown
	case ok && stated.stated && stated.outcome != OutcomeNotExecuted:
		return stated.outcome
	case in.deliveries <= 1 && !in.d.Redelivered:
		return OutcomeNotExecuted
	default:
		return OutcomeUnknown
	}
}

// checkReply says what keeps metadata from being sent with a reply.
func (q *servedQueue) checkReply(in *inbound, h Header) error {
	if err := h.check(); err != nil {
		return err
	}
	return h.fits(in.lane.link.conn.Config.FrameSize)
}

// errorReply answers with an error. A notification's goes to nobody.
func (q *servedQueue) errorReply(in *inbound, e *Error, outcome Outcome, h Header) *completion {
	if in.d.ReplyTo == "" {
		return in.completed()
	}
	if q.checkReply(in, h) != nil {
		h = nil // the error itself matters more
	}
	headers := make(amqp.Table, len(h)+2)
	h.into(headers)
	headers[headerCode] = string(e.code)
	headers[headerOutcome] = outcome.String()
	// Of a request that comes back for want of its acknowledgement another server may
	// think better.
	in.work.before = outcome == OutcomeNotExecuted || outcome == OutcomeNotSent
	return q.replyWith(in, amqp.Publishing{
		Headers: headers, ContentType: "application/json",
		Body: envelopeWithin(e, q.server.cfg.conn.maxMessageSize),
	})
}

// envelopeWithin encodes an error, in no more than limit bytes: details go
// first, then the end of the message.
func envelopeWithin(e *Error, limit int) []byte {
	if body, err := json.Marshal(e); err == nil && len(body) <= limit {
		return body
	}
	// Details were encoded when they were added, so only size can be the matter;
	// a byte of text takes at most six of JSON.
	short := Error{code: e.code, message: strings.ToValidUTF8(e.message[:min(len(e.message), limit/12)], "")}
	body, _ := json.Marshal(&short)
	return body
}

func (q *servedQueue) replyWith(in *inbound, p amqp.Publishing) *completion {
	p.CorrelationId = in.correlationID()
	in.work.to, in.work.reply, in.work.join = in.d.ReplyTo, p, in.batches
	return in.completed()
}

// completed is the end of the request: the reply, if there is one, and what is
// done with the delivery.
func (in *inbound) completed() *completion {
	if !in.acked.Load() {
		in.work.tag, in.work.reject = in.d.DeliveryTag, in.deadLetter
	}
	in.work.final = in.lane
	return &in.work
}
