package messaging

import (
	"context"
	"sync/atomic"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// Work is a delivery with all that its handling needs, in one piece of memory: a
// type that embeds a Delivery.
type Work interface {
	// Base returns the embedded Delivery.
	Base() *Delivery
	// Handle works the delivery off, on a worker.
	Handle()
}

// Delivery is a message that a consumer got and that is not settled yet.
type Delivery struct {
	sub  *subscription
	tag  uint64
	done Done

	acked    atomic.Bool // before its handling began
	finished atomic.Bool
}

// Done is what is done for a delivery in the end: a reply is sent, or none, and the
// delivery is acknowledged or rejected.
type Done struct {
	To    string // the queue that the reply goes to; "" is no reply
	Reply protocol.Reply
	Body  []byte
	// Join says that the reply may go with others to the same queue in one message.
	Join bool
	// Reject rejects the delivery without requeue instead of acknowledging it.
	Reject bool
	// Requeue gives the delivery back to the queue instead. There is no reply.
	Requeue bool
	// SettleFirst settles the delivery before the reply is sent: the reply says that
	// nobody runs the request. A reply to a direct address always comes after.
	SettleFirst bool
}

// Base returns d.
func (d *Delivery) Base() *Delivery { return d }

// Context ends when the channel of the delivery is lost.
func (d *Delivery) Context() context.Context { return d.sub.channel.ctx }

// Tag returns the delivery tag.
func (d *Delivery) Tag() uint64 { return d.tag }

// Acked reports whether AckNow was called.
func (d *Delivery) Acked() bool { return d.acked.Load() }

// Lost reports whether the channel of the delivery is lost, so that the broker will
// deliver the message again. A delivery that was acknowledged is not lost.
func (d *Delivery) Lost() bool { return !d.acked.Load() && d.sub.lost() }

// FrameMax is the size that the broker allows a frame, in octets; 0 is no limit.
func (d *Delivery) FrameMax() int { return d.sub.channel.ch.FrameMax() }

// AckNow acknowledges the delivery before it is done. It reports whether that will
// be written, as far as can be known: not where the channel is lost.
func (d *Delivery) AckNow() bool {
	d.acked.Store(true) // first: Finish, called at the deadline, must not acknowledge again
	if !d.sub.post(task{delivery: d, kind: ackNow}) {
		d.acked.Store(false)
		return false
	}
	return true
}

// Finish has done carried out, on the channel of the delivery; the reply of a
// delivery that was acknowledged, on whichever channel its queue is or will be
// consumed with.
func (d *Delivery) Finish(done Done) {
	d.done = done
	d.finished.Store(true)
	if t := (task{delivery: d, kind: finish}); !d.sub.post(t) && d.acked.Load() {
		d.sub.consumer.redirect(t)
	}
}

// heartbeatsMost is how many tasks may wait to be written when a heartbeat is added.
const heartbeatsMost = 1024

// Heartbeat sends a reply that settles nothing, if there is a channel that has the
// time for it. It sends none to a direct reply-to address: each could close the
// connection.
func (d *Delivery) Heartbeat(to string, r protocol.Reply) {
	if protocol.IsDirect(to) {
		return
	}
	sub := d.sub
	if d.acked.Load() && sub.lost() {
		sub = sub.consumer.latest()
	}
	if sub == nil || sub.consumer.Replies.box.len() > heartbeatsMost {
		return
	}
	beat := &Delivery{sub: sub, done: Done{To: to, Reply: r}}
	beat.acked.Store(true)
	sub.post(task{delivery: beat, kind: heartbeat})
}

// Requeue publishes a copy of the delivery to the tail of its queue and acknowledges
// it. It reports false where the broker has not certainly taken the copy; the
// delivery is then as it was.
func (d *Delivery) Requeue(properties, body []byte) bool {
	if !d.sub.consumer.requeuer.publish(d.sub.channel.ctx, d.sub.channel.pool.conn, d.sub.consumer.Queue, properties, body) {
		return false
	}
	d.Finish(Done{})
	return true
}

// release says that one thing less is to be done for the delivery.
func (d *Delivery) release() { d.sub.release() }

// task is what the reply writer does for a delivery.
type task struct {
	delivery *Delivery
	kind     taskKind
}

type taskKind uint8

const (
	finish taskKind = iota
	ackNow
	heartbeat
	giveBack // of a delivery that nobody has taken
)
