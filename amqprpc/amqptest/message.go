package amqptest

import (
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// Decimal is Value divided by ten to the power of Scale.
type Decimal = frame.Decimal

// message is what a publisher sent. It never changes: queues share it.
type message struct {
	exchange  []byte   // its name
	key       []byte   // the routing key
	extra     []string // routing keys from CC and BCC headers
	props     []byte   // the property list, as frame.Properties has it
	body      []byte
	ttl       int64 // nanoseconds from its expiration; negative for none
	priority  uint8
	persisted bool // delivery mode 2
	died      bool // it is a dead letter
	delivered bool // a consumer had it before it died
}

// size is what the message occupies, for the memory limit.
func (m *message) size() int64 {
	const overhead = 256 // of the broker's own structures
	return int64(len(m.key)+len(m.props)+len(m.body)) + overhead
}

// headers are the message's, decoded.
func (m *message) headers() frame.Table {
	var p frame.Properties
	if p.Parse(m.props) != nil {
		return nil
	}
	t, _ := frame.ParseTable(p.Headers)
	return t
}

// public is the message for a test to look at.
func (m *message) public() Message {
	out := Message{Exchange: string(m.exchange), RoutingKey: string(m.key), Body: m.body}
	var p frame.Properties
	if p.Parse(m.props) != nil {
		return out
	}
	headers, _ := frame.ParseTable(p.Headers)
	if p.Has(frame.FlagHeaders) {
		out.Headers = publicTable(headers)
	}
	out.ContentType, out.ContentEncoding = string(p.ContentType), string(p.ContentEncoding)
	out.DeliveryMode, out.Priority = p.DeliveryMode, p.Priority
	out.CorrelationID, out.ReplyTo = string(p.CorrelationID), string(p.ReplyTo)
	out.Expiration, out.MessageID = string(p.Expiration), string(p.MessageID)
	if p.Has(frame.FlagTimestamp) {
		out.Timestamp = frame.Timestamp(p.Timestamp).Time()
	}
	out.Type, out.UserID, out.AppID = string(p.Type), string(p.UserID), string(p.AppID)
	return out
}

// publicTable is a table as a map; of fields with the same name the last counts.
func publicTable(t frame.Table) map[string]any {
	m := make(map[string]any, len(t))
	for _, f := range t {
		m[f.Key] = publicValue(f.Value)
	}
	return m
}

func publicValue(v any) any {
	switch v := v.(type) {
	case frame.Table:
		return publicTable(v)
	case frame.Timestamp:
		return v.Time()
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = publicValue(v[i])
		}
		return list
	}
	return v
}
