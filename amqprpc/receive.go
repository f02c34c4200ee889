package amqprpc

import (
	"encoding/json"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// receive takes a message from the reply queue, on the goroutine that reads the
// connection.
func (c *Client) receive(m *messaging.Message) {
	bounced := m.Exchange == protocol.BounceExchange
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

// batchedPropertiesMost is the largest frame_max that is ever agreed on.
const batchedPropertiesMost = 128 << 10

// dispatch hands one reply to the call that it answers.
func (c *Client) dispatch(m *messaging.Message, bounced bool) {
	pc, n, ours := c.find(m.Properties.CorrelationID)
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
	r := reply{
		contentType: got.ContentType, isError: got.IsError, code: got.Code, outcome: outcomeFromWire(got.Outcome),
		bounced: bounced, again: int32(got.RetryAfter.Milliseconds()), headers: got.Received, body: m.Body,
	}
	if bounced {
		r.code = got.DeathReason
	}
	switch pc.deliver(n, &r) {
	case deliveredRepeated:
		c.stats.repeated.Add(1)
	case deliveredStale:
		c.late(m)
	}
}

// late counts a reply that nobody waits for, unless it may have come before: a
// reconnection brings again what was not acknowledged.
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
	if a := pc.inFlight(); a != nil && a.n == n {
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
	if req.kind == KindNotification {
		return &Response{codec: req.codec, contentType: req.contentType}, nil
	}
	d := &r.reply
	if d.bounced {
		return nil, bounced(req.queue, d.code)
	}
	req.replyHeader = protocol.Metadata(d.headers)
	if d.isError {
		return nil, remoteError(req.queue, d)
	}
	cd := c.replyCodec(req, d.contentType)
	if cd == nil {
		return nil, localError(CodeInternal, OutcomeExecuted, req.queue,
			"the reply's content type %q is none that this client decodes (WithCodec)", d.contentType)
	}
	if len(d.body) > c.cfg.conn.maxMessageSize {
		return nil, localError(CodeResourceExhausted, OutcomeExecuted, req.queue,
			"the reply has %d bytes; the limit is %d (WithMaxMessageSize)", len(d.body), c.cfg.conn.maxMessageSize)
	}
	contentType := d.contentType
	if contentType == "" {
		contentType = cd.ContentType()
	}
	resp := &req.out.resp
	*resp = Response{header: req.replyHeader, contentType: contentType, body: d.body, encoded: true, codec: cd, typ: req.respType}
	return resp, nil
}

// remoteError reads the error that a server answered with. One that cannot be read
// is an error all the same, with the code of the header.
func remoteError(queue string, r *reply) *Error {
	e := &Error{}
	if err := json.Unmarshal(r.body, e); err != nil {
		e.message = "the server's error could not be read"
	}
	e.code = codeFromWire(r.code)
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
