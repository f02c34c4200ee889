package amqprpc

import (
	"sync/atomic"
	"time"
)

// A request whose handler takes a few microseconds is handled by the goroutine that
// reads the connection, inline, and the replies to all that came together are written
// together: to hand each to a worker, and its reply to a writer, would cost more than the
// handlers do. Which queues' handlers are as quick as that is seen by trying; one that
// turns out not to be does not keep the connection from being read (see turn).

const (
	// inlineQuick is how long a handler may take to be a quick one; one that takes longer
	// than inlineSlow counts twice.
	inlineQuick = 100 * time.Microsecond
	inlineSlow  = 500 * time.Microsecond
	// inlineBody is how long a request may be to be handled inline.
	inlineBody = 64 << 10
)

// pace is what share of a queue's requests has taken long of late. Of two at once one
// may be lost.
type pace struct{ slow atomic.Int32 } // in paceOne

const (
	paceOne    = 1 << 16
	paceMemory = 256          // requests that the share goes back, about
	paceMost   = paceOne / 32 // of slow ones, for requests to be handled inline
)

// init has a queue's handlers taken for slow ones until some two hundred were quick.
func (p *pace) init() { p.slow.Store(2 * paceMost) }

func (p *pace) took(d time.Duration) {
	slow := p.slow.Load()
	switch slow -= slow / paceMemory; {
	case d > inlineSlow:
		slow += 2 * paceOne / paceMemory
	case d > inlineQuick:
		slow += paceOne / paceMemory
	}
	p.slow.Store(min(slow, paceOne))
}

func (p *pace) quick() bool { return p.slow.Load() <= paceMost }

// inline reports whether to handle a request inline; it has a slot then. What has to
// wait for anything before its handler starts, or is to be acknowledged before, is not,
// nor what would overtake others.
func (q *servedQueue) inline(in *inbound) bool {
	return q.pace.quick() && !in.atMostOnce && !in.d.Redelivered && len(in.d.Body) <= inlineBody &&
		len(q.jobs) == 0 && in.lane.link.sock.reader.share.left() && q.slots.tryTake()
}

// run implements job.
func (in *inbound) run(start time.Time) settler {
	in.inline = true
	in.queue.work(in, start)
	return in.lane
}

// prolonged implements job.
func (in *inbound) prolonged() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.unhurried = true
	in.watch()
}

// abandoned implements job.
func (in *inbound) abandoned() { in.lane.settle() }

// keep adds a completion to what is to be written when the lane settles, and reports
// whether it could: not while another goroutine writes.
func (ln *lane) keep(c *completion) bool {
	w := &ln.writer
	if !w.tryLock() {
		return false
	}
	defer w.unlock()
	if !w.kept {
		w.kept = true
		ln.open.Add(1) // the lane is not done before it is written
	}
	w.apply(c)
	if len(w.batch) >= batchLong {
		w.flush()
	}
	return true
}

// settle implements settler. It writes what was kept, or leaves that to whoever is
// writing.
func (ln *lane) settle() {
	w := &ln.writer
	if !w.tryLock() {
		if ln.post(&completion{}) {
			return
		}
		w.lock() // the channel is lost, so that nobody writes for long
	}
	defer w.unlock()
	w.flush()
}
