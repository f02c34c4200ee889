package amqptest

import "github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"

// confirms are what a channel owes a publisher that asked for them. They are
// collected and sent together: one basic.ack can answer many messages.
type confirms struct {
	on    bool
	seq   uint64 // of the last message
	owed  []confirm
	await bool // the channel is in the broker's list of those that owe
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

func (ch *channel) owe(answer confirm) {
	c := &ch.confirms
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
	for len(owed) > 0 {
		if owed[0].nack {
			ch.sendNack(owed[0].seq)
			owed = owed[1:]
			continue
		}
		n := 1
		for n < len(owed) && !owed[n].nack {
			n++
		}
		ch.sendAck(owed[n-1].seq, n > 1)
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

func (ch *channel) sendNack(seq uint64) {
	ch.send(&frame.BasicNack{DeliveryTag: seq})
}

// forget drops what is owed: a closed channel answers no more.
func (c *confirms) forget() { c.owed = nil }
