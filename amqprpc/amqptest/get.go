package amqptest

import "github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"

// get hands out one ready message, whatever the prefetch.
func (ch *channel) get(m *frame.BasicGet) *exception {
	name, ex := ch.resolveQueue(m.Queue)
	if ex != nil {
		return ex
	}
	if ex := ch.mayQueue(toRead, name); ex != nil {
		return ex
	}
	q, ex := ch.queue(name)
	if ex != nil {
		return ex
	}
	if q.opts.quorum && q.opts.single {
		return fail(resourceLocked, "cannot obtain access to locked %s. basic.get operations "+
			"are not supported by quorum queues with single active consumer", q.fullName())
	}
	q.restartExpiry()
	q.dropExpired()
	if q.ready.n == 0 {
		ch.send(&frame.BasicGetEmpty{})
		return nil
	}
	e := q.pop()
	ch.tags++
	if !m.NoAck {
		ch.addUnacked(e, q, nil)
	}
	q.dropExpired()
	if ch.c.b.recording() {
		ch.emit(Event{Kind: Got, Queue: q.name, Tag: ch.tags, Redelivered: e.redelivered}, e.msg)
	}
	ch.c.sendContent(ch.id, &frame.BasicGetOk{
		DeliveryTag: ch.tags, Redelivered: e.redelivered,
		Exchange: e.msg.exchange, RoutingKey: e.msg.key,
		MessageCount: uint32(q.ready.n),
	}, q.presentGot(e))
	return nil
}
