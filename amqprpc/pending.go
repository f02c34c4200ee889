package amqprpc

import (
	"sync"
	"sync/atomic"
	"time"
)

// pendingTable holds the calls in flight by their number, in shards, so that
// concurrent callers and the reader of replies seldom meet at one lock.
type pendingTable struct {
	count  atomic.Int64
	shards [4]pendingShard // more make an idle client larger, and calls no faster
}

type pendingShard struct {
	mu    sync.Mutex
	calls map[uint64]*pendingCall
	clock alarmClock
	_     [32]byte // to the end of a cache line
}

func (t *pendingTable) shard(number uint64) *pendingShard {
	return &t.shards[number%uint64(len(t.shards))]
}

// add registers a call unless limit are registered already.
func (t *pendingTable) add(pc *pendingCall, limit int) bool {
	if t.count.Add(1) > int64(limit) {
		t.count.Add(-1)
		return false
	}
	s := t.shard(pc.number)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls == nil {
		s.calls = make(map[uint64]*pendingCall)
	}
	s.calls[pc.number] = pc
	return true
}

// get returns a registered call, or nil.
func (t *pendingTable) get(number uint64) *pendingCall {
	s := t.shard(number)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[number]
}

func (t *pendingTable) remove(pc *pendingCall) {
	s := t.shard(pc.number)
	s.mu.Lock()
	delete(s.calls, pc.number)
	s.mu.Unlock()
	s.clock.drop(&pc.alarm)
	t.count.Add(-1)
}

// wakeAt has a registered call woken at a time, and not at the one asked for before.
func (t *pendingTable) wakeAt(pc *pendingCall, at time.Time) {
	t.shard(pc.number).clock.set(&pc.alarm, at)
}

// stop ends the timers of a table that no call is added to any more.
func (t *pendingTable) stop() {
	for i := range t.shards {
		t.shards[i].clock.stop()
	}
}

// all returns the calls registered now.
func (t *pendingTable) all() []*pendingCall {
	calls := make([]*pendingCall, 0, t.count.Load())
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for _, pc := range s.calls {
			calls = append(calls, pc)
		}
		s.mu.Unlock()
	}
	return calls
}

// wakePool keeps empty channels of one signal.
type wakePool struct{ pool sync.Pool }

func (p *wakePool) get() chan struct{} {
	if c, ok := p.pool.Get().(chan struct{}); ok {
		return c
	}
	return make(chan struct{}, 1)
}

func (p *wakePool) put(c chan struct{}) { p.pool.Put(c) }
