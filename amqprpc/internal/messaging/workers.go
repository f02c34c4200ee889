package messaging

import "sync"

// workers run the work of one queue on as many goroutines as there is work, up to a
// bound. To add work never waits, so that the goroutine that reads the connection
// may; how much there can be is bounded by the prefetch.
type workers struct {
	most int

	mu      sync.Mutex
	came    sync.Cond
	queue   []Work
	head    int // queue[head:] waits
	running int // goroutines
	idle    int
	stopped bool
	tasks   sync.WaitGroup
}

func (w *workers) init(most int) {
	w.most = most
	w.came.L = &w.mu
}

// add has a worker handle v.
func (w *workers) add(v Work) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.head > 0 && len(w.queue) == cap(w.queue) {
		n := copy(w.queue, w.queue[w.head:])
		clear(w.queue[n:])
		w.queue, w.head = w.queue[:n], 0
	}
	w.queue = append(w.queue, v)
	switch waiting := len(w.queue) - w.head; {
	case w.idle >= waiting:
		w.came.Signal()
	case w.running < w.most && !w.stopped:
		w.running++
		w.tasks.Go(w.run)
	default:
		w.came.Signal()
	}
}

// next waits for work; nil when the workers are stopped.
func (w *workers) next() Work {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.idle++
	defer func() { w.idle-- }()
	for w.head == len(w.queue) {
		if w.stopped {
			return nil
		}
		w.came.Wait()
	}
	v := w.queue[w.head]
	w.queue[w.head] = nil
	if w.head++; w.head == len(w.queue) {
		w.queue, w.head = w.queue[:0], 0
	}
	return v
}

func (w *workers) run() {
	stopped := false
	defer func() {
		if !stopped { // a handler has ended the goroutine, as runtime.Goexit does
			w.tasks.Go(w.run)
		}
	}()
	for v := w.next(); v != nil; v = w.next() {
		w.handle(v)
	}
	stopped = true
}

func (w *workers) handle(v Work) {
	defer v.Base().release()
	v.Handle()
}

// stop has the workers end when no work is left. The returned channel is closed
// when they have.
func (w *workers) stop() <-chan struct{} {
	w.mu.Lock()
	w.stopped = true
	w.came.Broadcast()
	w.mu.Unlock()
	done := make(chan struct{})
	go func() { // ends when the last handler returns
		w.tasks.Wait()
		close(done)
	}()
	return done
}
