package differential

import (
	"fmt"
	"slices"
	"strings"
)

// Chan is one channel of a scenario's connection.
type Chan struct {
	c      *Conn
	id     uint16
	closed bool

	published uint64          // confirm mode: the last number given out, 0 when off
	confirms  bool            // confirm mode is on
	open      map[uint64]bool // numbers not yet confirmed
}

// Channel opens the next channel, unrecorded.
func (c *Conn) Channel() *Chan {
	ch := c.Number(c.next + 1)
	was := c.silent
	c.silent = true
	ch.Call("channel.open", nil)
	c.silent = was
	return ch
}

// Number gives a channel that is not open yet.
func (c *Conn) Number(id uint16) *Chan {
	c.next = max(c.next, id)
	ch := &Chan{c: c, id: id, open: map[uint64]bool{}}
	c.channels = append(c.channels, ch)
	return ch
}

// Send sends a method and waits for nothing.
func (ch *Chan) Send(method string, args M) {
	if ch.closed || ch.c.closed {
		ch.c.log(ch.id, "!", method+" on a closed channel")
		return
	}
	ch.c.s.declared(method, args)
	ch.c.send(ch.id, method, args)
	switch {
	case method == "confirm.select":
		ch.confirms = true
	case method == "channel.close":
		ch.closed = true
	}
}

// Call sends a method and waits for its answer, or for what comes in its place.
func (ch *Chan) Call(method string, args M) *message {
	if ch.closed || ch.c.closed {
		ch.c.log(ch.id, "!", method+" on a closed channel")
		return nil
	}
	ch.Send(method, args)
	return ch.Expect(amqp091.byName[method].replies...)
}

// Expect waits for one of the methods.
func (ch *Chan) Expect(methods ...string) *message {
	m := ch.c.take(ch.id, named(methods...))
	ch.c.note(ch.id, m, methods)
	return m
}

// Closed waits for the broker to close the channel or the connection.
func (ch *Chan) Closed() { ch.Expect("channel.close") }

// Next waits for n methods, whatever they are, and keeps their order.
func (ch *Chan) Next(n int) {
	for range n {
		m := ch.c.take(ch.id, func(*message) bool { return true })
		ch.c.note(ch.id, m, []string{"next method"})
		if m == nil {
			return
		}
		ch.resolve(m)
	}
}

// Deliver waits for n deliveries.
func (ch *Chan) Deliver(n int) []*message {
	var all []*message
	for range n {
		m := ch.Expect("basic.deliver")
		if m == nil || m.method.name != "basic.deliver" {
			// A stand-in lets the script go on; the transcript shows what happened.
			all = append(all, &message{method: amqp091.byName["basic.deliver"], fields: M{"delivery-tag": uint64(0)}, props: M{}})
			continue
		}
		all = append(all, m)
	}
	return all
}

func tagOf(m *message) uint64 {
	if m == nil {
		return 0
	}
	tag, _ := m.fields["delivery-tag"].(uint64)
	return tag
}

// Confirms waits until n more publishes are confirmed and writes down each one's fate:
// how the broker bundles them is left to chance.
func (ch *Chan) Confirms(n int) {
	var fates []string
	for len(fates) < n {
		m := ch.c.take(ch.id, named("basic.ack", "basic.nack"))
		if m == nil || !strings.HasSuffix(m.method.name, "ack") {
			ch.c.log(ch.id, "<", "confirmed: "+strings.Join(fates, ", "))
			ch.c.note(ch.id, m, []string{"confirm"})
			return
		}
		fates = append(fates, ch.resolve(m)...)
	}
	slices.Sort(fates)
	ch.c.log(ch.id, "<", "confirmed: "+strings.Join(fates, ", "))
}

// resolve says which publishes an ack or nack from the broker confirms.
func (ch *Chan) resolve(m *message) []string {
	if m.method.name != "basic.ack" && m.method.name != "basic.nack" {
		return nil
	}
	verb := strings.TrimPrefix(m.method.name, "basic.")
	last := tagOf(m)
	first := last
	if m.fields["multiple"] == true {
		first = 1
	}
	var fates []string
	for n := first; n <= last; n++ {
		switch {
		case ch.open[n]:
			delete(ch.open, n)
			fates = append(fates, fmt.Sprintf("%d %s", n, verb))
		case n == last:
			fates = append(fates, fmt.Sprintf("%d %s (unexpected)", n, verb))
		}
	}
	return fates
}

// Quiet waits a moment and writes down whatever has come, or that nothing has.
func (ch *Chan) Quiet() {
	// No event can tell that none will come.
	ch.c.await(quietTime, func() bool { return false })
	if !ch.drain("<") {
		ch.c.log(ch.id, "<", "(nothing)")
	}
}

// drain writes down what lies in the inbox.
func (ch *Chan) drain(mark string) bool {
	some := false
	for {
		ch.c.mu.Lock()
		m := ch.c.pick(ch.id, func(*message) bool { return true })
		ch.c.mu.Unlock()
		if m == nil {
			return some
		}
		some = true
		if mark == "<" {
			ch.c.note(ch.id, m, nil)
		} else if m.method.name != "basic.ack" && m.method.name != "basic.nack" {
			// Whether a confirm comes before the end is chance.
			ch.c.log(ch.id, mark, describeReceived(m))
		}
	}
}

