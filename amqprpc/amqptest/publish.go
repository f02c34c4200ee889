package amqptest

import (
	"strconv"
	"strings"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// greatestMessage is the highest limit that RabbitMQ can be given.
const greatestMessage = 512 << 20

// publish takes a complete message from the client, for the fate that a test
// has chosen for it.
func (ch *channel) publish(p *content, fate Fate) *exception {
	m := &p.method
	if m.Immediate {
		return fail(notImplemented, "immediate=true")
	}
	limit := ch.c.b.cfg.maxMessageSize
	if p.received > uint64(limit) {
		how := "configured max size"
		if limit == greatestMessage {
			how = "max size"
		}
		return fail(preconditionFailed, "message size %d is larger than %s %d", p.received, how, limit)
	}
	if ch.c.permissions != nil {
		if ex := ch.mayExchange(toWrite, string(m.Exchange)); ex != nil {
			return ex
		}
	}
	v := ch.c.vhost
	x := v.exchanges[string(m.Exchange)]
	if x == nil {
		return fail(notFound, "no %s", v.exchangeName(string(m.Exchange)))
	}
	if x.internal {
		return fail(accessRefused, "cannot publish to internal %s", v.exchangeName(x.name))
	}
	msg := &message{exchange: x.nameBytes, key: m.RoutingKey, props: p.props, body: p.body, ttl: -1}
	if ex := ch.checkProperties(msg); ex != nil {
		return ex
	}
	if ch.c.b.recording() {
		ch.emit(Event{Kind: Published}, msg)
	}
	switch {
	case ch.tx != nil:
		ch.tx.publish(published{x, msg, m.Mandatory, fate})
	case fate != (Fate{}):
		return ch.dispatchTampered(x, msg, m.Mandatory, fate)
	default:
		accepted, ex := ch.routeAndEnqueue(published{x: x, msg: msg, mandatory: m.Mandatory})
		if ex != nil {
			return ex
		}
		ch.confirm(accepted)
	}
	return nil
}

// published is a message on its way to an exchange.
type published struct {
	x         *exchange
	msg       *message
	mandatory bool
	fate      Fate // of a message in a transaction
}

// routeAndEnqueue gives a message to whom its exchange routes it; false if a
// queue refuses it.
func (ch *channel) routeAndEnqueue(p published) (accepted bool, ex *exception) {
	b := ch.c.b
	if p.x.name == "" {
		if ex := b.routeReplies(p.msg); ex != nil {
			return false, ex
		}
		if b.since(RabbitMQ43) && hasPrefix(p.msg.key, replyToPrefix) {
			if _, fate := b.resolve(string(p.msg.key)); fate == knownAddress {
				p.mandatory = false // it counts as routed, even if its consumer is gone
			}
		}
	}
	return ch.enqueue(b.route(p.x, p.msg), p.msg, p.mandatory), nil
}

// enqueue gives a message to its queues, or back to the publisher if there are
// none and it is mandatory. False means that a queue refuses it.
func (ch *channel) enqueue(queues []*queue, msg *message, mandatory bool) (accepted bool) {
	if len(queues) == 0 && mandatory {
		ch.returnMessage(msg)
	}
	accepted = true
	for _, q := range queues {
		if !q.publish(msg) {
			accepted = false
		}
	}
	if b := ch.c.b; b.held > b.cfg.memoryLimit && !b.full {
		b.checkMemory()
	}
	return accepted
}

// returnMessage returns a mandatory message that nobody takes, before its confirm.
func (ch *channel) returnMessage(msg *message) {
	if ch.c.b.recording() {
		ch.emit(Event{Kind: Returned}, msg)
	}
	ch.c.sendContent(ch.id, &frame.BasicReturn{
		ReplyCode: noRoute.code, ReplyText: []byte(noRoute.name),
		Exchange: msg.exchange, RoutingKey: msg.key,
	}, msg)
}

// checkProperties reads what the broker itself wants of a message's properties
// and refuses what RabbitMQ refuses.
func (ch *channel) checkProperties(msg *message) *exception {
	var p frame.Properties
	if p.Parse(msg.props) != nil {
		return crash()
	}
	if string(p.ReplyTo) == replyToQueue {
		if ch.replies == nil {
			return fail(preconditionFailed, "fast reply consumer does not exist")
		}
		p.ReplyTo = []byte(ch.replies.address)
		msg.props = p.Append(nil)
	}
	if p.Has(frame.FlagUserID) && string(p.UserID) != ch.c.user {
		return fail(preconditionFailed, "user_id property set to '%s' but authenticated user was '%s'",
			p.UserID, ch.c.user)
	}
	if p.Has(frame.FlagExpiration) {
		ms, wrong := parseExpiration(string(p.Expiration))
		if wrong != "" {
			return fail(preconditionFailed, "invalid expiration '%s': %s", p.Expiration, wrong)
		}
		msg.ttl = ms * int64(time.Millisecond)
		if plain := strconv.FormatInt(ms, 10); plain != string(p.Expiration) && ch.c.b.since(RabbitMQ40) {
			p.Expiration = []byte(plain)
			msg.props = p.Append(nil)
		}
	}
	msg.priority = p.Priority
	if p.Has(frame.FlagDeliveryMode) {
		switch p.DeliveryMode {
		case 1:
		case 2:
			msg.persisted = true
		default:
			if !ch.c.b.since(RabbitMQ40) {
				return fail(preconditionFailed, "invalid message: {delivery_mode_unknown,%d}", p.DeliveryMode)
			}
		}
	}
	if len(p.Headers) > 0 {
		return msg.readCopies(&p)
	}
	return nil
}

// readCopies takes further routing keys from the headers CC and BCC, and takes
// BCC itself out (https://www.rabbitmq.com/docs/sender-selected).
func (msg *message) readCopies(p *frame.Properties) *exception {
	for _, name := range []string{"CC", "BCC"} {
		v, ok := frame.FindField(p.Headers, name)
		if !ok {
			continue
		}
		list, isArray := v.([]any)
		if !isArray {
			return fail(preconditionFailed, "invalid message: {unacceptable_type_in_header,%q,%s}", name, typeName(v))
		}
		for _, item := range list {
			if key, isString := item.(string); isString {
				msg.extra = append(msg.extra, key)
			}
		}
		if name == "BCC" {
			headers, _ := frame.ParseTable(p.Headers)
			p.Headers = frame.AppendFields(nil, without(headers, name))
			msg.props = p.Append(nil)
		}
	}
	return nil
}

// without is t less the first field of that name.
func without(t frame.Table, name string) frame.Table {
	for i := range t {
		if t[i].Key == name {
			return append(t[:i:i], t[i+1:]...)
		}
	}
	return t
}

// parseExpiration reads a message's expiration in milliseconds, or says what is
// wrong with it in the words of RabbitMQ's Erlang.
func parseExpiration(s string) (ms int64, wrong string) {
	digits := s
	if s != "" && (s[0] == '-' || s[0] == '+') {
		digits = s[1:]
	}
	rest := strings.TrimLeft(digits, "0123456789")
	digits = digits[:len(digits)-len(rest)]
	if digits == "" {
		return 0, "no_integer"
	}
	if rest != "" {
		return 0, "{leftover_string," + listTerm(rest) + "}"
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	number := strings.TrimLeft(digits, "0")
	switch {
	case s[0] == '-' && number != "":
		return 0, "{value_negative,-" + number + "}"
	case err != nil || n > maxExpiry:
		return 0, "{value_too_large," + number + "}"
	}
	return n, ""
}
