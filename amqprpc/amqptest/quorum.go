package amqptest

import "github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"

// A queue of type quorum is one node's, in memory: nothing is replicated. What
// differs from a classic queue for a client is here, as RabbitMQ 3.10 has it
// (https://www.rabbitmq.com/docs/quorum-queues).

// publishQuorum takes a message. The limits are looked at after it is in, so
// that one more than x-max-length is taken; publishers are then refused until a
// fifth of the room is free.
func (q *queue) publishQuorum(m *message) {
	q.seq++
	e := q.entry(m)
	if c := q.waitingConsumer(); c != nil {
		c.deliver(e) // even a message that may not wait at all
		return
	}
	q.vhost.b.held += m.size()
	q.ready.push(e)
	q.run()
	q.dropExpired()
	q.keepQuorumLimits()
}

// keepQuorumLimits does what x-overflow says after any change.
func (q *queue) keepQuorumLimits() {
	o := &q.opts
	if o.maxLength < 0 && o.maxBytes < 0 {
		return
	}
	if o.overflow == overflowReject {
		over := func(n, limit int64) bool { return limit >= 0 && n > limit }
		n, bytes := int64(q.ready.n), q.ready.bytes
		if over(n, o.maxLength) || over(bytes, o.maxBytes) {
			q.refusing = true
		} else if !over(n, o.maxLength*4/5) && !over(bytes, o.maxBytes*4/5) {
			q.refusing = false
		}
		return
	}
	q.dropOverflow()
}

// requeueQuorum queues a message again that a consumer had, or buries it if it
// has come back too often. Without a delivery limit a refused message goes to
// the end of the queue, as in RabbitMQ 3.10; one that its consumer lost, and any
// in a queue with a limit, goes to the front, behind those before it.
func (q *queue) requeueQuorum(e entry, how verdict) {
	if q.deleted {
		return
	}
	e.acquired++
	if how != requeued || !q.vhost.b.since(RabbitMQ43) {
		e.deliveries++ // since 4.3 basic.nack does not count
	}
	e.redelivered = true
	switch {
	case q.opts.limit >= 0 && int64(e.deliveries) > q.opts.limit:
		q.deadLetter(e, deadLimit)
		return
	case q.opts.limit < 0 && how != orphaned:
		q.ready.push(e)
	default:
		q.ready.putBackLast(e)
	}
	q.vhost.b.held += e.msg.size()
}

// present is the message as a consumer gets it: that of a quorum queue says how
// often it came back.
func (q *queue) present(e entry) *message {
	if !q.opts.quorum || e.acquired == 0 {
		return e.msg
	}
	return q.counted(e)
}

// presentGot is the message as basic.get gives it: RabbitMQ 3.10 counts there
// even the first delivery, as zero.
func (q *queue) presentGot(e entry) *message {
	if q.opts.quorum && !q.vhost.b.since(RabbitMQ40) {
		return q.counted(e)
	}
	return q.present(e)
}

// counted is the message with the headers that count.
func (q *queue) counted(e entry) *message {
	var p frame.Properties
	_ = p.Parse(e.msg.props) // it was parsed when it came
	headers, _ := frame.ParseTable(p.Headers)
	since43 := q.vhost.b.since(RabbitMQ43)
	if since43 {
		headers = setField(headers, "x-acquired-count", int64(e.acquired))
	}
	if !since43 || e.deliveries > 0 {
		headers = setField(headers, "x-delivery-count", int64(e.deliveries))
	}
	p.Headers = frame.AppendFields(nil, headers)
	p.Flags |= frame.FlagHeaders
	m := *e.msg
	m.props = p.Append(nil)
	return &m
}
