package protocol

import (
	"encoding/binary"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// AppendRequeued adds the property list of the copy of a received request that
// goes to the tail of its queue at now. The copy has an rpc-deliveries, and the
// time that is left as its expiration. It has no CC and BCC.
//
// The broker compares its user id with that of the server that publishes it, own. So the
// copy has that user id, and the caller's in rpc-user-id. If one of the two is not known,
// the copy has neither.
func (r *Request) AppendRequeued(dst []byte, deliveries int, own string, now time.Time) []byte {
	caller := r.Caller(own)
	p := beginProperties(dst)
	p.short(frame.FlagContentType, r.ContentType)
	p.short(frame.FlagContentEncoding, r.ContentEncoding)
	p.beginHeaders()
	for name, v := range frame.Fields(r.received.fields()) {
		switch string(name) {
		case headerCC, headerBCC, headerDeliveries, headerUserID:
		default:
			p.dst = frame.AppendValueField(p.dst, name, v)
		}
	}
	p.dst = frame.AppendInt32Field(p.dst, headerDeliveries, int32(min(max(deliveries, 1), maxDeliveries)))
	if own != "" && caller != "" {
		p.dst = frame.AppendStringField(p.dst, headerUserID, caller)
	}
	p.endHeaders()
	p.octet(frame.FlagDeliveryMode, r.DeliveryMode)
	p.octet(frame.FlagPriority, r.Priority)
	p.short(frame.FlagCorrelationID, r.CorrelationID)
	p.short(frame.FlagReplyTo, r.ReplyTo)
	if r.Expires >= 0 {
		left := r.Expires.Milliseconds()
		if r.Stated >= 0 {
			left = min(left, max(time.UnixMilli(r.Stated).Sub(now).Milliseconds(), 1))
		}
		p.expiration(left)
	}
	p.short(frame.FlagMessageID, r.MessageID)
	if !r.Timestamp.IsZero() {
		p.flags |= frame.FlagTimestamp
		p.dst = binary.BigEndian.AppendUint64(p.dst, uint64(r.Timestamp.Unix()))
	}
	p.short(frame.FlagType, r.Type)
	if caller != "" {
		p.short(frame.FlagUserID, own)
	}
	p.short(frame.FlagAppID, r.AppID)
	return p.end()
}
