package protocol

import (
	"strconv"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// Request is the properties of a request. A Request that was parsed keeps nothing
// of the memory that it was parsed from.
type Request struct {
	ContentType     string
	ContentEncoding string
	CorrelationID   string // of the attempt
	MessageID       string // of the call
	ReplyTo         string // none: a notification
	DeliveryMode    uint8  // Persistent, or 0
	Priority        uint8
	Attempt         int           // 0 is taken for 1, the first
	Batches         bool          // the caller understands batches
	Heartbeat       time.Duration // the caller wants heartbeats; 0: none
	Client          string        // whom to bounce the request to
	AcceptEncoding  string        // the content encodings that the reply may have, with commas between them
	Timing          bool          // the caller wants to know how long the server takes
	UserID          string        // of the publisher, which the broker checks; see Caller
	Opening         Opening       // of a request that opens a stream

	// For Append only.
	Deadline time.Time         // the zero time is none
	Header   map[string]string // the user's metadata, which CheckHeader accepts

	// Set by Parse only.
	Expires       time.Duration // what the expiration says; -1 if there is none
	Stated        int64         // what rpc-deadline says, in milliseconds since 1970 and at least 0; -1 if there is none
	Deliveries    int           // what rpc-deliveries says; 0 if there is none
	DeliveryCount int           // what x-delivery-count says; -1 if there is none
	Timestamp     time.Time
	Type          string
	AppID         string
	copied        bool   // there is an rpc-user-id
	copiedUserID  string // what it says

	received receivedHeaders
}

// Persistent is the DeliveryMode of a message that survives the broker's restart.
const Persistent uint8 = 2

// receivedHeaders keeps the encoded headers of a received request. Most requests
// have but an rpc-deadline and an rpc-batches, which fit into room.
type receivedHeaders struct {
	large []byte
	short uint8 // octets in room
	room  [64]byte
}

func (h *receivedHeaders) keep(fields []byte) {
	h.large, h.short = nil, 0
	if len(fields) <= len(h.room) {
		h.short = uint8(copy(h.room[:], fields))
		return
	}
	h.large = append(h.large, fields...)
}

func (h *receivedHeaders) fields() []byte {
	if h.large != nil {
		return h.large
	}
	return h.room[:h.short]
}

// Append adds the property list of a request that is published at now. It
// allocates nothing where dst has room.
func (r *Request) Append(dst []byte, now time.Time) []byte { return r.AppendMeant(dst, now, "") }

// AppendMeant is Append for a request that goes to a server's mailbox, and is meant for the
// handler of a queue.
func (r *Request) AppendMeant(dst []byte, now time.Time, queue string) []byte {
	var expiration, stated int64
	if !r.Deadline.IsZero() {
		expiration, stated = timeLeft(r.Deadline, now)
	}
	if r.Opening.Stream != "" { // the expiration bounds the wait for the accept only
		stated = -1
		if !r.Opening.Deadline.IsZero() {
			_, stated = timeLeft(r.Opening.Deadline, now)
		}
	}
	p := beginProperties(dst)
	p.short(frame.FlagContentType, r.ContentType)
	p.short(frame.FlagContentEncoding, r.ContentEncoding)
	p.beginHeaders()
	if expiration > 0 && stated >= 0 {
		p.dst = frame.AppendInt64Field(p.dst, headerDeadline, stated)
	}
	r.Opening.append(&p)
	if queue != "" {
		p.dst = frame.AppendStringField(p.dst, headerQueue, queue)
	}
	if r.Batches {
		p.dst = frame.AppendBoolField(p.dst, headerBatches, true)
	}
	if r.Attempt > 1 {
		p.dst = frame.AppendInt32Field(p.dst, headerAttempt, int32(min(r.Attempt, maxAttempt)))
	}
	if r.Heartbeat > 0 {
		p.dst = frame.AppendInt64Field(p.dst, headerHeartbeat, clampHeartbeat(r.Heartbeat).Milliseconds())
	}
	if r.Client != "" {
		p.dst = frame.AppendStringField(p.dst, headerClient, r.Client)
	}
	if r.AcceptEncoding != "" {
		p.dst = frame.AppendStringField(p.dst, headerAccept, r.AcceptEncoding)
	}
	if r.Timing {
		p.dst = frame.AppendBoolField(p.dst, headerTiming, true)
	}
	p.metadata(r.Header)
	p.endHeaders()
	p.octet(frame.FlagDeliveryMode, r.DeliveryMode)
	p.octet(frame.FlagPriority, r.Priority)
	p.short(frame.FlagCorrelationID, r.CorrelationID)
	p.short(frame.FlagReplyTo, r.ReplyTo)
	if expiration > 0 {
		p.expiration(expiration)
	}
	p.short(frame.FlagMessageID, r.MessageID)
	p.short(frame.FlagUserID, r.UserID)
	return p.end()
}

// ReplyID is the correlation id of the reply.
func (r *Request) ReplyID() string {
	if r.CorrelationID != "" {
		return r.CorrelationID
	}
	return r.MessageID
}

// CallID names the call; it is empty if the request has no id at all.
func (r *Request) CallID() string {
	if r.MessageID != "" {
		return r.MessageID
	}
	return r.CorrelationID
}

// Caller is the user who published a received request, as the broker has checked it; ""
// is nobody knows. The user_id of a copy is the server's that made it, and the copy names
// the caller in rpc-user-id. That counts only if the copy is of the same user as this
// server, own: anybody can set the header.
func (r *Request) Caller(own string) string {
	switch {
	case !r.copied:
		return r.UserID
	case own != "" && r.UserID == own:
		return r.copiedUserID
	default:
		return ""
	}
}

// End is when the handler of a received request must be done: the earlier of its
// expiration, counted from its arrival on the local clock, and its rpc-deadline,
// for which the sender's clock is trusted up to skew. It is zero if the request
// has neither. The expiration of a request that opens a stream is not the stream's.
func (r *Request) End(arrived time.Time, skew time.Duration) time.Time {
	var end time.Time
	if r.Expires >= 0 && r.Opening.Stream == "" {
		end = arrived.Add(r.Expires)
	}
	if r.Stated >= 0 {
		stated := time.UnixMilli(r.Stated)
		if left := stated.Sub(arrived); left < MaxExpiration {
			stated = arrived.Add(left) // later steps of the clock change nothing
		}
		if stated = stated.Add(skew); end.IsZero() || stated.Before(end) {
			end = stated
		}
	}
	return end
}

// Lag is how much later a received request arrived, by the local clock, than it was
// published by its sender's clock. That is its time in the queue and the difference
// between the clocks. It returns false where the request does not tell, which it does
// not after it was requeued either, or where a clock is wrong by years.
func (r *Request) Lag(arrived time.Time) (time.Duration, bool) {
	if r.Expires < 0 || r.Stated < 0 || r.Deliveries > 0 || r.Opening.Stream != "" {
		return 0, false
	}
	past := arrived.Sub(time.UnixMilli(r.Stated)) // at most the largest Duration
	if past < -MaxExpiration || past > MaxExpiration {
		return 0, false
	}
	return past + r.Expires, true
}

// Expiration is Expires as the wire has it, empty if there is none.
func (r *Request) Expiration() string {
	if r.Expires < 0 {
		return ""
	}
	return strconv.FormatInt(r.Expires.Milliseconds(), 10)
}

// Metadata decodes the user's metadata of a received request.
func (r *Request) Metadata() map[string]string { return Metadata(r.received.fields()) }

// HeaderSize is the number of octets of all headers of a received request, but for
// those that AppendRequeued adds: what one server accepted and requeued, the next one
// accepts.
func (r *Request) HeaderSize() int {
	size := len(r.received.fields())
	if r.Deliveries > 0 {
		size -= 1 + len(headerDeliveries) + 1 + 4
	}
	if r.Deliveries > 0 && r.copied && len(r.copiedUserID) <= MaxShortString {
		size -= 1 + len(headerUserID) + 1 + 4 + len(r.copiedUserID)
	}
	return max(size, 0)
}

// Table decodes all headers of a received request.
func (r *Request) Table() frame.Table {
	t, err := frame.ParseTable(r.received.fields())
	if err != nil {
		return nil
	}
	return t
}
