package protocol

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// ErrStream says that a request opens a stream of a kind that is not known here.
var ErrStream = errors.New("the request opens a stream of an unknown kind (rpc-stream)")

// VersionError says that a request is of a later version of the protocol.
type VersionError struct{ Version int64 }

func (e *VersionError) Error() string {
	return fmt.Sprintf("version %d of the protocol is not spoken here; %d is", e.Version, Version)
}

// FieldError says that a header is of the wrong type or out of bounds.
type FieldError struct {
	Header string
	Is     string // its type, or its value and type
	Want   string
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("the header %s is %s, not %s", e.Header, e.Is, e.Want)
}

// control is the headers of a request that mean something here, as they were sent.
type control struct {
	version, stream, token, window, attempt, batches, heartbeat, deadline, deliveries, count, client, userID, accept, timing frame.Value
}

// find looks for the headers. Of a name that comes twice the last one counts.
func (c *control) find(fields []byte) {
	for name, v := range frame.Fields(fields) {
		switch string(name) {
		case headerVersion:
			c.version = v
		case headerStream:
			c.stream = v
		case headerToken:
			c.token = v
		case headerWindow:
			c.window = v
		case headerAttempt:
			c.attempt = v
		case headerBatches:
			c.batches = v
		case headerHeartbeat:
			c.heartbeat = v
		case headerDeadline:
			c.deadline = v
		case headerDeliveries:
			c.deliveries = v
		case headerDeliveryCount:
			c.count = v
		case headerClient:
			c.client = v
		case headerUserID:
			c.userID = v
		case headerAccept:
			c.accept = v
		case headerTiming:
			c.timing = v
		}
	}
}

// Parse reads a received request. It sets all that can be read, and returns the
// first thing for which the request must be refused: a *[FieldError], a
// *[VersionError] or [ErrStream].
func (r *Request) Parse(p *frame.Properties, s *Interner) error {
	*r = Request{
		ContentType: s.String(p.ContentType), ContentEncoding: s.String(p.ContentEncoding),
		CorrelationID: string(p.CorrelationID), ReplyTo: s.String(p.ReplyTo),
		DeliveryMode: p.DeliveryMode, Priority: p.Priority, Attempt: 1,
		Expires: parseExpiration(p.Expiration), Stated: -1, DeliveryCount: -1,
		Type: s.String(p.Type), UserID: s.String(p.UserID), AppID: s.String(p.AppID),
	}
	if r.MessageID = r.CorrelationID; r.MessageID != string(p.MessageID) {
		r.MessageID = string(p.MessageID)
	}
	if p.Has(frame.FlagTimestamp) {
		r.Timestamp = time.Unix(int64(p.Timestamp), 0)
	}
	r.received.keep(p.Headers)
	if len(p.Headers) == 0 {
		return nil
	}
	var c control
	c.find(p.Headers)
	if n, ok := c.deliveries.Int(); ok {
		r.Deliveries = int(min(max(n, 1), maxDeliveries))
	}
	if n, ok := c.count.Int(); ok {
		r.DeliveryCount = int(min(max(n, 0), maxDeliveries))
	}
	if text, ok := c.client.Text(); ok {
		r.Client = s.String(text)
	}
	if text, ok := c.accept.Text(); ok {
		r.AcceptEncoding = s.String(text)
	}
	if c.userID != nil {
		text, _ := c.userID.Text()
		r.copied, r.copiedUserID = true, s.String(text)
	}
	return r.control(&c)
}

// control reads the headers that can be wrong, all of them, and returns the first
// error.
func (r *Request) control(c *control) (first error) {
	refuse := func(err error) {
		if first == nil {
			first = err // nil, too
		}
	}
	if c.version != nil {
		if n, ok := c.version.Int(); !ok {
			refuse(&FieldError{headerVersion, typeOf(c.version), "an integer"})
		} else if n > Version {
			refuse(&VersionError{n})
		}
	}
	if c.stream != nil {
		refuse(r.Opening.parse(c))
	}
	if c.attempt != nil {
		if n, ok := c.attempt.Int(); !ok || n < 1 || n > maxAttempt {
			refuse(&FieldError{headerAttempt, valueOf(c.attempt), "a positive integer"})
		} else {
			r.Attempt = int(n)
		}
	}
	if c.batches != nil {
		is, ok := c.batches.Bool()
		if r.Batches = is && ok; !ok {
			refuse(&FieldError{headerBatches, typeOf(c.batches), "a boolean"})
		}
	}
	if c.timing != nil {
		is, ok := c.timing.Bool()
		if r.Timing = is && ok; !ok {
			refuse(&FieldError{headerTiming, typeOf(c.timing), "a boolean"})
		}
	}
	if c.heartbeat != nil && r.ReplyTo != "" {
		if n, ok := c.heartbeat.Int(); !ok || n < 1 || n > maxMillis {
			refuse(&FieldError{headerHeartbeat, valueOf(c.heartbeat), "a positive integer (milliseconds)"})
		} else {
			r.Heartbeat = clampHeartbeat(time.Duration(n) * time.Millisecond)
		}
	}
	if c.deadline != nil {
		if n, ok := c.deadline.Int(); !ok {
			refuse(&FieldError{headerDeadline, typeOf(c.deadline), "an integer (milliseconds since 1970)"})
		} else {
			r.Stated = min(max(n, 0), maxStated)
		}
	}
	return first
}

// parseExpiration is what an expiration says, -1 if there is none or RabbitMQ would
// not have taken it.
func parseExpiration(b []byte) time.Duration {
	if len(b) == 0 {
		return -1
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil || n < 0 || n > maxMillis {
		return -1
	}
	return time.Duration(n) * time.Millisecond
}

// typeOf names a value's type for an error, in the words of AMQP.
func typeOf(v frame.Value) string {
	switch v.Decode().(type) {
	case nil:
		return "void"
	case bool:
		return "a boolean"
	case int8, uint8, int16, uint16, int32, uint32, int64:
		return "an integer"
	case float32, float64:
		return "a floating-point number"
	case string:
		return "a string"
	case []byte:
		return "a byte array"
	case frame.Table:
		return "a table"
	case []any:
		return "an array"
	case frame.Timestamp:
		return "a timestamp"
	default:
		return "a decimal"
	}
}

// valueOf names a value and its type for an error, if the value is short.
func valueOf(v frame.Value) string {
	switch d := v.Decode().(type) {
	case string:
		return fmt.Sprintf("%.32q (a string)", d)
	case bool, int8, uint8, int16, uint16, int32, uint32, int64, float32, float64:
		return fmt.Sprintf("%v (%s)", d, typeOf(v))
	default:
		return typeOf(v)
	}
}
