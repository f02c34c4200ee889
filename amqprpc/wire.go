package amqprpc

import (
	"encoding/binary"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// appendPublish adds the frames of a message to the default exchange: AMQP
// 0-9-1, 4.2.6. All short strings have been checked to fit.
func appendPublish(dst []byte, channel uint16, frameMax int, key string, mandatory bool, p *amqp.Publishing) []byte {
	frames := 1
	if frameMax > frame.Overhead {
		frames += len(p.Body) / (frameMax - frame.Overhead)
	}
	dst = slices.Grow(dst, len(p.Body)+frames*frame.Overhead+1024)
	var short [256]byte
	m := frame.BasicPublish{RoutingKey: append(short[:0], key...), Mandatory: mandatory}
	dst = m.AppendFrame(dst, channel)
	dst = appendHeader(dst, channel, p)
	return frame.AppendBody(dst, channel, uint32(frameMax), p.Body)
}

// appendHeader adds the content header frame of a message, in place: the length that
// comes first is filled in last.
func appendHeader(dst []byte, channel uint16, p *amqp.Publishing) []byte {
	at := len(dst)
	dst = frame.AppendHeader(dst, channel, uint64(len(p.Body)), []byte{0, 0})
	dst = appendProperties(dst[:len(dst)-3], p) // the end is still to come
	binary.BigEndian.PutUint32(dst[at+3:], uint32(len(dst)-at-frameHead))
	return append(dst, frame.End)
}

// appendProperties adds a message's properties: the flags, and what they announce.
func appendProperties(dst []byte, p *amqp.Publishing) []byte {
	flagsAt := len(dst)
	dst = append(dst, 0, 0)
	var flags frame.Flag
	short := func(f frame.Flag, s string) {
		if s != "" {
			flags |= f
			dst = append(append(dst, byte(len(s))), s...)
		}
	}
	short(frame.FlagContentType, p.ContentType)
	short(frame.FlagContentEncoding, p.ContentEncoding)
	if len(p.Headers) > 0 {
		flags |= frame.FlagHeaders
		dst = appendHeaders(dst, p.Headers)
	}
	if p.DeliveryMode > 0 {
		flags |= frame.FlagDeliveryMode
		dst = append(dst, p.DeliveryMode)
	}
	if p.Priority > 0 {
		flags |= frame.FlagPriority
		dst = append(dst, p.Priority)
	}
	short(frame.FlagCorrelationID, p.CorrelationId)
	short(frame.FlagReplyTo, p.ReplyTo)
	short(frame.FlagExpiration, p.Expiration)
	short(frame.FlagMessageID, p.MessageId)
	if !p.Timestamp.IsZero() {
		flags |= frame.FlagTimestamp
		dst = binary.BigEndian.AppendUint64(dst, uint64(p.Timestamp.Unix()))
	}
	short(frame.FlagType, p.Type)
	short(frame.FlagUserID, p.UserId)
	short(frame.FlagAppID, p.AppId)
	binary.BigEndian.PutUint16(dst[flagsAt:], uint16(flags))
	return dst
}

// appendHeaders adds a table with its length. The values that nearly all headers
// have need no detour through a frame.Table.
func appendHeaders(b []byte, t amqp.Table) []byte {
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	for name, v := range t {
		switch v := v.(type) {
		case string:
			b = append(frame.AppendShortString(b, name), 'S')
			b = frame.AppendLongString(b, v)
		case int64:
			b = append(frame.AppendShortString(b, name), 'l')
			b = binary.BigEndian.AppendUint64(b, uint64(v))
		default:
			b = frame.AppendFields(b, frame.Table{{Key: name, Value: toFrame(v)}})
		}
	}
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

// toFrame turns a field's value as the driver has it into the frame codec's, and
// fromFrame back.
func toFrame(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case amqp.Decimal:
		return frame.Decimal{Scale: v.Scale, Value: uint32(v.Value)}
	case time.Time:
		return frame.Timestamp(v.Unix())
	case amqp.Table:
		t := make(frame.Table, 0, len(v))
		for name, e := range v {
			t = append(t, frame.Field{Key: name, Value: toFrame(e)})
		}
		return t
	case []any:
		a := make([]any, len(v))
		for i, e := range v {
			a[i] = toFrame(e)
		}
		return a
	default:
		return v
	}
}

func fromFrame(v any) any {
	switch v := v.(type) {
	case frame.Decimal:
		return amqp.Decimal{Scale: v.Scale, Value: int32(v.Value)}
	case frame.Timestamp:
		return v.Time()
	case frame.Table:
		return fromTable(v)
	case []any:
		for i, e := range v {
			v[i] = fromFrame(e)
		}
		return v
	default:
		return v
	}
}

func fromTable(t frame.Table) amqp.Table {
	m := make(amqp.Table, len(t))
	for _, f := range t {
		m[f.Key] = fromFrame(f.Value)
	}
	return m
}

// headersOf decodes a message's headers, nil if there are none.
func headersOf(p *frame.Properties) amqp.Table {
	if len(p.Headers) == 0 {
		return nil
	}
	t, err := frame.ParseTable(p.Headers) // checked when the properties were parsed
	if err != nil {
		return nil
	}
	return fromTable(t)
}

// plainHeaders reads headers that are nothing but an rpc-deadline and, or not, an
// rpc-batches, as most requests' are, without making a table.
func plainHeaders(headers []byte) (deadline int64, batches, ok bool) {
	for b := headers; len(b) > 0; {
		name := b[1:]
		name = name[:min(int(b[0]), len(name))]
		value := b[1+len(name):]
		switch {
		case string(name) == headerDeadline && len(value) >= 9 && value[0] == 'l':
			deadline, ok = int64(binary.BigEndian.Uint64(value[1:])), true
			b = value[9:]
		case string(name) == headerBatches && len(value) >= 2 && value[0] == 't':
			batches = value[1] != 0
			b = value[2:]
		default:
			return 0, false, false
		}
	}
	return deadline, batches, ok
}

// recurring remembers strings that come again and again, such as content types
// and reply queues, so that they are made once.
type recurring struct{ seen map[string]string }

const recurringMost = 512

func (r *recurring) of(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s, ok := r.seen[string(b)]; ok {
		return s
	}
	if r.seen == nil || len(r.seen) >= recurringMost {
		r.seen = make(map[string]string)
	}
	s := string(b)
	r.seen[s] = s
	return s
}

// delivery makes the driver's Delivery of a content, without its headers.
func (r *recurring) delivery(c *content) amqp.Delivery {
	p := &c.props
	d := amqp.Delivery{
		ContentType:     r.of(p.ContentType),
		ContentEncoding: r.of(p.ContentEncoding),
		DeliveryMode:    p.DeliveryMode,
		Priority:        p.Priority,
		CorrelationId:   string(p.CorrelationID),
		ReplyTo:         r.of(p.ReplyTo),
		Expiration:      r.of(p.Expiration),
		Type:            r.of(p.Type),
		UserId:          r.of(p.UserID),
		AppId:           r.of(p.AppID),
		DeliveryTag:     c.tag,
		Redelivered:     c.redelivered,
		Exchange:        c.exchange,
		RoutingKey:      c.key,
		Body:            c.body,
	}
	if d.MessageId = d.CorrelationId; d.MessageId != string(p.MessageID) {
		d.MessageId = string(p.MessageID)
	}
	if p.Has(frame.FlagTimestamp) {
		d.Timestamp = time.Unix(int64(p.Timestamp), 0)
	}
	return d
}
