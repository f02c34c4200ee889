package amqptest

import (
	"cmp"
	"slices"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// confirms are what a channel owes a publisher that asked for them. They are
// collected and sent together: one basic.ack can answer many messages.
type confirms struct {
	on    bool
	seq   uint64 // of the last message
	owed  []confirm
	await bool                // the channel is in the broker's list of those that owe
	held  map[uint64]struct{} // messages that a test has left without an answer
}

type confirm struct {
	seq  uint64
	nack bool
}

func (ch *channel) selectConfirms(m *frame.ConfirmSelect) *exception {
	if ch.tx != nil {
		return fail(preconditionFailed, "cannot switch from tx to confirm mode")
	}
	ch.confirms.on = true
	if !m.NoWait {
		ch.send(&frame.ConfirmSelectOk{})
	}
	return nil
}

// confirm owes the publisher an answer to its next message.
func (ch *channel) confirm(accepted bool) {
	c := &ch.confirms
	if !c.on {
		return
	}
	c.seq++
	ch.owe(confirm{c.seq, !accepted})
}

// hold numbers the next message and owes it no answer yet; zero if the
// publisher wants none.
func (c *confirms) hold() uint64 {
	if !c.on {
		return 0
	}
	c.seq++
	if c.held == nil {
		c.held = make(map[uint64]struct{})
	}
	c.held[c.seq] = struct{}{}
	return c.seq
}

// answer owes the publisher the answer to a message that was held.
func (ch *channel) answer(a confirm) {
	if a.seq != 0 && !ch.closing {
		delete(ch.confirms.held, a.seq)
		ch.owe(a)
	}
}

func (ch *channel) owe(answer confirm) {
	c := &ch.confirms
	if ch.c.b.recording() {
		kind := Confirmed
		if answer.nack {
			kind = Refused
		}
		ch.emit(Event{Kind: kind, Tag: answer.seq}, nil)
	}
	c.owed = append(c.owed, answer)
	if !c.await {
		c.await = true
		ch.c.b.toConfirm = append(ch.c.b.toConfirm, ch)
	}
}

// sendConfirms sends what is owed: runs of acknowledgements as one.
func (ch *channel) sendConfirms() {
	c := &ch.confirms
	c.await = false
	owed := c.owed
	// One answer for several would answer those before them that are held or
	// that have another answer behind.
	together := len(c.held) == 0 && slices.IsSortedFunc(owed, func(a, b confirm) int { return cmp.Compare(a.seq, b.seq) })
	for len(owed) > 0 {
		n := 1
		for together && n < len(owed) && owed[n].nack == owed[0].nack {
			n++
		}
		if last := owed[n-1].seq; owed[0].nack {
			// RabbitMQ says multiple of a single one too, where it can.
			ch.send(&frame.BasicNack{DeliveryTag: last, Multiple: together, Requeue: true})
		} else {
			ch.sendAck(last, n > 1)
		}
		owed = owed[n:]
	}
	c.owed = c.owed[:0]
}

func (ch *channel) sendAck(seq uint64, multiple bool) {
	ack := frame.BasicAck{DeliveryTag: seq, Multiple: multiple}
	o := ch.c.out
	seg := o.begin()
	before := len(seg)
	seg = ack.AppendFrame(seg, ch.id)
	o.commit(seg, len(seg)-before)
	ch.c.toWake()
}

// forget drops what is owed: a closed channel answers no more.
func (c *confirms) forget() { c.owed = nil }
