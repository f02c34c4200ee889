package amqprpc

import (
	"maps"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// reply turns what the chain returned into what is done with the delivery, and into the error
// that the caller gets, if any. A panic of an error's own methods is an error like a handler's.
func (in *inbound) reply(resp *Response, err error) (done messaging.Done, failure *Error) {
	req := &in.req
	// The handler may have left a goroutine that still writes to the metadata.
	h := req.replyHeader.clone()
	defer func() {
		if p := recover(); p != nil {
			failure = in.endpoint.server.panicked(in.endpoint.queue, p)
			done = in.errorReply(failure, in.outcome(failure), h)
		}
	}()
	if err != nil {
		failure = asWireError(err)
		return in.errorReply(failure, in.outcome(err), h), failure
	}
	if req.kind == KindNotification {
		return in.done(), nil
	}
	body, _ := resp.Body() // the chain's seal has looked at the error
	h = resp.over(h)
	fail := func(code Code, format string, args ...any) (messaging.Done, *Error) {
		e := Errorf(code, format, args...)
		return in.errorReply(e, OutcomeExecuted, nil), e
	}
	most, limit := in.endpoint.server.cfg.conn.maxMessageSize, int(in.endpoint.server.maxBody.Load())
	wire, encoding := in.compressReply(body)
	switch herr := in.checkHeader(h); {
	case herr != nil:
		return fail(CodeInternal, "the reply's metadata cannot be sent: %w", herr)
	case len(body) > most:
		return fail(CodeResourceExhausted, "the reply has %d bytes; the limit is %d", len(body), most)
	case len(wire) > limit:
		return fail(CodeResourceExhausted, "the reply has %d bytes; the limit is %d", len(wire), limit)
	case resp.contentType == protocol.BatchContentType:
		return fail(CodeInternal, "the reply's content type %s is the protocol's own", protocol.BatchContentType)
	case len(resp.contentType) > protocol.MaxShortString:
		return fail(CodeInternal, "the reply's content type has %d bytes; AMQP allows %d", len(resp.contentType), protocol.MaxShortString)
	}
	return in.replyWith(protocol.Reply{ContentType: resp.contentType, ContentEncoding: nameOf(encoding), Header: h}, wire), nil
}

// outcome is what an error that ends the chain says of the request.
func (in *inbound) outcome(err error) Outcome {
	switch stated, ok := errorIn(err); {
	case in.started && in.finished:
		return OutcomeExecuted
	case in.started:
		return OutcomeUnknown
	case ok && stated.stated && (stated.outcome == OutcomeExecuted || stated.outcome == OutcomeUnknown):
		return stated.outcome
	case max(in.deliveries, in.message.Deliveries) <= 1 && !in.redelivered:
		return OutcomeNotExecuted
	default:
		return OutcomeUnknown
	}
}

// checkHeader reports what keeps metadata from being sent with a reply.
func (in *inbound) checkHeader(h Header) error {
	if err := protocol.CheckHeader(h); err != nil {
		return err
	}
	return headerFits(h, in.FrameMax())
}

// errorReply answers with an error. A notification's goes to nobody.
func (in *inbound) errorReply(e *Error, outcome Outcome, h Header) messaging.Done {
	if in.message.ReplyTo == "" {
		return in.done()
	}
	if in.checkHeader(h) != nil {
		h = nil // the error itself matters more
	}
	e = e.known()
	done := in.replyWith(protocol.Reply{
		ContentType: "application/json", Header: h,
		IsError: true, Code: string(e.code), Outcome: outcome.String(), RetryAfter: e.again,
	}, envelopeWithin(e, int(in.endpoint.server.maxBody.Load())))
	// Another server might decide otherwise if the request came back for want of its
	// acknowledgement.
	done.SettleFirst = outcome == OutcomeNotExecuted
	return done
}

// count counts the end of the request. err is nil if it has none.
func (in *inbound) count(err *Error, refused bool) {
	if err != nil {
		in.endpoint.server.stats.failed.add(err.code)
	}
	in.endpoint.tally.end(err, refused)
}

// over returns the metadata of the response, over what the handler has put into h.
func (r *Response) over(h Header) Header {
	if h == nil {
		return r.header.clone()
	}
	maps.Copy(h, r.header)
	return h
}

// known returns the error under a code that callers know. A code of the handler's making means
// nothing to them, and may be of any length.
func (e *Error) known() *Error {
	code := codeFromWire(string(e.code))
	if code == e.code {
		return e
	}
	known := *e
	known.code = code
	return &known
}

func (in *inbound) replyWith(r protocol.Reply, body []byte) messaging.Done {
	done := in.done()
	r.CorrelationID, r.Instance = in.message.ReplyID(), in.mailbox()
	if in.message.Timing {
		r.Timing = &protocol.Timing{Queued: in.waited + in.taken.Sub(in.arrived), Handler: time.Since(in.taken)}
	}
	done.To, done.Reply, done.Body, done.Join = in.message.ReplyTo, r, body, in.message.Batches
	return done
}

// done ends a request that needs no reply.
func (in *inbound) done() messaging.Done { return messaging.Done{Reject: in.deadLetter && !in.Acked()} }
