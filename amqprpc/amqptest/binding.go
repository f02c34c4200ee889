package amqptest

import (
	"bytes"
	"strings"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// binding leads from an exchange to a queue or, if that is nil, to an exchange.
type binding struct {
	source *exchange
	queue  *queue
	target *exchange
	key    string
	args   frame.Table
	match  *headersMatch // of a binding from a headers exchange
}

// endpoint is what a binding may lead to.
type endpoint interface{ forget(bd *binding) }

func (bd *binding) destination() endpoint {
	if bd.queue != nil {
		return bd.queue
	}
	return bd.target
}

// bindingKey identifies a binding: the same twice is one.
type bindingKey struct {
	queue  *queue
	target *exchange
	key    string
	args   string
}

// bindings are those that leave an exchange. The table finds the ones that a
// message takes.
type bindings struct {
	byKey map[bindingKey]*binding
	table table
}

func (s *bindings) len() int { return len(s.byKey) }

func (s *bindings) all() []*binding {
	all := make([]*binding, 0, len(s.byKey))
	for _, bd := range s.byKey {
		all = append(all, bd)
	}
	return all
}

func keyOf(q *queue, x *exchange, key string, args frame.Table) bindingKey {
	return bindingKey{q, x, key, string(frame.AppendFields(nil, sortedFields(args)))}
}

// bind adds a binding unless it is there.
func (x *exchange) bind(q *queue, target *exchange, key string, args frame.Table) {
	id := keyOf(q, target, key, args)
	if x.bindings.byKey[id] != nil {
		return
	}
	bd := &binding{source: x, queue: q, target: target, key: key, args: args}
	if x.kind == "headers" {
		bd.match = newHeadersMatch(args, x.vhost.b.since(RabbitMQ40))
	}
	if x.bindings.byKey == nil {
		x.bindings.byKey = make(map[bindingKey]*binding)
	}
	x.bindings.byKey[id] = bd
	x.bindings.table.add(bd)
	if q != nil {
		q.incoming[bd] = struct{}{}
		return
	}
	if target.incoming == nil {
		target.incoming = make(map[*binding]struct{})
	}
	target.incoming[bd] = struct{}{}
}

// unbind removes a binding from its source, which may have lived for it alone.
func (x *exchange) unbind(bd *binding) {
	delete(x.bindings.byKey, keyOf(bd.queue, bd.target, bd.key, bd.args))
	x.bindings.table.remove(bd)
	if x.autoDelete && x.bindings.len() == 0 && x.vhost.exchanges[x.name] == x {
		x.delete()
	}
}

// forget drops a binding that led here.
func (x *exchange) forget(bd *binding) { delete(x.incoming, bd) }

// forget drops a binding that led here.
func (q *queue) forget(bd *binding) { delete(q.incoming, bd) }

// bindingSpec is what the four methods about bindings have in common.
type bindingSpec struct {
	source    string
	queue     string
	target    string // an exchange, if toExchange
	toTarget  bool
	key       string
	arguments frame.Table
}

func (ch *channel) bindExchange(m *frame.ExchangeBind) *exception {
	return ch.bind(bindingSpec{source: m.Source, target: m.Destination, toTarget: true,
		key: m.RoutingKey, arguments: m.Arguments}, m.NoWait, &frame.ExchangeBindOk{})
}

func (ch *channel) unbindExchange(m *frame.ExchangeUnbind) *exception {
	return ch.unbind(bindingSpec{source: m.Source, target: m.Destination, toTarget: true,
		key: m.RoutingKey, arguments: m.Arguments}, m.NoWait, &frame.ExchangeUnbindOk{})
}

func (ch *channel) bindQueue(m *frame.QueueBind) *exception {
	name, key, ex := ch.resolveBinding(m.Queue, m.RoutingKey)
	if ex != nil {
		return ex
	}
	return ch.bind(bindingSpec{source: m.Exchange, queue: name, key: key, arguments: m.Arguments},
		m.NoWait, &frame.QueueBindOk{})
}

func (ch *channel) unbindQueue(m *frame.QueueUnbind) *exception {
	name, key, ex := ch.resolveBinding(m.Queue, m.RoutingKey)
	if ex != nil {
		return ex
	}
	return ch.unbind(bindingSpec{source: m.Exchange, queue: name, key: key, arguments: m.Arguments},
		false, &frame.QueueUnbindOk{})
}

// resolveBinding fills in the last declared queue for an empty name, and its
// name for an empty routing key beside an empty name.
func (ch *channel) resolveBinding(queue, key string) (string, string, *exception) {
	name, ex := ch.resolveQueue(queue)
	if queue == "" && key == "" {
		key = name
	}
	return name, key, ex
}

// checkEnds refuses names that may not be bound or unbound, there or not.
func (ch *channel) checkEnds(s *bindingSpec) *exception {
	s.source, s.target, s.queue = stripNewlines(s.source), stripNewlines(s.target), stripNewlines(s.queue)
	if !s.toTarget && strings.HasPrefix(s.queue, replyToPrefix) && ch.c.b.since(RabbitMQ43) {
		return fail(accessRefused, "cannot bind or unbind to a volatile (direct reply-to) queue")
	}
	mayWrite := ch.mayExchange(toWrite, s.target)
	if !s.toTarget {
		mayWrite = ch.mayQueue(toWrite, s.queue)
	}
	if mayWrite != nil {
		return mayWrite
	}
	if s.source == "" || s.toTarget && s.target == "" {
		return notDefault("")
	}
	return ch.mayExchange(toRead, s.source)
}

// ends finds the source and the destination.
func (ch *channel) ends(s *bindingSpec) (x *exchange, q *queue, target *exchange, ex *exception) {
	v := ch.c.vhost
	x = v.exchanges[s.source]
	if x == nil {
		return nil, nil, nil, fail(notFound, "no %s", v.exchangeName(s.source))
	}
	if s.toTarget {
		if target = v.exchanges[s.target]; target == nil {
			return nil, nil, nil, fail(notFound, "no %s", v.exchangeName(s.target))
		}
		return x, nil, target, nil
	}
	q, ex = ch.queue(s.queue)
	return x, q, nil, ex
}

func (ch *channel) bind(s bindingSpec, noWait bool, ok frame.Method) *exception {
	if ex := ch.checkEnds(&s); ex != nil {
		return ex
	}
	x, q, target, ex := ch.ends(&s)
	if ex != nil {
		return ex
	}
	if x.kind == "headers" {
		if ex := checkHeadersBinding(s.arguments); ex != nil {
			return ex
		}
	}
	x.bind(q, target, s.key, s.arguments)
	if !noWait {
		ch.send(ok)
	}
	return nil
}

// unbind is content if there is nothing to unbind, whatever is missing.
func (ch *channel) unbind(s bindingSpec, noWait bool, ok frame.Method) *exception {
	if ex := ch.checkEnds(&s); ex != nil {
		return ex
	}
	v := ch.c.vhost
	x, q, target := v.exchanges[s.source], v.queues[s.queue], v.exchanges[s.target]
	if s.toTarget {
		q = nil
	} else {
		target = nil
	}
	if x != nil && (q != nil || target != nil) {
		if bd := x.bindings.byKey[keyOf(q, target, s.key, s.arguments)]; bd != nil {
			if q != nil {
				if ex := q.access(ch.c); ex != nil {
					return ex
				}
			}
			bd.destination().forget(bd)
			x.unbind(bd)
		}
	}
	if !noWait {
		ch.send(ok)
	}
	return nil
}

// sortedFields is t by name, for comparing.
func sortedFields(t frame.Table) frame.Table {
	if len(t) < 2 {
		return t
	}
	sorted := append(frame.Table(nil), t...)
	sortTable(sorted)
	return sorted
}

func hasPrefix(b []byte, prefix string) bool { return bytes.HasPrefix(b, []byte(prefix)) }
