package messaging

import (
	"runtime"
	"sync"
)

const (
	// batchLong is how long a batch of frames gets before it is written, give or
	// take a message.
	batchLong = 256 << 10
	// batchMemory is how much memory a batch may keep for the next one.
	batchMemory = 4 << 20
	// batchCount is how many entries are prepared before they are written.
	batchCount = 64
)

// outbox holds what waits to be written, and has one goroutine write it. To add
// never waits, so that the goroutine that reads the connection may. Entries that are
// at hand together go in one write.
type outbox[T any] struct {
	mu     sync.Mutex
	queue  fifo[T]
	most   int           // the length at which unwanted entries are looked for
	bell   chan struct{} // receives when the queue is not empty any more
	wanted func(T) bool  // reports whether somebody still waits for the entry; nil is always
}

func (o *outbox[T]) init(wanted func(T) bool) {
	o.bell, o.wanted = make(chan struct{}, 1), wanted
}

const outboxLeast = 256

// add adds an entry at the end.
func (o *outbox[T]) add(v T) {
	o.mu.Lock()
	if o.wanted != nil && o.queue.len() >= max(o.most, outboxLeast) {
		// While there is no connection, calls come and give up.
		o.queue.keep(o.wanted)
		o.most = 2 * o.queue.len()
	}
	o.queue.push(v)
	first := o.queue.len() == 1
	o.mu.Unlock()
	if first {
		signal(o.bell)
	}
}

// putBack adds entries at the front.
func (o *outbox[T]) putBack(vs []T) {
	o.mu.Lock()
	o.queue.pushFront(vs)
	o.mu.Unlock()
	signal(o.bell)
}

// len is how many entries wait.
func (o *outbox[T]) len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.queue.len()
}

// take moves up to batchCount entries to batch, which is empty.
func (o *outbox[T]) take(batch []T) []T {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.queue.popUpTo(batchCount, batch)
}

// preparer makes frames of entries and writes them.
type preparer[T any] interface {
	prepare(T)
	flush()
	// others reports whether more entries may be about to come.
	others() bool
}

// run writes what is added, until done is closed. After the first entries it yields
// once, so that goroutines which are about to add something can: without that each
// message would be a system call of its own.
func (o *outbox[T]) run(done <-chan struct{}, p preparer[T]) {
	var batch []T
	for {
		batch = o.take(batch[:0])
		if len(batch) == 0 {
			select {
			case <-o.bell:
				continue
			case <-done:
				return
			}
		}
		for _, v := range batch {
			p.prepare(v)
		}
		if n := len(batch); n < batchCount && p.others() {
			runtime.Gosched()
			batch = o.take(batch)
			for _, v := range batch[n:] {
				p.prepare(v)
			}
		}
		clear(batch)
		p.flush()
		if isClosed(done) {
			return
		}
	}
}
