package amqprpc

import (
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// Delivery returns a copy of the message as the broker delivered it. Use it for properties
// that Request does not have: the priority, the timestamp, and headers that are tables. The
// copy cannot acknowledge the message. On a client, Delivery returns nil.
func (r *Request) Delivery() *amqp.Delivery {
	in := r.in
	if in == nil {
		return nil
	}
	m := &in.message
	return &amqp.Delivery{
		Headers:         tableOf(m.Table()),
		ContentType:     m.ContentType,
		ContentEncoding: m.ContentEncoding,
		DeliveryMode:    m.DeliveryMode,
		Priority:        m.Priority,
		CorrelationId:   m.CorrelationID,
		ReplyTo:         m.ReplyTo,
		Expiration:      m.Expiration(),
		MessageId:       m.MessageID,
		Timestamp:       m.Timestamp,
		Type:            m.Type,
		UserId:          m.UserID,
		AppId:           m.AppID,
		Redelivered:     in.redelivered,
		Exchange:        in.exchange,
		RoutingKey:      in.key,
		DeliveryTag:     in.Tag(),
		Body:            r.body,
	}
}

// tableOf is a table in the driver's types, nil if it is empty.
func tableOf(t frame.Table) amqp.Table {
	if len(t) == 0 {
		return nil
	}
	m := make(amqp.Table, len(t))
	for _, f := range t {
		m[f.Key] = fieldOf(f.Value)
	}
	return m
}

func fieldOf(v any) any {
	switch v := v.(type) {
	case frame.Decimal:
		return amqp.Decimal{Scale: v.Scale, Value: int32(v.Value)}
	case frame.Timestamp:
		return v.Time()
	case frame.Table:
		m := make(amqp.Table, len(v))
		for _, f := range v {
			m[f.Key] = fieldOf(f.Value)
		}
		return m
	case []any:
		a := make([]any, len(v))
		for i, e := range v {
			a[i] = fieldOf(e)
		}
		return a
	default:
		return v
	}
}
