package amqptest

import (
	"cmp"
	"slices"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// transaction is what a transactional channel has done since the last commit.
// As in RabbitMQ it covers publishing and acknowledging, and is atomic for one
// queue alone (https://www.rabbitmq.com/docs/semantics).
type transaction struct {
	published []published
	settled   []settled
}

type settled struct {
	u *unacked
	v verdict
}

func (ch *channel) selectTx() *exception {
	if ch.confirms.on {
		return fail(preconditionFailed, "cannot switch from confirm to tx mode")
	}
	if ch.tx == nil {
		ch.tx = &transaction{}
	}
	ch.send(&frame.TxSelectOk{})
	return nil
}

func (t *transaction) publish(p published) {
	t.published = append(t.published, p)
	p.x.vhost.b.held += p.msg.size()
}

// settle keeps a verdict for the commit; the delivery is off the list at once.
func (t *transaction) settle(ch *channel, u *unacked, multiple bool, v verdict) {
	for x := u; x != nil; {
		prev := x.prev
		if !multiple {
			prev = nil
		}
		ch.unacked.remove(x)
		t.settled = append(t.settled, settled{x, v})
		x = prev
	}
}

func (ch *channel) commit() *exception {
	if ch.tx == nil {
		return fail(preconditionFailed, "channel is not transactional")
	}
	t := ch.tx
	ch.tx = &transaction{}
	complete := true
	for _, p := range t.published {
		ch.c.b.held -= p.msg.size()
		accepted, ex := true, (*exception)(nil)
		if !p.fate.Drop {
			accepted, ex = ch.routeAndEnqueue(p)
		}
		if ex != nil {
			ch.tx = nil
			t.published = nil
			ch.restore(t)
			return ex
		}
		complete = complete && accepted && !p.fate.Nack
	}
	ch.settleAll(t.settled)
	if !complete {
		return fail(preconditionFailed, "partial tx completion")
	}
	ch.send(&frame.TxCommitOk{})
	return nil
}

// settleAll does what a transaction's verdicts say, in their order: those of one
// kind in a row together.
func (ch *channel) settleAll(all []settled) {
	for len(all) > 0 {
		v := all[0].v
		var batch []*unacked
		for len(all) > 0 && all[0].v == v {
			batch = append(batch, all[0].u)
			all = all[1:]
		}
		slices.SortFunc(batch, func(a, b *unacked) int { return cmp.Compare(a.tag, b.tag) })
		ch.finishAll(batch, v)
	}
}

func (ch *channel) rollback() *exception {
	if ch.tx == nil {
		return fail(preconditionFailed, "channel is not transactional")
	}
	t := ch.tx
	ch.tx = &transaction{}
	for _, p := range t.published {
		ch.c.b.held -= p.msg.size()
	}
	ch.restore(t)
	ch.send(&frame.TxRollbackOk{})
	return nil
}

// abandon ends a transaction with its channel.
func (t *transaction) abandon(ch *channel) {
	for _, p := range t.published {
		ch.c.b.held -= p.msg.size()
	}
	t.published = nil
	ch.restore(t)
}

// restore puts the deliveries of a transaction back on the channel's list.
func (ch *channel) restore(t *transaction) {
	if len(t.settled) == 0 {
		return
	}
	all := make([]*unacked, 0, len(t.settled)+ch.unacked.n)
	for _, s := range t.settled {
		all = append(all, s.u)
	}
	for u := ch.unacked.head; u != nil; u = u.next {
		all = append(all, u)
	}
	slices.SortFunc(all, func(a, b *unacked) int { return cmp.Compare(a.tag, b.tag) })
	ch.unacked = unackedList{}
	for _, u := range all {
		ch.unacked.push(u)
	}
	t.settled = nil
}
