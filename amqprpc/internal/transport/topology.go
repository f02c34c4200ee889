package transport

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"
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
	err = ch.do(ctx, func() error {
		declare := ch.driver.QueueDeclare
		if q.Passive {
			declare = ch.driver.QueueDeclarePassive
		}
		got, err := declare(q.Name, q.Durable, q.AutoDelete, q.Exclusive, false, q.Args)
		info = QueueInfo{Name: got.Name, Messages: got.Messages, Consumers: got.Consumers}
		return err
	})
	return info, err
}

// DeleteQueue deletes a queue, whatever is in it.
func (ch *Channel) DeleteQueue(ctx context.Context, name string) error {
	return ch.do(ctx, func() error {
		_, err := ch.driver.QueueDelete(name, false, false, false)
		return err
	})
}

// DeclareExchange declares a durable exchange of the kind given.
func (ch *Channel) DeclareExchange(ctx context.Context, name, kind string) error {
	return ch.do(ctx, func() error { return ch.driver.ExchangeDeclare(name, kind, true, false, false, false, nil) })
}

// Kinds of exchanges.
const (
	KindHeaders = amqp.ExchangeHeaders
	KindDirect  = amqp.ExchangeDirect
)

// BindQueue binds a queue to an exchange. With pipelined it does not wait for the
// broker's answer: a refusal closes the channel.
func (ch *Channel) BindQueue(ctx context.Context, queue, key, exchange string, pipelined bool, args Table) error {
	return ch.do(ctx, func() error { return ch.driver.QueueBind(queue, key, exchange, pipelined, args) })
}
