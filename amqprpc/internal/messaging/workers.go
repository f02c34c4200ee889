package messaging

import "sync"

// workers run the work of one queue on as many goroutines as there is work, up to a
// bound. To add work never waits, so that the goroutine that reads the connection
// may; how much there can be is bounded by the prefetch.
type workers struct {
	most int

	mu      sync.Mutex
	came    sync.Cond
	queue   fifo[Work]
	current []Work // of each goroutine; nil while it waits
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
	w.queue.push(v)
	switch {
	case w.idle >= w.queue.len():
		w.came.Signal()
	case len(w.current) < w.most && !w.stopped:
		slot := len(w.current)
		w.current = append(w.current, nil)
		w.tasks.Go(func() { w.run(slot) })
	default:
		w.came.Signal()
	}
}

// next waits for work; nil when the workers are stopped.
func (w *workers) next(slot int) Work {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.current[slot] = nil
	w.idle++
	defer func() { w.idle-- }()
	for w.queue.len() == 0 {
		if w.stopped {
			return nil
		}
		w.came.Wait()
	}
	v := w.queue.pop()
	w.current[slot] = v
	return v
}

// waiting takes the work out that no worker has.
func (w *workers) waiting() []Work {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.queue.popUpTo(w.queue.len(), nil)
}

// each calls f with all work that is being handled. f must not wait.
func (w *workers) each(f func(Work)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range w.current {
		if v != nil {
			f(v)
		}
	}
}

// all calls f with all work that is being handled or waits. f must not wait.
func (w *workers) all(f func(Work)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, some := range [][]Work{w.current, w.queue.all()} {
		for _, v := range some {
			if v != nil {
				f(v)
			}
		}
	}
}

func (w *workers) run(slot int) {
	stopped := false
	defer func() {
		if !stopped { // a handler has ended the goroutine, as runtime.Goexit does
			w.tasks.Go(func() { w.run(slot) })
		}
	}()
	for v := w.next(slot); v != nil; v = w.next(slot) {
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
