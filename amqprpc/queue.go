package amqprpc

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// Queue says how a server declares a request queue. The zero value is a durable queue of
// the virtual host's default type. This type is classic, unless the operator has chosen
// another. Clients do not declare request queues.
//
// A queue keeps the properties of its first declaration. If a later declaration differs,
// the broker refuses it (406 PRECONDITION_FAILED), and Serve returns an error.
type Queue struct {
	// Transient makes the broker delete the queue when it restarts.
	Transient bool
	// Type is "classic", "quorum" or "". With "", the queue has the virtual host's default
	// type. A quorum queue cannot be Transient.
	Type string
	// Expires is the time after which the broker deletes an unused queue. The broker counts
	// in milliseconds, at least one. 0 is never.
	Expires time.Duration
	// MessageTTL is the time after which the broker drops a waiting request, even if its
	// deadline is later. 0 is never.
	MessageTTL time.Duration
	// MaxLength limits the number of waiting requests. MaxLengthBytes limits the bytes of
	// their bodies. 0 is no limit.
	MaxLength      int
	MaxLengthBytes int64
	// Overflow says what happens at the limit. With "drop-head", the default, the broker
	// drops the oldest request. With "reject-publish", the broker refuses the new request.
	Overflow string
	// DeadLetterExchange and DeadLetterRoutingKey say where the broker sends requests that
	// it drops, and requests that a server rejects. If both are empty, these requests are
	// lost. To send them to another queue, set only the routing key to the name of this
	// queue.
	DeadLetterExchange   string
	DeadLetterRoutingKey string
	// Bounce makes the broker return dropped and rejected requests to the client. A client
	// with [WithBounce] then gets an error within milliseconds. Such a queue has the
	// dead-letter exchange amqprpc.bounce. Register panics if DeadLetterExchange or
	// DeadLetterRoutingKey is also set.
	Bounce bool
	// SingleActiveConsumer lets only one of several servers consume the queue at a time.
	SingleActiveConsumer bool
	// MaxPriority is the highest priority of a classic queue, at most 255. 0 is no
	// priorities.
	MaxPriority int
	// DeliveryLimit is how often a quorum queue delivers a request. After that, the broker
	// drops or dead-letters the request. 0 is the broker's default.
	DeliveryLimit int
	// Arguments are further arguments of queue.declare. They are sent unchanged.
	Arguments map[string]any
	// Passive makes the server check only that the queue exists. The server then declares
	// nothing.
	Passive bool
}

// maxPriority is the most that RabbitMQ takes for x-max-priority
// (https://www.rabbitmq.com/docs/priority).
const maxPriority = 255

// argSingleActiveConsumer is the argument of queue.declare that lets one consumer at a
// time have requests (https://www.rabbitmq.com/docs/consumers#single-active-consumer).
const argSingleActiveConsumer = "x-single-active-consumer"

// arguments returns the arguments of queue.declare, nil if there are none.
func (q Queue) arguments() messaging.Table {
	t := messaging.Table{}
	maps.Copy(t, q.Arguments)
	set := func(name string, v any, wanted bool) {
		if wanted {
			t[name] = v
		}
	}
	set("x-queue-type", q.Type, q.Type != "")
	set("x-expires", within(time.Millisecond, q.Expires, forever).Milliseconds(), q.Expires > 0)
	set("x-message-ttl", within(time.Millisecond, q.MessageTTL, forever).Milliseconds(), q.MessageTTL > 0)
	set("x-max-length", int64(q.MaxLength), q.MaxLength > 0)
	set("x-max-length-bytes", q.MaxLengthBytes, q.MaxLengthBytes > 0)
	set("x-overflow", q.Overflow, q.Overflow != "")
	set("x-dead-letter-exchange", protocol.BounceExchange, q.Bounce)
	set("x-dead-letter-exchange", q.DeadLetterExchange, q.DeadLetterExchange != "" || q.DeadLetterRoutingKey != "")
	set("x-dead-letter-routing-key", q.DeadLetterRoutingKey, q.DeadLetterRoutingKey != "")
	set(argSingleActiveConsumer, true, q.SingleActiveConsumer)
	set("x-max-priority", int64(min(q.MaxPriority, maxPriority)), q.MaxPriority > 0)
	set("x-delivery-limit", int64(q.DeliveryLimit), q.DeliveryLimit > 0)
	if len(t) == 0 {
		return nil
	}
	return t
}

// declare makes or checks the queue. A refusal of the broker's closes the channel.
func (e *endpoint) declare(ctx context.Context, ch *messaging.Channel) error {
	q := e.cfg.queue
	if q.Bounce && !q.Passive {
		if err := ch.DeclareExchange(ctx, protocol.BounceExchange, messaging.KindHeaders); err != nil {
			if messaging.Code(err) == messaging.CodePreconditionFailed {
				return explainPrecondition(fmt.Sprintf("the exchange %s for queue %q", protocol.BounceExchange, e.queue), err)
			}
			return q.explainDeclare(e.queue, fmt.Errorf("declare the exchange %s: %w", protocol.BounceExchange, err))
		}
	}
	d := messaging.QueueDeclaration{Name: e.queue, Durable: true, Passive: true}
	if !q.Passive {
		d = messaging.QueueDeclaration{Name: e.queue, Durable: !q.Transient, Args: q.arguments()}
	}
	if _, err := ch.DeclareQueue(ctx, d); err != nil {
		return q.explainDeclare(e.queue, err)
	}
	return nil
}

// explainDeclare turns the broker's refusal of a declaration into advice, and marks
// those that asking again does not change.
func (q Queue) explainDeclare(name string, err error) error {
	switch messaging.Code(err) {
	case messaging.CodePreconditionFailed:
		return explainPrecondition(fmt.Sprintf("queue %q", name), err)
	case messaging.CodeNotFound:
		if !q.Passive { // the broker's answer to a declaration while the queue's node is down
			return fmt.Errorf("declare queue %q: it is there, but the node of the cluster that has it is down: %w", name, err)
		}
		return messaging.Permanent(fmt.Errorf("queue %q is not there and WithQueue says Passive; declare it first, or leave Passive out: %w", name, err))
	case messaging.CodeAccessRefused:
		return messaging.Permanent(fmt.Errorf("declare queue %q: the user may not; grant it configure and read on the queue (for Bounce also configure and write on amqprpc.bounce), or declare it elsewhere and use WithQueue(Queue{Passive: true}): %w", name, err))
	case messaging.CodeResourceLocked:
		return messaging.Permanent(fmt.Errorf("declare queue %q: it is exclusive to another connection: %w", name, err))
	case messaging.CodeNotAllowed:
		return messaging.Permanent(fmt.Errorf("declare queue %q: %w", name, err))
	default:
		return fmt.Errorf("declare queue %q: %w", name, err)
	}
}