// leftUnread writes down what was left unread, of all that came before the answer to a
// method that changes nothing.
func (ch *Chan) leftUnread() {
	ch.c.write(rawFrame(frameMethod, ch.id, encodeMethod(amqp091.byName["channel.flow"], M{"active": true})))
	m := ch.c.take(ch.id, named("channel.flow-ok"))
	if m == nil || m.method.name != "channel.flow-ok" {
		ch.c.note(ch.id, m, []string{"channel.flow-ok"})
	}
	ch.drain("? left unread:")
}

// The operations that most scenarios use.

// Publish publishes to an exchange, with the properties given.
func (ch *Chan) Publish(exchange, key, body string, props ...M) {
	ch.PublishWith(M{"exchange": exchange, "routing-key": key}, body, props...)
}

// PublishWith publishes with all of basic.publish's fields.
func (ch *Chan) PublishWith(args M, body string, props ...M) {
	if ch.closed || ch.c.closed {
		ch.c.log(ch.id, "!", "basic.publish on a closed channel")
		return
	}
	p := M{}
	if len(props) > 0 {
		p = props[0]
	}
	spec := amqp091.byName["basic.publish"]
	ch.c.log(ch.id, ">", describeSent(spec, args)+describeContent(p, []byte(body)))
	if ch.confirms {
		ch.published++
		ch.open[ch.published] = true
	}
	b := rawFrame(frameMethod, ch.id, encodeMethod(spec, args))
	b = append(b, rawFrame(frameHeader, ch.id, encodeHeader(uint64(len(body)), p))...)
	ch.c.write(append(b, bodyFrames(ch.id, []byte(body), ch.c.frameMax)...))
}

// Queue declares a queue with arguments, neither durable nor exclusive.
func (ch *Chan) Queue(name string, args ...Table) string {
	m := M{"queue": name}
	if len(args) > 0 {
		m["arguments"] = args[0]
	}
	ok := ch.Call("queue.declare", m)
	if ok == nil {
		return name
	}
	declared, _ := ok.fields["queue"].(string)
	return declared
}

// Count asks a queue for its counts, until it gives the same twice over a moment: a
// RabbitMQ queue answers such questions ahead of the messages that are on their way to it.
func (ch *Chan) Count(queue string) {
	args := M{"queue": queue, "passive": true}
	if ch.closed || ch.c.closed {
		ch.Send("queue.declare", args)
		return
	}
	ch.c.log(ch.id, ">", describeSent(amqp091.byName["queue.declare"], args))
	ask := func() *message {
		was := ch.c.silent
		ch.c.silent = true
		defer func() { ch.c.silent = was }()
		ch.c.send(ch.id, "queue.declare", args)
		return ch.c.take(ch.id, named("queue.declare-ok"))
	}
	m := ask()
	for same := 0; same < 2 && m != nil && m.method.name == "queue.declare-ok"; {
		ch.c.await(quietTime/5, func() bool { return false })
		again := ask()
		if again != nil && describeReceived(again) == describeReceived(m) {
			same++
		} else {
			same = 0
		}
		m = again
	}
	ch.c.note(ch.id, m, []string{"queue.declare-ok"})
}

// Exchange declares an exchange of a type, neither durable nor internal.
func (ch *Chan) Exchange(name, kind string, args ...Table) {
	m := M{"exchange": name, "type": kind}
	if len(args) > 0 {
		m["arguments"] = args[0]
	}
	ch.Call("exchange.declare", m)
}

// Bind binds a queue to an exchange.
func (ch *Chan) Bind(queue, exchange, key string, args ...Table) {
	m := M{"queue": queue, "exchange": exchange, "routing-key": key}
	if len(args) > 0 {
		m["arguments"] = args[0]
	}
	ch.Call("queue.bind", m)
}

// Consume consumes with a consumer tag and, if given, other fields.
func (ch *Chan) Consume(queue, tag string, more ...M) {
	m := M{"queue": queue, "consumer-tag": tag}
	for _, fields := range more {
		for k, v := range fields {
			m[k] = v
		}
	}
	ch.Call("basic.consume", m)
}

// Get fetches one message, to be acknowledged.
func (ch *Chan) Get(queue string) *message { return ch.Call("basic.get", M{"queue": queue}) }

// GetAll fetches, with automatic acknowledgement, until the queue is empty.
func (ch *Chan) GetAll(queue string) {
	for range 100 {
		m := ch.Call("basic.get", M{"queue": queue, "no-ack": true})
		if m == nil || m.method.name != "basic.get-ok" {
			return
		}
	}
}

// Qos sets the prefetch count.
func (ch *Chan) Qos(count int) { ch.Call("basic.qos", M{"prefetch-count": count}) }

// Confirm turns confirms on.
func (ch *Chan) Confirm() { ch.Call("confirm.select", nil) }

// Ack acknowledges one delivery.
func (ch *Chan) Ack(m *message) { ch.Send("basic.ack", M{"delivery-tag": tagOf(m)}) }

// Reject rejects one delivery.
func (ch *Chan) Reject(m *message, requeue bool) {
	ch.Send("basic.reject", M{"delivery-tag": tagOf(m), "requeue": requeue})
}

// Nack rejects one delivery, or all up to it.
func (ch *Chan) Nack(m *message, multiple, requeue bool) {
	ch.Send("basic.nack", M{"delivery-tag": tagOf(m), "multiple": multiple, "requeue": requeue})
}
