package amqprpc

import (
	"sync"
	"sync/atomic"
	"time"
)

// watchPool keeps stopped watches.
type watchPool struct{ pool sync.Pool }

// watch is a timer on a handler: when it fires the request is answered for it.
type watch struct {
	timer *time.Timer
	in    atomic.Pointer[inbound]
}

// watch begins to watch in, for d.
func (q *servedQueue) watch(in *inbound, d time.Duration) *watch {
	w, ok := q.watches.pool.Get().(*watch)
	if !ok {
		w = &watch{}
		w.in.Store(in)
		w.timer = time.AfterFunc(d, func() {
			if in := w.in.Load(); in != nil {
				in.queue.answerLate(in)
			}
		})
		return w
	}
	w.in.Store(in)
	w.timer.Reset(d)
	return w
}

// unwatch ends it. A watch that has fired is not used again: its function may
// still run.
func (q *servedQueue) unwatch(w *watch) {
	if w.timer.Stop() {
		w.in.Store(nil)
		q.watches.pool.Put(w)
	}
}
