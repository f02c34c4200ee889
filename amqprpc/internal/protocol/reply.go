package protocol

import (
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// Reply is the properties of a reply: a result, an error or a heartbeat. A Reply
// that was parsed keeps nothing of the memory that it was parsed from.
type Reply struct {
	ContentType     string
	ContentEncoding string
	IsError         bool
	Code            string        // of an error
	Outcome         string        // of an error
	RetryAfter      time.Duration // of an error: when to call again; 0 is not said
	Heartbeat       time.Duration // over 0: this is a heartbeat, and the next follows after so long
	Instance        string        // the instance that answers a request to its mailbox
	Timing          *Timing       // of a request that asked for it; nil is not said

	// For Append only.
	CorrelationID string            // Parse leaves it out: the caller has it in the properties
	Header        map[string]string // the user's metadata, which CheckHeader accepts

	// Set by Parse only.
	DeathReason string // of a request that came back: why
	Received    []byte // the encoded headers, for Metadata; nil if there is no metadata among them
}

// Append adds the property list of a reply. It allocates nothing where dst has
// room.
func (r *Reply) Append(dst []byte) []byte {
	p := beginProperties(dst)
	p.short(frame.FlagContentType, r.ContentType)
	p.short(frame.FlagContentEncoding, r.ContentEncoding)
	p.beginHeaders()
	interval := clampHeartbeat(r.Heartbeat)
	if r.Heartbeat > 0 {
		p.dst = frame.AppendInt64Field(p.dst, headerHeartbeat, interval.Milliseconds())
	}
	if r.IsError {
		p.dst = frame.AppendStringField(p.dst, headerCode, r.Code)
		p.dst = frame.AppendStringField(p.dst, headerOutcome, r.Outcome)
		if r.RetryAfter > 0 {
			p.dst = frame.AppendInt64Field(p.dst, headerRetryAfter, retryAfter(r.RetryAfter))
		}
	}
	if r.Instance != "" {
		p.dst = frame.AppendStringField(p.dst, headerInstance, r.Instance)
	}
	if t := r.Timing; t != nil {
		p.dst = frame.AppendInt64Field(p.dst, headerQueueTime, max(t.Queued, 0).Microseconds())
		p.dst = frame.AppendInt64Field(p.dst, headerWorkTime, max(t.Handler, 0).Microseconds())
	}
	p.metadata(r.Header)
	p.endHeaders()
	p.short(frame.FlagCorrelationID, r.CorrelationID)
	if r.Heartbeat > 0 {
		p.expiration(HeartbeatMisses * interval.Milliseconds())
	}
	return p.end()
}

// Parse reads a received reply. It ignores what it does not understand: a code
// that is no string is an error without a code, a time to call again that is no
// integer is not said, and an interval that is no integer is the shortest. A request
// that came back from [BounceExchange] may have a Heartbeat, which means nothing there.
func (r *Reply) Parse(p *frame.Properties, s *Interner) {
	*r = Reply{ContentType: s.String(p.ContentType), ContentEncoding: s.String(p.ContentEncoding)}
	meta := false
	for name, v := range frame.Fields(p.Headers) {
		switch string(name) {
		case headerCode:
			text, _ := v.Text()
			r.IsError, r.Code = true, s.String(text)
		case headerOutcome:
			text, _ := v.Text()
			r.Outcome = s.String(text)
		case headerRetryAfter:
			n, _ := v.Int()
			r.RetryAfter = time.Duration(min(max(n, 0), MaxRetryAfter.Milliseconds())) * time.Millisecond
		case headerHeartbeat:
			n, _ := v.Int()
			r.Heartbeat = clampHeartbeat(time.Duration(min(max(n, 0), maxMillis)) * time.Millisecond)
		case headerInstance:
			text, _ := v.Text()
			r.Instance = string(text)
		case headerQueueTime:
			r.timing().Queued = timeOf(v)
		case headerWorkTime:
			r.timing().Handler = timeOf(v)
		case headerDeathReason:
			text, _ := v.Text()
			r.DeathReason, meta = s.String(text), true
		default:
			meta = meta || !ours(name)
		}
	}
	if meta {
		r.Received = append([]byte(nil), p.Headers...)
	}
}

// Timing is how long a server took for a request.
type Timing struct {
	Queued  time.Duration // in the queue and in the server, before a worker took it
	Handler time.Duration // from then on
}

func (r *Reply) timing() *Timing {
	if r.Timing == nil {
		r.Timing = &Timing{}
	}
	return r.Timing
}

// timeOf reads a time in microseconds. What makes no sense is 0.
func timeOf(v frame.Value) time.Duration {
	n, _ := v.Int()
	return time.Duration(min(max(n, 0), MaxExpiration.Microseconds())) * time.Microsecond
}

// Metadata decodes the user's metadata of a received reply.
func (r *Reply) Metadata() map[string]string { return Metadata(r.Received) }
