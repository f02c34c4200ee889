package amqptest

import (
	"net"
	"sync"
	"sync/atomic"
)

const (
	// stallAt is how much may wait for one connection's socket before its
	// consumers are passed over, in bytes; resumeAt is where they come back.
	stallAt  = 256 << 10
	resumeAt = 64 << 10
	// replyLimit is where the connection's own requests wait as well.
	replyLimit = 1 << 20
	// aliasFrom is the size from which a body is written from where it lies.
	aliasFrom = 8 << 10
)

// outbox holds the frames that wait for one connection's writer, in order. Any
// number of them go out in one system call.
type outbox struct {
	size atomic.Int64 // bytes that wait or are being written

	mu      sync.Mutex
	wake    sync.Cond // of the writer
	room    sync.Cond // of the reader that waits for size to fall
	full    [][]byte  // closed segments, bodies among them
	cur     []byte    // the open segment
	flying  []byte    // the open segment of the batch that is being written
	spare   []byte    // memory for the next open segment
	closing bool      // write what is here, then end
	broken  bool      // write nothing any more

	queued bool // is in the broker's list of outboxes to wake; under the broker's lock
}

func newOutbox() *outbox {
	o := &outbox{}
	o.wake.L = &o.mu
	o.room.L = &o.mu
	return o
}

// add appends whatever f appends.
func (o *outbox) add(f func(dst []byte) []byte) {
	o.mu.Lock()
	before := len(o.cur)
	o.cur = f(o.cur)
	o.size.Add(int64(len(o.cur) - before))
	o.mu.Unlock()
}

// begin locks the outbox and returns the open segment to append to; commit
// takes it back. Between them alias may be called.
func (o *outbox) begin() []byte {
	o.mu.Lock()
	return o.cur
}

func (o *outbox) commit(seg []byte, added int) {
	o.cur = seg
	o.size.Add(int64(added))
	o.mu.Unlock()
}

// alias closes the segment and adds body, which must never change, by
// reference; it returns a new open segment.
func (o *outbox) alias(seg, body []byte) []byte {
	if len(seg) > 0 {
		o.full = append(o.full, seg)
		seg = nil
	}
	o.full = append(o.full, body)
	return seg
}

// notify wakes the writer if there is something to write.
func (o *outbox) notify() {
	o.mu.Lock()
	o.wake.Signal()
	o.mu.Unlock()
}

// finish lets the writer write what is here and end.
func (o *outbox) finish() {
	o.mu.Lock()
	o.closing = true
	o.wake.Broadcast()
	o.room.Broadcast()
	o.mu.Unlock()
}

// abandon lets the writer end at once.
func (o *outbox) abandon() {
	o.mu.Lock()
	o.closing, o.broken = true, true
	o.full, o.cur, o.flying, o.spare = nil, nil, nil, nil
	o.wake.Broadcast()
	o.room.Broadcast()
	o.mu.Unlock()
}

// awaitRoom returns when less than limit waits or the writer is ending.
func (o *outbox) awaitRoom(limit int64) {
	if o.size.Load() < limit {
		return
	}
	o.mu.Lock()
	for o.size.Load() >= limit && !o.closing {
		o.room.Wait()
	}
	o.mu.Unlock()
}

// take waits for frames; false means that there will be none.
func (o *outbox) take() (net.Buffers, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.cur) == 0 && len(o.full) == 0 {
		if o.closing {
			return nil, false
		}
		o.wake.Wait()
	}
	if o.broken {
		return nil, false
	}
	batch := net.Buffers(o.full)
	if len(o.cur) > 0 {
		batch = append(batch, o.cur)
	}
	o.full, o.flying, o.cur, o.spare = nil, o.cur, o.spare[:0], nil
	return batch, true
}

// wrote says that the n bytes which take gave out have been written.
func (o *outbox) wrote(n int64) {
	o.mu.Lock()
	if cap(o.flying) <= 2*stallAt && !o.broken {
		o.spare = o.flying[:0]
	}
	o.flying = nil
	if o.size.Add(-n) < replyLimit {
		o.room.Broadcast()
	}
	o.mu.Unlock()
}
