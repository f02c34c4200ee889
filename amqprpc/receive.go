package amqprpc

import (
	"fmt"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
	"github.com/bbebcec1/amqprpc-go/codec"
)

// receive takes a message from the reply queue, on the goroutine that reads the
// connection.
func (c *Client) receive(m *messaging.Message) {
	bounced := m.Exchange == protocol.BounceExchange
	if protocol.IsStream(&m.Properties) && !bounced {
		c.streams.receive(m)
		return
	}
	if bounced || !protocol.IsBatch(&m.Properties) {
		c.dispatch(m, bounced)
		return
	}
	var bodies bodies
	whole := protocol.EachReply(m.Body, func(properties, body []byte) {
		// Alone they would have had to fit a frame.
		m.Malformed = len(properties) > batchedPropertiesMost || m.Properties.Parse(properties) != nil
		m.Body = bodies.clone(body)
		c.dispatch(m, false)
	})
	if !whole {
		c.stats.unknown.Add(1)
	}
}

// receiveBoxed takes a message from the queue that a client of direct reply-to has for
// streams.
func (c *Client) receiveBoxed(m *messaging.Message) {
	if protocol.IsStream(&m.Properties) {
		c.streams.receive(m)
		return
	}
	c.dispatch(m, false) // the answer to a request that opens a stream
}

// batchedPropertiesMost is the largest frame_max that is ever agreed on.
const batchedPropertiesMost = 128 << 10

// dispatch hands one reply to the call that it answers.
func (c *Client) dispatch(m *messaging.Message, bounced bool) {
	pc, n, ours := c.find(m.Properties.CorrelationID)
	if pc == nil && !bounced && c.receiveAnswer(m) {
		return
	}
	if !ours || m.Malformed {
		c.stats.unknown.Add(1)
		return
	}
	var got protocol.Reply
	got.Parse(&m.Properties, &c.types)
	if got.Heartbeat > 0 && !bounced { // a request that came back may have asked for heartbeats
		if pc != nil {
			pc.gotHeartbeat(n, got.Heartbeat)
		}
		return
	}
	if pc == nil {
		c.late(m)
		return
	}
	if t := pc.req.timing(); t != nil && got.Timing != nil {
		t.answered(got.Timing)
	}
	r := reply{
		about: got.ContentType, encoding: got.ContentEncoding, outcome: outcomeFromWire(got.Outcome), again: int32(got.RetryAfter.Milliseconds()),
		headers: got.Received, body: m.Body,
	}
	switch {
	case bounced:
		r.kind, r.about = replyBounced, got.DeathReason
	case got.IsError:
		r.kind, r.about = replyError, got.Code
	}
	switch pc.deliver(n, &r) {
	case deliveredRepeated:
		c.stats.repeated.Add(1)
	case deliveredStale:
		c.late(m)
	}
}

// late counts a reply that nobody waits for. After a reconnection, the broker redelivers
// replies that were not acknowledged, and these are not counted.
func (c *Client) late(m *messaging.Message) {
	if !m.Redelivered {
		c.stats.late.Add(1)
	}
}

// returned ends the attempt that no queue took. The return of a message comes before
// its confirm.
func (c *Client) returned(m *messaging.Message) {
	c.stats.returned.Add(1)
	pc, n, _ := c.find(m.Properties.CorrelationID)
	if pc == nil {
		return
	}
	a := pc.inFlight()
	if a == nil || int(a.n) != n {
		return
	}
	if pc.req.address() != pc.req.queue {
		a.settle(nobody(localError(CodeUnavailable, OutcomeNotExecuted, pc.req.queue,
			"there is no such instance (%d %s): it has stopped, or died a while ago", m.ReturnCode, m.ReturnText)))
	} else {
		a.settle(localError(CodeUnavailable, OutcomeNotExecuted, m.Key,
			"there is no such queue (%d %s): has a server registered it on this virtual host?", m.ReturnCode, m.ReturnText))
	}
}

