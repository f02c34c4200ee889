package amqprpc

import (
	"sync"
	"time"
)

// timerPool keeps stopped timers for the next call.
type timerPool struct{ pool sync.Pool }

func (p *timerPool) get(d time.Duration) *time.Timer {
	if t, ok := p.pool.Get().(*time.Timer); ok {
		t.Reset(d)
		return t
	}
	return time.NewTimer(d)
}

func (p *timerPool) put(t *time.Timer) {
	t.Stop()
	p.pool.Put(t)
}

// readyPool keeps empty channels of one signal.
type readyPool struct{ pool sync.Pool }

func (p *readyPool) get() chan struct{} {
	if c, ok := p.pool.Get().(chan struct{}); ok {
		return c
	}
	return make(chan struct{}, 1)
}

func (p *readyPool) put(c chan struct{}) { p.pool.Put(c) }
