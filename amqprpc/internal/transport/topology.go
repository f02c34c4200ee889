package transport

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// QueueDeclaration is a queue to declare. An empty name lets the broker choose one.
type QueueDeclaration struct {
	Name       string
	Durable    bool
	AutoDelete bool
	Exclusive  bool
	Passive    bool // only check that the queue is there
	Args       Table
}

// QueueInfo is the broker's answer to a declaration.
type QueueInfo struct {
	Name                string
	Messages, Consumers int
}

// DeclareQueue declares or checks a queue. A refusal closes the channel.
func (ch *Channel) DeclareQueue(ctx context.Context, q QueueDeclaration) (info QueueInfo, err error) {
	if err := q.Args.Validate(); err != nil {
		return info, err
	}
	answer, err := ch.call(ctx, frame.IDQueueDeclareOk, &frame.QueueDeclare{
		Queue: q.Name, Passive: q.Passive, Durable: q.Durable, Exclusive: q.Exclusive, AutoDelete: q.AutoDelete, Arguments: tableOf(q.Args),
	})
	if m, ok := answer.(*frame.QueueDeclareOk); ok {
		info = QueueInfo{Name: m.Queue, Messages: int(m.MessageCount), Consumers: int(m.ConsumerCount)}
	}
	return info, err
}

// DeleteQueue deletes a queue, whatever is in it.
func (ch *Channel) DeleteQueue(ctx context.Context, name string) error {
	_, err := ch.call(ctx, frame.IDQueueDeleteOk, &frame.QueueDelete{Queue: name})
	return err
}

// DeclareExchange declares a durable exchange of the kind given.
func (ch *Channel) DeclareExchange(ctx context.Context, name, kind string) error {
	_, err := ch.call(ctx, frame.IDExchangeDeclareOk, &frame.ExchangeDeclare{Exchange: name, Type: kind, Durable: true})
	return err
}

// Kinds of exchanges.
const (
	KindHeaders = amqp.ExchangeHeaders
	KindDirect  = amqp.ExchangeDirect
)

// BindQueue binds a queue to an exchange. With pipelined it does not wait for the
// broker's answer: a refusal closes the channel.
func (ch *Channel) BindQueue(ctx context.Context, queue, key, exchange string, pipelined bool, args Table) error {
	if err := args.Validate(); err != nil {
		return err
	}
	want := frame.IDQueueBindOk
	if pipelined {
		want = 0
	}
	_, err := ch.call(ctx, want, &frame.QueueBind{Queue: queue, Exchange: exchange, RoutingKey: key, NoWait: pipelined, Arguments: tableOf(args)})
	return err
}

// tableOf is a table in the types of the frames.
func tableOf(t Table) frame.Table {
	fields := make(frame.Table, 0, len(t))
	for k, v := range t {
		fields = append(fields, frame.Field{Key: k, Value: valueOf(v)})
	}
	return fields
}

func valueOf(v any) any {
	switch v := v.(type) {
	case int:
		return int32(v) // as the driver has it
	case time.Time:
		return frame.Timestamp(v.Unix())
	case amqp.Decimal:
		return frame.Decimal{Scale: v.Scale, Value: uint32(v.Value)}
	case Table:
		return tableOf(v)
	case []any:
		array := make([]any, len(v))
		for i, e := range v {
			array[i] = valueOf(e)
		}
		return array
	default:
		return v
	}
}