// finish turns the result of an attempt into what the chain returns.
func (c *Client) finish(req *Request, r result) (*Response, *Error) {
	resp, err := c.read(req, r)
	if err != nil && (err.outcome == OutcomeNotSent || err.outcome == OutcomeNotExecuted) && req.out.call.inFlight().resent {
		err.outcome = OutcomeUnknown // it is known of this attempt, and not of the one before
	}
	return resp, err
}

func (c *Client) read(req *Request, r result) (*Response, *Error) {
	if r.err != nil {
		return nil, r.err
	}
	if r.accepted {
		return acceptedResponse, nil
	}
	if req.kind == KindNotification {
		return &Response{codec: req.codec, contentType: req.contentType}, nil
	}
	d := &r.reply
	if d.kind == replyBounced {
		return nil, bounced(req.queue, d.about)
	}
	req.replyHeader = protocol.Metadata(d.headers)
	if d.kind == replyError {
		return nil, remoteError(req.queue, d, c.cfg.conn.maxMessageSize)
	}
	contentType, cd, body, err := c.decoder(req, d)
	if err != nil {
		return nil, err
	}
	resp := &req.out.resp
	*resp = Response{header: req.replyHeader, contentType: contentType, body: body, encoded: true, codec: cd, req: req}
	return resp, nil
}

// decoder returns the content type of a result, what decodes it, and its body without
// compression.
func (c *Client) decoder(req *Request, d *reply) (contentType string, cd codec.Codec, body []byte, err *Error) {
	if limit := c.cfg.conn.maxMessageSize; len(d.body) > limit {
		return "", nil, nil, localError(CodeResourceExhausted, OutcomeExecuted, req.queue,
			"the reply has %d bytes; the limit is %d (WithMaxMessageSize)", len(d.body), limit)
	}
	if body, err = c.plainReply(req, d); err != nil {
		return "", nil, nil, err
	}
	contentType = d.about
	if cd = c.replyCodec(req, contentType); cd == nil {
		return "", nil, nil, localError(CodeInternal, OutcomeExecuted, req.queue,
			"the reply's content type %q is none that this client decodes (WithCodec)", contentType)
	}
	if contentType == "" {
		contentType = cd.ContentType()
	}
	return contentType, cd, body, nil
}

// remoteError reads the error that a server answered with. Whatever its body is, it has
// the code and the outcome of its headers.
func remoteError(queue string, r *reply, limit int) *Error {
	e := &Error{}
	if len(r.body) > limit {
		e.message = fmt.Sprintf("the server's error cannot be read: it has %d bytes; the limit is %d (WithMaxMessageSize)", len(r.body), limit)
	} else if e.UnmarshalJSON(r.body) != nil {
		e.message = "the server's error could not be read"
	}
	e.code = codeFromWire(r.about)
	e.remote, e.queue, e.outcome = true, queue, r.outcome
	e.again = time.Duration(r.again) * time.Millisecond
	return e
}

// bounced is the error of a request that came back instead of its answer.
func bounced(queue, reason string) *Error {
	code := CodeAborted
	switch reason {
	case "expired":
		code = CodeDeadlineExceeded
	case "maxlen":
		code = CodeResourceExhausted
	}
	return localError(code, OutcomeUnknown, queue, "the request came back from the queue: %s", reason)
}

// bodies clones the bodies of a batch: whoever keeps one of its replies is not to
// keep them all. Short ones share memory.
type bodies struct{ room []byte }

// bodiesTogether is how much memory short bodies share.
const bodiesTogether = 64

func (b *bodies) clone(body []byte) []byte {
	if cap(b.room)-len(b.room) < len(body) {
		b.room = make([]byte, 0, max(len(body), bodiesTogether))
	}
	at := len(b.room)
	b.room = append(b.room, body...)
	return b.room[at:len(b.room):len(b.room)]
}
