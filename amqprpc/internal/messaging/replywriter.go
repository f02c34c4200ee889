package messaging

import (
	"sync/atomic"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// ReplyWriter writes the replies and acknowledgements of all consumers of a server,
// on one goroutine. Each goes on the channel that the request came from: the broker
// keeps the order of what one channel sends, so that an acknowledgement never
// overtakes its reply, nor a refusal its acknowledgement.
type ReplyWriter struct {
	// MaxBody bounds the body of a batch.
	MaxBody *atomic.Int64
	// Handled counts deliveries that are done.
	Handled *atomic.Int64
	// InHand reports whether requests are being handled, whose replies may be about
	// to come.
	InHand func() bool

	box   outbox[task]
	dirty []*replyChannel // have something to write
	quit  chan struct{}
	ended chan struct{}
}

// Start starts the writer. Stop of the server ends it.
func (w *ReplyWriter) Start() {
	w.box.init(nil)
	w.quit, w.ended = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(w.ended)
		w.box.run(w.quit, w)
	}()
}

func (w *ReplyWriter) stop() {
	close(w.quit)
	<-w.ended
}

func (w *ReplyWriter) others() bool { return w.InHand() }

// prepare adds what a task wants written to its channel.
func (w *ReplyWriter) prepare(t task) {
	d := t.delivery
	s := d.sub
	if s.lost() {
		s.release()
		if t.kind == finish && d.acked.Load() {
			s.consumer.redirect(t)
		}
		return
	}
	c := &s.writer
	if c.posted == 0 {
		w.dirty = append(w.dirty, c)
	}
	c.posted++
	c.apply(t)
	if len(c.frames)+len(c.direct) >= batchLong {
		c.write(false)
	}
}

func (w *ReplyWriter) flush() {
	alone := len(w.dirty) == 1
	for _, c := range w.dirty {
		c.write(!alone)
	}
	for i, c := range w.dirty {
		if last := i == len(w.dirty)-1; !alone && (last || w.dirty[i+1].sub.conn != c.sub.conn) {
			c.sub.conn.Flush()
		}
	}
	for i, c := range w.dirty {
		c.release()
		w.dirty[i] = nil
	}
	w.dirty = w.dirty[:0]
}

// replyChannel is the reply writer's side of a subscription.
type replyChannel struct {
	sub      *subscription
	acks     ackTracker
	frames   []byte // about to be written
	direct   []byte // replies to direct addresses, about to be written after all that is settled
	batches  replyBatches
	scratch  []byte // a property list
	finished int    // answers that are about to be written
	posted   int    // tasks to release when they are written
}

func (c *replyChannel) init(s *subscription) {
	c.sub, c.acks.next = s, 1
}

// apply adds a task's reply to the frames or to a batch, and notes its
// acknowledgement.
func (c *replyChannel) apply(t task) {
	d := t.delivery
	done := &d.done
	switch t.kind {
	case ackNow:
		c.acks.add(d.tag)
		return
	case heartbeat:
		c.publish(done)
		return
	}
	settles := !d.acked.Load()
	if settles && done.SettleFirst {
		c.settle(d.tag, done.Reject)
	}
	switch {
	case done.To == "":
	case done.Join && !done.Reject && len(done.Body) <= batchedReply: // a rejection comes after its reply
		c.join(done)
	default:
		c.publish(done)
	}
	c.sub.left.Add(-1)
	if done.Requeue {
		c.frames = c.sub.ch.AppendRequeue(c.frames, d.tag)
		c.acks.settled(d.tag)
		return
	}
	c.finished++
	c.sub.consumer.Replies.Handled.Add(1)
	switch {
	case !settles, done.SettleFirst:
	case done.Reject:
		c.settle(d.tag, true)
	default:
		c.acks.add(d.tag)
	}
}

// publish adds a reply of its own to the frames.
func (c *replyChannel) publish(done *Done) {
	c.scratch = done.Reply.Append(c.scratch[:0])
	c.publishMessage(done.To, c.scratch, done.Body)
}

// publishMessage adds a message to the frames. RabbitMQ 3.10 and 4.0 close the
// connection that publishes to a direct reply-to address which they cannot resolve, and
// no check of the address finds all of those. So such a reply comes after what settles
// its delivery, and the delivery does not come back to close another connection.
func (c *replyChannel) publishMessage(to string, properties, body []byte) {
	p := Publishing{Key: to, Properties: properties, Body: body}
	if protocol.IsDirect(to) {
		// Those versions both deliver and return a mandatory message to such an address.
		c.direct = c.sub.ch.AppendPublish(c.direct, &p)
		return
	}
	p.Mandatory = true
	c.frames = c.sub.ch.AppendPublish(c.frames, &p)
}

// settle acknowledges or rejects one delivery at this point of the frames.
func (c *replyChannel) settle(tag uint64, reject bool) {
	if reject {
		c.frames = c.sub.ch.AppendReject(c.frames, tag)
	} else {
		c.frames = c.sub.ch.AppendAck(c.frames, tag, false)
	}
	c.acks.settled(tag)
}

// write writes what there is so far, or leaves it for the connection's Flush.
func (c *replyChannel) write(later bool) {
	c.publishBatches()
	c.acks.flush(func(tag uint64, multiple bool) {
		c.frames = c.sub.ch.AppendAck(c.frames, tag, multiple)
	})
	c.frames, c.direct = append(c.frames, c.direct...), c.direct[:0]
	// An error is the channel's end, which its consumer learns elsewhere.
	switch {
	case len(c.frames) == 0:
	case later:
		c.sub.ch.WriteLater(c.frames)
	default:
		c.sub.ch.Write(c.frames)
	}
	c.sub.written.Add(int64(c.finished))
	c.finished = 0
	if c.frames = c.frames[:0]; cap(c.frames) > batchMemory {
		c.frames, c.direct = nil, nil
	}
}

// release releases the tasks that are written.
func (c *replyChannel) release() {
	for ; c.posted > 0; c.posted-- {
		c.sub.release()
	}
}
