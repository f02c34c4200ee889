package amqprpc

import (
	"runtime"
	"slices"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// completion is what a worker has the lane's writer do: send a message and
// acknowledge or reject a delivery, in this order mostly, or one of both.
type completion struct {
	to     string // where the message goes; "" is nowhere
	reply  amqp.Publishing
	tag    uint64 // of the delivery; 0 is none
	reject bool   // instead of acknowledging: never to be delivered again, but to be dead-lettered
	join   bool   // the message may go with others to the same queue
	before bool   // the delivery is settled before the message: it says that nobody runs the request
	final  *lane  // of the request, where nothing more is to be done for it
}

// writeBatch bounds how many replies go before their acknowledgements.
const writeBatch = 64

// write replies and acknowledges what handlers complete, until all of the lane's
// requests are completed.
func (ln *lane) write() {
	for c := range ln.out {
		ln.writer.write(c)
	}
}

// laneWriter is all that writes a lane's replies and acknowledgements, one goroutine at
// a time, on the channel that the requests came from: the broker keeps the order of what
// one channel sends, so that an acknowledgement never overtakes its reply, or a refusal
// its acknowledgement. Completions that are at hand together go in one write.
type laneWriter struct {
	lane    *lane
	busy    chan struct{} // holds something while a goroutine has the writer
	acks    acknowledgements
	batch   []byte
	batches []replyBatch
	gap     gapWatch
	kept    bool // something was added that whoever did has not written yet
}

func (w *laneWriter) lock()   { w.busy <- struct{}{} }
func (w *laneWriter) unlock() { <-w.busy }

func (w *laneWriter) tryLock() bool {
	select {
	case w.busy <- struct{}{}:
		return true
	default:
		return false
	}
}

func (w *laneWriter) write(c *completion) {
	w.lock()
	defer w.unlock()
	w.apply(c)
	w.gather()
	w.flush()
}

// gather applies what else is at hand, yielding once to workers that are about
// to complete something, if there are requests for it.
func (w *laneWriter) gather() {
	yielded := false
	for n := 1; n < writeBatch && len(w.batch) < batchLong; n++ {
		select {
		case c, ok := <-w.lane.out:
			if !ok {
				return
			}
			w.apply(c)
			continue
		default:
		}
		if yielded || w.lane.left.Load() == 0 {
			return
		}
		yielded = true
		runtime.Gosched()
	}
}

// apply adds one reply to the batch and notes its acknowledgement.
func (w *laneWriter) apply(c *completion) {
	ln := w.lane
	if ln.ctx.Err() != nil {
		return
	}
	if c.before && c.tag != 0 {
		w.settle(c.tag, c.reject)
	}
	switch {
	case c.to == "":
	case c.join && !c.reject && len(c.reply.Body) <= batchReply: // a rejection comes after its reply
		w.join(c)
	default:
		w.publish(c.to, &c.reply)
	}
	if c.final != nil {
		c.final.left.Add(-1)
		ln.queue.server.stats.handled.Add(1)
	}
	switch {
	case c.tag == 0, c.before:
	case c.reject:
		w.settle(c.tag, c.reject)
	default:
		w.acks.add(c.tag)
	}
}

// publish adds a message to the batch.
func (w *laneWriter) publish(to string, p *amqp.Publishing) {
	// 3.10 and 4.0 both deliver a mandatory message to a direct reply-to address and
	// return it.
	mandatory := !strings.HasPrefix(to, directReplyTo)
	w.batch = w.lane.ch.appendPublish(w.batch, to, mandatory, p)
}

// settle acknowledges or rejects one delivery at this point of the batch.
func (w *laneWriter) settle(tag uint64, reject bool) {
	if reject {
		w.Reject(tag)
	} else {
		w.Ack(tag, false)
	}
	w.acks.settled(tag)
}

// flush writes the batch. An error is the channel's end, which the lane learns
// elsewhere.
func (w *laneWriter) flush() {
	w.publishBatches()
	w.acks.flush(w)
	if w.gap.asks(&w.acks) {
		signal(w.lane.gapped)
	}
	if len(w.batch) > 0 {
		w.lane.ch.write(w.batch)
	}
	w.batch = w.batch[:0]
	if cap(w.batch) > batchMemory {
		w.batch = nil
	}
	if w.kept {
		w.kept = false
		w.lane.open.Done()
	}
}

// Ack adds an acknowledgement to the batch.
func (w *laneWriter) Ack(tag uint64, multiple bool) {
	m := frame.BasicAck{DeliveryTag: tag, Multiple: multiple}
	w.batch = m.AppendFrame(w.batch, w.lane.ch.tap.channel)
}

// Reject adds a rejection without requeue.
func (w *laneWriter) Reject(tag uint64) {
	m := frame.BasicReject{DeliveryTag: tag}
	w.batch = m.AppendFrame(w.batch, w.lane.ch.tap.channel)
}

// acknowledgements gathers delivery tags: the run without a gap from the lowest
// outstanding one on goes out as one ack of multiple, and those beyond a gap go
// singly, since waiting for a slow handler to close the gap would fill the
// prefetch window.
type acknowledgements struct {
	next  uint64   // all from here on are outstanding
	gap   []uint64 // and these before it, in their order
	batch []uint64
}

type acker interface {
	Ack(tag uint64, multiple bool)
}

func (a *acknowledgements) add(tag uint64) { a.batch = append(a.batch, tag) }

// settled notes a tag that needs no acknowledgement any more.
func (a *acknowledgements) settled(tag uint64) {
	if tag < a.next {
		if i, ok := slices.BinarySearch(a.gap, tag); ok {
			a.gap = slices.Delete(a.gap, i, i+1)
		}
		return
	}
	for ; a.next < tag; a.next++ {
		a.gap = append(a.gap, a.next)
	}
	a.next++
}

// lowest is the lowest tag that is outstanding.
func (a *acknowledgements) lowest() uint64 {
	if len(a.gap) > 0 {
		return a.gap[0]
	}
	return a.next
}

// beyond is how many are settled beyond a gap.
func (a *acknowledgements) beyond() int { return int(a.next-a.lowest()) - len(a.gap) }

func (a *acknowledgements) flush(ch acker) {
	if len(a.batch) == 0 {
		return
	}
	slices.Sort(a.batch)
	run, length := uint64(0), 0
	for _, tag := range a.batch {
		if tag == a.lowest() {
			a.settled(tag)
			run = tag
			length++
			continue
		}
		if length > 0 {
			ch.Ack(run, length > 1)
			length = 0
		}
		ch.Ack(tag, false)
		a.settled(tag)
	}
	if length > 0 {
		ch.Ack(run, length > 1)
	}
	a.batch = a.batch[:0]
}
