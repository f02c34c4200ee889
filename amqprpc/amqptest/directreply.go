package amqptest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
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
	r := &replyConsumer{ch: ch, tag: tag, tagBytes: []byte(tag), address: ch.replyAddress()}
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

// replyAddress makes an address of the form that RabbitMQ 3.10 gives out: the
// base64 of an Erlang process id in its external format, a dot, and 16 random
// octets in base64.
func (ch *channel) replyAddress() string {
	c := ch.c
	node := replyNode + c.b.nodeHash
	pid := append(make([]byte, 0, 48), 131, 88, 119, byte(len(node)))
	pid = append(pid, node...)
	pid = binary.BigEndian.AppendUint32(pid, uint32(c.id))
	pid = binary.BigEndian.AppendUint32(pid, uint32(ch.id))
	pid = binary.BigEndian.AppendUint32(pid, c.b.creation)
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails
	return replyToPrefix + base64.StdEncoding.EncodeToString(pid) + "." +
		base64.StdEncoding.EncodeToString(key[:])
}

// declareReplies answers a declaration of the pseudo-queue, or of an address:
// whether its consumer is still there.
func (ch *channel) declareReplies(m *frame.QueueDeclare) *exception {
	name := stripNewlines(m.Queue)
	if name != replyToQueue {
		if ex := ch.c.b.checkAddress(name); ex != nil {
			return ex
		}
		if ch.c.b.replies[name] == nil {
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
// addresses. An address that has the right form and no consumer is nobody's,
// silently; a malformed one is fatal before RabbitMQ 4.3.
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
// replies, in octets, before more are dropped: they are sent at most once, and
// nothing holds their publishers back.
const dropRepliesAt = 32 << 20

func (b *Broker) reply(address string, msg *message) *exception {
	r := b.replies[address]
	if r == nil {
		if b.since(RabbitMQ43) {
			return nil
		}
		return b.checkAddress(address)
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

// checkAddress is the exception for an address that RabbitMQ fails to decode.
func (b *Broker) checkAddress(address string) *exception {
	parts := addressParts(address)
	switch {
	case len(parts) == 2 && b.isProcess(parts[0]):
		return nil
	case len(parts) != 2 && !b.since(RabbitMQ43):
		return nil // not an address at all, and no harm
	}
	return crash()
}

// isAddress reports whether an address has the right form, whoever's it is.
func (b *Broker) isAddress(address string) bool {
	parts := addressParts(address)
	return len(parts) == 2 && b.isProcess(parts[0])
}

// addressParts are what the dots after the prefix part, without empty ones.
func addressParts(address string) []string {
	return strings.FieldsFunc(strings.TrimPrefix(address, replyToPrefix), func(r rune) bool { return r == '.' })
}

// isProcess reports whether s encodes an Erlang process of this broker's node.
func (b *Broker) isProcess(s string) bool {
	const fixed = 4 + 12 // tags, and the three numbers
	pid, err := base64.StdEncoding.DecodeString(s)
	return err == nil && len(pid) >= fixed && string(pid[:3]) == "\x83Xw" && len(pid) == fixed+int(pid[3]) &&
		string(pid[4:len(pid)-12]) == replyNode+b.nodeHash
}
