package amqptest

import (
	"slices"
	"time"
)

// Fate is what the broker does with a published message. The zero value is what a healthy
// broker does.
type Fate struct {
	// Drop loses the message: the broker confirms it and delivers it to nobody.
	Drop bool
	// Copies is how many extra copies of the message are published.
	Copies int
	// Delay is how long the broker keeps the message before it routes and confirms it. Later
	// messages do not wait.
	Delay time.Duration

	// Nack answers with basic.nack. The message is routed all the same, unless Drop is set: a
	// publisher must not conclude anything from a nack.
	Nack bool
	// Unconfirmed sends neither basic.ack nor basic.nack.
	Unconfirmed bool
	// ConfirmDelay delays the basic.ack or basic.nack.
	ConfirmDelay time.Duration
}

// Message is a message as the broker sees it. Body must not be changed.
type Message struct {
	// Connection is the name of the publisher's connection, and Channel the number of its
	// channel. Only [Broker.Tamper] sets them.
	Connection string
	Channel    uint16

	Exchange, RoutingKey string
	// Headers has the types of the wire: string, bool, the integers, float32 and
	// float64, []byte, time.Time, [Decimal], []any, map[string]any, nil.
	Headers         map[string]any
	ContentType     string
	ContentEncoding string
	DeliveryMode    uint8 // 2 is persistent
	Priority        uint8
	CorrelationID   string
	ReplyTo         string
	Expiration      string
	MessageID       string
	Timestamp       time.Time
	Type            string
	UserID          string
	AppID           string
	Body            []byte
}

// rule is a function that a test gave to Tamper.
type rule struct{ judge func(Message) Fate }

// Tamper calls judge for every message that is published from now on, until stop is called.
// judge runs once for each message, before the message is routed. It runs in order for the
// messages of one connection, and at the same time for those of different connections. It
// may call any method of the broker but Close. If several judges are set, the first one that
// returns a Fate other than zero decides. Delays do not apply to messages of transactions.
func (b *Broker) Tamper(judge func(Message) Fate) (stop func()) {
	r := &rule{judge}
	b.changeRules(func(rs []*rule) []*rule { return append(rs, r) })
	return func() {
		b.changeRules(func(rs []*rule) []*rule {
			return slices.DeleteFunc(rs, func(o *rule) bool { return o == r })
		})
	}
}

// changeRules replaces the list, which readers use without a lock.
func (b *Broker) changeRules(change func([]*rule) []*rule) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var old []*rule
	if p := b.rules.Load(); p != nil {
		old = *p
	}
	rules := change(slices.Clone(old))
	b.rules.Store(&rules)
}

// fate asks the rules about a message that has arrived.
func (c *connection) fate(channel uint16, p *content) Fate {
	rules := c.b.rules.Load()
	if rules == nil || len(*rules) == 0 {
		return Fate{}
	}
	m := (&message{exchange: p.method.Exchange, key: p.method.RoutingKey, props: p.props, body: p.body}).public()
	m.Connection, m.Channel = c.name, channel
	for _, r := range *rules {
		if f := r.judge(m); f != (Fate{}) {
			return f
		}
	}
	return Fate{}
}

// dispatchTampered does with a message what its fate says.
func (ch *channel) dispatchTampered(x *exchange, msg *message, mandatory bool, f Fate) *exception {
	seq := ch.confirms.hold()
	if f.Delay <= 0 {
		return ch.meet(seq, x, msg, mandatory, f)
	}
	b := ch.c.b
	b.held += msg.size()
	time.AfterFunc(f.Delay, func() {
		b.lock()
		defer b.release()
		b.held -= msg.size()
		if b.closed {
			return
		}
		if ex := ch.meet(seq, x, msg, mandatory, f); ex != nil && !ch.closing {
			ch.c.raise(ch.id, ex)
		}
	})
	return nil
}

// meet routes a message as often as its fate says and answers the publisher.
func (ch *channel) meet(seq uint64, x *exchange, msg *message, mandatory bool, f Fate) *exception {
	accepted := true
	if !f.Drop {
		for range 1 + max(0, f.Copies) {
			taken, ex := ch.routeAndEnqueue(published{x: x, msg: msg, mandatory: mandatory && !ch.closing})
			if ex != nil {
				return ex
			}
			accepted = accepted && taken
		}
	}
	answer := confirm{seq, f.Nack || !accepted}
	switch {
	case f.Unconfirmed:
	case f.ConfirmDelay <= 0:
		ch.answer(answer)
	default:
		b := ch.c.b
		time.AfterFunc(f.ConfirmDelay, func() {
			b.lock()
			defer b.release()
			ch.answer(answer)
		})
	}
	return nil
}
