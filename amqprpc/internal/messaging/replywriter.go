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
	// Returned is called when replies have found their queue gone.
	Returned func(replies int)
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
		if t.kind != giveBack {
			s.release()
		}
		if t.kind == finish && d.acked.Load() {
			s.consumer.redirect(t)
		}
		return
	}
	c := &s.channel.writer
	if !c.dirty {
		c.dirty = true
		w.dirty = append(w.dirty, c)
	}
	c.note(t)
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
		if last := i == len(w.dirty)-1; !alone && (last || w.dirty[i+1].channel.pool != c.channel.pool) {
			c.channel.pool.conn.Flush()
		}
	}
	for i, c := range w.dirty {
		c.release()
		w.dirty[i] = nil
	}
	w.dirty = w.dirty[:0]
}

// replyChannel is the reply writer's side of a channel.
type replyChannel struct {
	channel *sharedChannel
	acks    ackTracker
	frames  []byte // about to be written
	direct  []byte // replies to direct addresses, about to be written after all that is settled
	batches replyBatches
	index   map[string]int  // of batches, but for the first ones
	scratch []byte          // a property list
	dirty   bool            // there is something to write
	subs    []*subscription // whose tasks are to be released when they are written
}

func (c *replyChannel) init(of *sharedChannel) {
	c.channel, c.acks.next = of, 1
}

// note notes a task that is to be released when it is written.
func (c *replyChannel) note(t task) {
	if t.kind == giveBack {
		return
	}
	s := t.delivery.sub
	if s.posted == 0 {
		c.subs = append(c.subs, s)
	}
	s.posted++
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
	case giveBack:
		c.requeue(d.tag)
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
	d.sub.left.Add(-1)
	if done.Requeue {
		c.requeue(d.tag)
		return
	}
	d.sub.finished++
	c.channel.pool.replies.Handled.Add(1)
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
		c.direct = c.channel.ch.AppendPublish(c.direct, &p)
		return
	}
	p.Mandatory = true
	c.frames = c.channel.ch.AppendPublish(c.frames, &p)
}

// requeue has the broker deliver a message again.
func (c *replyChannel) requeue(tag uint64) {
	c.frames = c.channel.ch.AppendRequeue(c.frames, tag)
	c.acks.settled(tag)
}

// settle acknowledges or rejects one delivery at this point of the frames.
func (c *replyChannel) settle(tag uint64, reject bool) {
	if reject {
		c.frames = c.channel.ch.AppendReject(c.frames, tag)
	} else {
		c.frames = c.channel.ch.AppendAck(c.frames, tag, false)
	}
	c.acks.settled(tag)
}

// write writes what there is so far, or leaves it for the connection's Flush.
func (c *replyChannel) write(later bool) {
	c.publishBatches()
	c.acks.flush(func(tag uint64, multiple bool) {
		c.frames = c.channel.ch.AppendAck(c.frames, tag, multiple)
	})
	c.frames, c.direct = append(c.frames, c.direct...), c.direct[:0]
	// An error is the channel's end, which its consumer learns elsewhere.
	switch {
	case len(c.frames) == 0:
	case later:
		c.channel.ch.WriteLater(c.frames)
	default:
		c.channel.ch.Write(c.frames)
	}
	for _, s := range c.subs {
		s.written.Add(int64(s.finished))
		s.finished = 0
	}
	if c.frames = c.frames[:0]; cap(c.frames) > batchMemory {
		c.frames, c.direct = nil, nil
	}
}

// release releases the tasks that are written.
func (c *replyChannel) release() {
	for i, s := range c.subs {
		n := s.posted
		s.posted = 0
		s.releaseAll(n)
		c.subs[i] = nil
	}
	c.subs, c.dirty = c.subs[:0], false
}
