package amqptest

import (
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// exchange routes messages to queues and to other exchanges.
type exchange struct {
	vhost      *vhost
	name       string
	nameBytes  []byte // the same, for frames
	kind       string // direct, fanout, topic or headers
	durable    bool
	autoDelete bool
	internal   bool
	args       frame.Table
	alternate  string // where what it cannot route goes; empty for nowhere

	ownAlternate string  // that of the arguments
	policy       *policy // nil for none

	bindings bindings              // those that leave it
	incoming map[*binding]struct{} // those that lead to it
	visited  uint64                // the number of the message that was last here
}

func newExchange(v *vhost, name, kind string) *exchange {
	x := &exchange{vhost: v, name: name, nameBytes: []byte(name), kind: kind}
	x.bindings.table = newTable(kind)
	return x
}

// isExchangeKind reports whether the broker has exchanges of that type.
func isExchangeKind(kind string) bool {
	switch kind {
	case "direct", "fanout", "topic", "headers":
		return true
	}
	return false
}

func (ch *channel) declareExchange(m *frame.ExchangeDeclare) *exception {
	v := ch.c.vhost
	name := stripNewlines(m.Exchange)
	if !m.Passive && !isExchangeKind(m.Type) {
		how := "unknown"
		if m.Type == "" {
			how = "invalid"
		}
		code := commandInvalid
		if ch.c.b.since(RabbitMQ40) {
			code = preconditionFailed
		}
		return fail(code, "%s exchange type '%s'", how, m.Type)
	}
	if ex := notDefault(name); ex != nil {
		return ex
	}
	mayDo := ch.mayExchange(toConfigure, name)
	if m.Passive {
		mayDo = ch.mayLook(name, v.exchangeName)
	}
	if mayDo != nil {
		return mayDo
	}
	x := v.exchanges[name]
	switch {
	case m.Passive && x == nil:
		return fail(notFound, "no %s", v.exchangeName(name))
	case m.Passive:
	case x == nil:
		var ex *exception
		if x, ex = v.makeExchange(name, m); ex != nil {
			return ex
		}
		if x.ownAlternate != "" {
			if ex := firstOf(ch.mayExchange(toRead, name), ch.mayExchange(toWrite, x.ownAlternate)); ex != nil {
				return ex
			}
		}
		v.exchanges[name] = x
	default:
		if ex := x.equivalent(m); ex != nil {
			return ex
		}
	}
	if !m.NoWait {
		ch.send(&frame.ExchangeDeclareOk{})
	}
	return nil
}

func (v *vhost) makeExchange(name string, m *frame.ExchangeDeclare) (*exchange, *exception) {
	if strings.HasPrefix(name, "amq.") {
		return nil, fail(accessRefused, "exchange name '%s' contains reserved prefix 'amq.*'", name)
	}
	x := newExchange(v, name, m.Type)
	x.durable, x.autoDelete, x.internal, x.args = m.Durable, m.AutoDelete, m.Internal, m.Arguments
	if ae, ok := m.Arguments.Lookup("alternate-exchange"); ok {
		s, isString := ae.(string)
		if !isString {
			return nil, fail(preconditionFailed, "invalid type '%s' for arg '%s' in %s",
				typeName(ae), "alternate-exchange", v.exchangeName(name))
		}
		x.ownAlternate = s
	}
	x.applyPolicy()
	return x, nil
}

// equivalent checks a declaration of an exchange that exists.
func (x *exchange) equivalent(m *frame.ExchangeDeclare) *exception {
	of := x.vhost.exchangeName(x.name)
	if m.Type != x.kind {
		return inequivalent("type", of, "'"+m.Type+"'", "'"+x.kind+"'")
	}
	for _, f := range []struct {
		name      string
		got, want bool
	}{
		{"durable", m.Durable, x.durable},
		{"auto_delete", m.AutoDelete, x.autoDelete},
		{"internal", m.Internal, x.internal},
	} {
		if ex := sameFlag(f.name, of, f.got, f.want); ex != nil {
			return ex
		}
	}
	return sameArgument("alternate-exchange", of, m.Arguments, x.args)
}

func (ch *channel) deleteExchange(m *frame.ExchangeDelete) *exception {
	v := ch.c.vhost
	name := stripNewlines(m.Exchange)
	if ex := notDefault(name); ex != nil {
		return ex
	}
	if strings.HasPrefix(name, "amq.") {
		return fail(accessRefused, "deletion of system %s not allowed", v.exchangeName(name))
	}
	if ex := ch.mayExchange(toConfigure, name); ex != nil {
		return ex
	}
	if x := v.exchanges[name]; x != nil {
		if m.IfUnused && x.bindings.len() > 0 {
			return fail(preconditionFailed, "%s in use", v.exchangeName(name))
		}
		x.delete()
	}
	if !m.NoWait {
		ch.send(&frame.ExchangeDeleteOk{})
	}
	return nil
}

// delete removes the exchange and its bindings, in both directions.
func (x *exchange) delete() {
	delete(x.vhost.exchanges, x.name)
	for _, bd := range x.bindings.all() {
		bd.destination().forget(bd)
	}
	for bd := range x.incoming {
		bd.source.unbind(bd)
	}
}

// notDefault refuses what may not be done with the default exchange.
func notDefault(name string) *exception {
	if name == "" {
		return fail(accessRefused, "operation not permitted on the default exchange")
	}
	return nil
}
