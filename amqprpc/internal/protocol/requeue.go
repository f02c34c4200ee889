package protocol

import (
	"encoding/binary"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// AppendRequeued adds the property list of the copy of a received request that
// goes to the tail of its queue at now. The copy has an rpc-deliveries, and the
// time that is left as its expiration. It has no user id, which the broker would
// compare with the server's, and no CC and BCC.
func (r *Request) AppendRequeued(dst []byte, deliveries int, now time.Time) []byte {
	p := beginProperties(dst)
	p.short(frame.FlagContentType, r.ContentType)
	p.short(frame.FlagContentEncoding, r.ContentEncoding)
	p.beginHeaders()
	for name, v := range frame.Fields(r.received.fields()) {
		switch string(name) {
		case headerCC, headerBCC, headerDeliveries:
		default:
			p.dst = frame.AppendValueField(p.dst, name, v)
		}
	}
	p.dst = frame.AppendInt32Field(p.dst, headerDeliveries, int32(min(max(deliveries, 1), maxDeliveries)))
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
	p.short(frame.FlagAppID, r.AppID)
	return p.end()
}
