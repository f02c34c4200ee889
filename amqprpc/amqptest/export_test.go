package amqptest

import (
	"fmt"
)

// CheckInvariants looks for contradictions in the broker's books.
func (b *Broker) CheckInvariants() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	unacked := make(map[*queue]int)
	var held int64
	for c := range b.conns {
		for _, ch := range c.channels {
			n := 0
			for u := ch.unacked.head; u != nil; u = u.next {
				n++
				if ch.unacked.byTag[u.tag] != u {
					return fmt.Errorf("delivery %d is lost", u.tag)
				}
				unacked[u.q]++
				held += u.e.msg.size()
			}
			if n != ch.unacked.n || n != len(ch.unacked.byTag) {
				return fmt.Errorf("a channel has %d deliveries and counts %d", n, ch.unacked.n)
			}
			if ch.tx != nil {
				for _, s := range ch.tx.settled {
					unacked[s.u.q]++
					held += s.u.e.msg.size()
				}
				for _, p := range ch.tx.published {
					held += p.msg.size()
				}
			}
		}
	}
	for _, v := range b.vhosts {
		for _, q := range v.queues {
			if err := q.check(unacked[q]); err != nil {
				return err
			}
			q.ready.each(func(e *entry) { held += e.msg.size() })
		}
	}
	if held != b.held {
		return fmt.Errorf("messages occupy %d and %d are counted", held, b.held)
	}
	return nil
}

func (q *queue) check(unacked int) error {
	n, bytes := 0, int64(0)
	q.ready.each(func(e *entry) { n, bytes = n+1, bytes+int64(len(e.msg.body)) })
	switch {
	case n != q.ready.n || bytes != q.ready.bytes:
		return fmt.Errorf("%s has %d messages of %d octets and counts %d of %d", q.fullName(), n, bytes, q.ready.n, q.ready.bytes)
	case unacked != q.unacked:
		return fmt.Errorf("%s has %d unacknowledged and counts %d", q.fullName(), unacked, q.unacked)
	case q.consumers.n != len(q.consumers.all):
		return fmt.Errorf("%s has %d consumers and counts %d", q.fullName(), len(q.consumers.all), q.consumers.n)
	}
	if h := q.ready.head(); h != nil && (h.expires == 0 || h.expires > q.vhost.b.now()) && !q.opts.single {
		for _, c := range q.consumers.all {
			if c.ready() && !c.parked {
				return fmt.Errorf("%s has messages, and a consumer that could take them", q.fullName())
			}
		}
	}
	for _, c := range q.consumers.all {
		if c.gone || c.ch.consumers[c.tag] != c {
			return fmt.Errorf("%s has a consumer that is no more", q.fullName())
		}
		if !q.opts.single && c.queued == c.parked {
			return fmt.Errorf("%s has lost track of a consumer", q.fullName())
		}
		if c.parked && c.ready() && q.ready.n > 0 && !q.opts.single {
			return fmt.Errorf("%s has messages, and a parked consumer that could take them", q.fullName())
		}
	}
	for bd := range q.incoming {
		if bd.queue != q || q.vhost.exchanges[bd.source.name] != bd.source {
			return fmt.Errorf("%s has a binding from nowhere", q.fullName())
		}
	}
	return nil
}
