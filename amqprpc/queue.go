package amqprpc

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// Queue says how a server declares a request queue. The zero value is a durable
// queue of the virtual host's default type, classic unless the operator chose
// another. Clients declare no request queue.
//
// A queue that exists keeps its properties: a declaration that differs is
// refused by the broker (406 PRECONDITION_FAILED), and Serve returns that.
type Queue struct {
	// Transient makes the queue vanish when the broker restarts.
	Transient bool
	// Type is "classic", "quorum" or "" for the virtual host's default.
	// A quorum queue cannot be Transient.
	Type string
	// Expires deletes the queue when it has been unused for so long
	// (milliseconds on the wire, at least one); 0 never.
	Expires time.Duration
	// MessageTTL drops requests that have waited for so long, whatever their
	// own deadline; 0 never.
	MessageTTL time.Duration
	// MaxLength bounds the number of waiting requests, MaxLengthBytes the bytes
	// of their bodies; 0 is no bound.
	MaxLength      int
	MaxLengthBytes int64
	// Overflow is what happens to a request beyond the bounds: "drop-head" (the
	// broker's default, also for ""), which drops the oldest one, or
	// "reject-publish", which refuses the new one.
	Overflow string
	// DeadLetterExchange and DeadLetterRoutingKey say where expired, rejected
	// and overflowing requests go; "" and "" is nowhere. To dead-letter to a
	// queue through the default exchange set only the routing key.
	DeadLetterExchange   string
	DeadLetterRoutingKey string
	// Bounce sends requests that expire, are rejected or overflow back to their
	// caller, which gets an error within milliseconds if it was dialled with
	// [WithBounce]: the queue dead-letters to the exchange amqprpc.bounce. It
	// excludes the two fields above: Register panics on both.
	Bounce bool
	// SingleActiveConsumer lets only one of several servers consume at a time.
	SingleActiveConsumer bool
	// MaxPriority makes a classic queue honour priorities up to it, at most 255; 0 none.
	MaxPriority int
	// DeliveryLimit is how often a quorum queue delivers a request before it
	// drops or dead-letters it; 0 is the broker's default.
	DeliveryLimit int
	// Arguments are further arguments of queue.declare, as they are.
	Arguments map[string]any
	// Passive declares nothing and only checks that the queue is there.
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
