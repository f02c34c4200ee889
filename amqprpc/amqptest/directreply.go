package amqptest

import (
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// Direct reply-to (https://www.rabbitmq.com/docs/direct-reply-to): a channel
// that consumes from replyToQueue gets replies without a queue. Requests that
// name it in reply_to go out with an address that only their receiver learns.

const (
	replyToQueue  = "amq.rabbitmq.reply-to"
	replyToPrefix = replyToQueue + "."
	// replyNode is the made-up node whose name addresses carry, as in RabbitMQ.
	replyNode = "reply@"
)

// replyConsumer is a channel's consumer of direct replies. It does not
// acknowledge, so prefetch means nothing to it and a reply is sent once.
type replyConsumer struct {
	ch       *channel
	tag      string
	tagBytes []byte
	address  string
}

func (ch *channel) consumeReplies(m *frame.BasicConsume) *exception {
	switch {
	case !m.NoAck:
		return fail(preconditionFailed, "reply consumer cannot acknowledge")
	case ch.replies != nil:
		return fail(preconditionFailed, "reply consumer already set")
	}
	tag := m.ConsumerTag
	if tag == "" {
		tag = randomName("amq.ctag")
	}
	r := &replyConsumer{ch: ch, tag: tag, tagBytes: []byte(tag), address: ch.c.b.replyAddress()}
	ch.replies = r
	ch.c.b.replies[r.address] = r
	if !m.NoWait {
		ch.send(&frame.BasicConsumeOk{ConsumerTag: tag})
	}
	return nil
}

// forget ends the consumer; a nil one is none.
func (r *replyConsumer) forget() {
	if r != nil {
		delete(r.ch.c.b.replies, r.address)
	}
}

// declareReplies answers a declaration of the pseudo-queue, or of an address:
// whether its consumer is still there.
func (ch *channel) declareReplies(m *frame.QueueDeclare) *exception {
	name := stripNewlines(m.Queue)
	if name != replyToQueue {
		r, fate := ch.c.b.resolve(name)
		switch {
		case fate == fatalAddress, fate == noAddress && ch.c.b.since(RabbitMQ43):
			return crash()
		case r == nil:
			return fail(notFound, "no %s", ch.c.vhost.queueName(name))
		}
	}
	ch.lastQueue = name
	if !m.NoWait {
		ch.send(&frame.QueueDeclareOk{Queue: name, ConsumerCount: 1})
	}
	return nil
}

// routeReplies delivers a message whose routing keys are direct reply-to
// addresses. Before RabbitMQ 4.3 some addresses are fatal to the publisher.
func (b *Broker) routeReplies(msg *message) *exception {
	if hasPrefix(msg.key, replyToPrefix) {
		if ex := b.reply(string(msg.key), msg); ex != nil {
			return ex
		}
	}
	for _, key := range msg.extra {
		if strings.HasPrefix(key, replyToPrefix) {
			if ex := b.reply(key, msg); ex != nil {
				return ex
			}
		}
	}
	return nil
}

// dropRepliesAt is how much may wait for a client that does not read its direct
// replies, in bytes, before more are dropped: they are sent at most once, and
// nothing holds their publishers back.
const dropRepliesAt = 32 << 20

func (b *Broker) reply(address string, msg *message) *exception {
	r, fate := b.resolve(address)
	if r == nil {
		if fate == fatalAddress || fate == deadEndAddress {
			return crash()
		}
		return nil
	}
	ch := r.ch
	if ch.c.out.size.Load() > dropRepliesAt {
		return nil
	}
	// Before 4.3 these deliveries do not count: all have the next tag.
	tag := ch.tags + 1
	if b.since(RabbitMQ43) {
		ch.tags++
	}
	if b.recording() {
		ch.emit(Event{Kind: Delivered, Consumer: r.tag, Tag: tag}, msg)
	}
	ch.c.deliver(ch.id, &frame.BasicDeliver{
		ConsumerTag: r.tagBytes, DeliveryTag: tag,
		Exchange: msg.exchange, RoutingKey: msg.key,
	}, msg)
	return nil
}
