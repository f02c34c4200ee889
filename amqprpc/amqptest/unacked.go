package amqptest

import (
	"slices"
	"strings"
)

// unacked is a delivery that the client has not acknowledged.
type unacked struct {
	tag        uint64
	e          entry
	at         int64 // when it was delivered, on the broker's clock
	q          *queue
	c          *consumer // nil for a get
	prev, next *unacked
}

// unackedList is a channel's deliveries by tag, and in the order of tags.
type unackedList struct {
	byTag      map[uint64]*unacked
	head, tail *unacked
	n          int
}

func (l *unackedList) push(u *unacked) {
	if l.byTag == nil {
		l.byTag = make(map[uint64]*unacked)
	}
	l.byTag[u.tag] = u
	u.prev, u.next = l.tail, nil
	if l.tail == nil {
		l.head = u
	} else {
		l.tail.next = u
	}
	l.tail = u
	l.n++
}

func (l *unackedList) remove(u *unacked) {
	delete(l.byTag, u.tag)
	if u.prev == nil {
		l.head = u.next
	} else {
		u.prev.next = u.next
	}
	if u.next == nil {
		l.tail = u.prev
	} else {
		u.next.prev = u.prev
	}
	l.n--
}

// addUnacked adds a delivery that must be acknowledged, with the channel's last tag.
func (ch *channel) addUnacked(e entry, q *queue, c *consumer) {
	b := ch.c.b
	u := b.free
	if u == nil {
		u = &unacked{}
	} else {
		b.free = u.next
	}
	*u = unacked{tag: ch.tags, e: e, q: q, c: c, at: b.now()}
	ch.unacked.push(u)
	if !ch.timing && b.cfg.consumerLimit > 0 {
		ch.timeAcknowledgements(b.cfg.consumerLimit)
	}
	q.unacked++
	b.held += e.msg.size()
}

// verdict is what becomes of a delivery.
type verdict uint8

const (
	acked     verdict = iota
	requeued          // by basic.nack
	rejected          // by basic.reject, and requeued
	orphaned          // requeued because its channel is gone
	discarded         // by basic.nack
	refused           // by basic.reject, and discarded
)

func (v verdict) event() EventKind {
	switch v {
	case acked:
		return Acked
	case discarded, refused:
		return Discarded
	}
	return Requeued
}

func refusal(requeue bool) verdict {
	if requeue {
		return requeued
	}
	return discarded
}

// settle acknowledges or refuses a delivery or, if multiple, all up to it; tag
// zero is then all there are.
func (ch *channel) settle(tag uint64, multiple bool, v verdict) *exception {
	l := &ch.unacked
	if tag == 0 && multiple {
		if l.tail == nil {
			return nil
		}
		tag = l.tail.tag
	}
	u := l.byTag[tag]
	if u == nil {
		return fail(preconditionFailed, "unknown delivery tag %d", tag)
	}
	if ch.tx != nil {
		ch.tx.settle(ch, u, multiple, v)
		return nil
	}
	if !multiple || u.prev == nil {
		ch.unacked.remove(u)
		ch.finish(u, v)
		return nil
	}
	batch := ch.c.b.batch[:0]
	for x := l.head; ; x = l.head {
		l.remove(x)
		batch = append(batch, x)
		if x == u {
			break
		}
	}
	ch.finishAll(batch, v)
	clear(batch)
	ch.c.b.batch = batch[:0]
	return nil
}

// finish settles one delivery that has left the list.
func (ch *channel) finish(u *unacked, v verdict) {
	q, c := u.q, u.c
	ch.leave(u, v)
	goOn(q, c)
	if c != nil {
		ch.settled(1)
	}
}

// finishAll settles deliveries in RabbitMQ's order: by queue name, then those of basic.get one by
// one, then those of each consumer together, by tag. A queue delivers again before the next one
// gets its deliveries back.
func (ch *channel) finishAll(batch []*unacked, v verdict) {
	if !slices.IsSortedFunc(batch, compareOwners) {
		slices.SortStableFunc(batch, compareOwners)
	}
	landed := 0
	for len(batch) > 0 {
		q, c := batch[0].q, batch[0].c
		n := 1
		for c != nil && n < len(batch) && batch[n].q == q && batch[n].c == c {
			n++
		}
		for _, u := range batch[:n] {
			ch.leave(u, v)
		}
		if c != nil {
			landed += n
		}
		goOn(q, c)
		batch = batch[n:]
	}
	ch.settled(landed)
}

// compareOwners orders deliveries by queue and consumer; a basic.get is its own.
func compareOwners(a, b *unacked) int {
	if a.q != b.q {
		return strings.Compare(a.q.name, b.q.name)
	}
	switch {
	case a.c == b.c:
		return 0
	case a.c == nil:
		return -1
	case b.c == nil:
		return 1
	}
	return strings.Compare(a.c.tag, b.c.tag)
}

// leave removes a delivery from the counts and applies the verdict to it.
func (ch *channel) leave(u *unacked, v verdict) {
	b := ch.c.b
	q := u.q
	if b.recording() {
		ch.emitSettled(v.event(), u)
	}
	q.unacked--
	b.held -= u.e.msg.size()
	if u.c != nil {
		u.c.unacked--
	}
	switch v {
	case requeued, rejected, orphaned:
		q.requeue(u.e, v)
	case discarded, refused:
		if !q.deleted {
			if v == refused {
				u.e.deliveries++
			}
			q.deadLetter(u.e, deadRejected)
		}
	}
	*u = unacked{next: b.free}
	b.free = u
}

// goOn lets a queue deliver after a consumer has room again or messages came back.
func goOn(q *queue, c *consumer) {
	if c != nil {
		c.unpark()
	}
	q.goOn()
}

// settled subtracts n settled deliveries from the channel's global prefetch.
func (ch *channel) settled(n int) {
	ch.inFlight -= n
	if ch.limit > 0 && ch.inFlight < ch.limit {
		ch.unparkAll()
	}
}

// requeueAll requeues the channel's unacknowledged deliveries, and lets the queues deliver again.
func (ch *channel) requeueAll(queues []*queue) {
	if ch.tx != nil {
		ch.tx.abandon(ch)
	}
	l := &ch.unacked
	for u := l.head; u != nil; u = l.head {
		l.remove(u)
		if !slices.Contains(queues, u.q) {
			queues = append(queues, u.q)
		}
		ch.leave(u, orphaned)
	}
	for _, q := range queues {
		switch {
		case q.deleted:
		case q.autoDelete && q.hadConsumers && q.consumers.n == 0:
			q.delete()
		default:
			if q.opts.single && q.consumers.active == nil {
				q.promote()
			}
			q.restartExpiry()
			q.goOn()
		}
	}
}

// recover requeues everything; RabbitMQ has no recover without.
func (ch *channel) recover(requeue bool) *exception {
	if !requeue {
		return fail(notImplemented, "requeue=false")
	}
	l := &ch.unacked
	var batch []*unacked
	for u := l.head; u != nil; u = l.head {
		l.remove(u)
		batch = append(batch, u)
	}
	ch.finishAll(batch, requeued)
	return nil
}
