package transport

import (
	"sync"
	"sync/atomic"
)

// Blocking is the broker's word that it takes no publishes for now, or takes them
// again (https://www.rabbitmq.com/docs/connection-blocked).
type Blocking struct {
	Active bool
	Reason string
}

// Watcher learns what becomes of a connection.
type Watcher struct {
	// Blocked is called at each change, one at a time, on a goroutine of its own.
	Blocked func(Blocking)
	// Lost is called once when the connection is lost or closed, with the reason. It
	// must not wait.
	Lost func(error)
}

// watch tells a watcher what becomes of a connection. It has a goroutine only while the
// watcher learns of changes: a process may have thousands of quiet connections.
type watch struct {
	watcher Watcher
	fault   atomic.Pointer[error] // why the connection is lost, or about to be: whatever was first
	ended   chan struct{}         // closed when nothing is read any more

	mu      sync.Mutex
	changes []Blocking // the first is being told
	tasks   sync.WaitGroup
}

// fail notes that the connection is lost, or about to be, unless that is known already.
func (w *watch) fail(err error) { w.fault.CompareAndSwap(nil, &err) }

// isLost reports whether the connection is lost, or about to be.
func (w *watch) isLost() bool { return w.fault.Load() != nil }

func (w *watch) change(b Blocking) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changes = append(w.changes, b); len(w.changes) == 1 && w.watcher.Blocked != nil {
		w.tasks.Go(w.tell)
	}
}

// tell tells the changes in their order.
func (w *watch) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.changes) > 0 {
		b := w.changes[0]
		w.mu.Unlock()
		w.watcher.Blocked(b)
		w.mu.Lock()
		w.changes = w.changes[1:]
	}
}

// end says that nothing is read any more.
func (w *watch) end() {
	if w.watcher.Lost != nil {
		w.watcher.Lost(*w.fault.Load())
	}
	close(w.ended)
}

// wait waits until neither a Receiver nor the watcher is called any more.
func (w *watch) wait() {
	<-w.ended
	w.tasks.Wait()
}
