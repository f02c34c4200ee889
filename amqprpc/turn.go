package amqprpc

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// turnPatience is how often it is looked whether what a goroutine does in its turn
	// takes longer than turnLong, so that the turn is to be another's.
	turnPatience = 10 * time.Millisecond
	turnLong     = 100 * time.Microsecond
	// turnHaste is how long it may take where that has just happened, for hasteLasts.
	turnHaste  = 500 * time.Microsecond
	hasteLasts = time.Second
)

// turn is a right that one goroutine has at a time, and that is taken from one that
// does not come back from what it does. It is a number, which each holder gets from
// the last; while it may be taken it is odd. The zero value needs init.
type turn struct {
	now      atomic.Uint64
	since    atomic.Int64 // when it was lent, in nanoseconds after epoch
	hasty    atomic.Int64 // until then, in these
	watching atomic.Bool
	epoch    time.Time
	taken    func(now uint64) (again bool) // is told the number of a turn that was taken; true if that may well be again soon

	// In haste a bell rings, where there is one, instead of a timer that fires: each time
	// that one does, two threads wake.
	newBell func(ring func()) *bell
	bell    atomic.Pointer[bell]
	rings   atomic.Bool // the bell is set; whose turn it is sets and mutes it

	mu    sync.Mutex
	timer *time.Timer
	seen  uint64 // the number when the timer fired last
}

// init makes the turn ready. Without newBell it has no bell.
func (t *turn) init(taken func(now uint64) bool, newBell func(ring func()) *bell) {
	t.epoch, t.taken, t.newBell = time.Now(), taken, newBell
	t.timer = time.AfterFunc(time.Hour, t.tick)
	t.timer.Stop()
}

// lend begins what may take long: until reclaim the turn may be taken.
func (t *turn) lend(now uint64, at time.Time) {
	since := int64(at.Sub(t.epoch))
	t.since.Store(since)
	if since < t.hasty.Load() && !t.rings.Load() {
		if b := t.bell.Load(); b != nil {
			t.rings.Store(true)
			b.set(turnHaste)
		}
	}
	t.now.Store(now + 1)
	if !t.watching.Load() {
		t.watch()
	}
}

// reclaim ends lend. It reports whether the turn was not taken meanwhile, and has then
// another number.
func (t *turn) reclaim(now *uint64) bool {
	if !t.now.CompareAndSwap(*now+1, *now+2) {
		return false
	}
	*now += 2
	return true
}

// idle is called between lends when the next one may be long in coming.
func (t *turn) idle() {
	if t.rings.Load() {
		t.rings.Store(false)
		t.bell.Load().set(0)
	}
}

// end is called when the turn is not lent any more, and nobody else's.
func (t *turn) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if b := t.bell.Load(); b != nil {
		b.close()
	}
}

func (t *turn) watch() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.watching.Load() {
		return
	}
	t.watching.Store(true)
	t.seen = t.now.Load()
	t.timer.Reset(t.pause())
}

func (t *turn) pause() time.Duration {
	if t.bell.Load() == nil && int64(time.Since(t.epoch)) < t.hasty.Load() {
		return turnHaste
	}
	return turnPatience
}

// tick takes the turn if what is done in it takes too long. When nothing was done since
// the last tick there is no next one.
func (t *turn) tick() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now.Load()
	switch {
	case now%2 == 1:
		t.look(now)
	case now == t.seen:
		t.watching.Store(false)
		if t.now.Load() == now { // else lend may have seen it watch still
			return
		}
		t.watching.Store(true)
	}
	t.seen = t.now.Load()
	t.timer.Reset(t.pause())
}

// ring does what tick does, when the bell rings; and sets it again unless it was muted
// meanwhile, or the turn taken.
func (t *turn) ring() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := t.now.Load(); now%2 == 1 {
		t.look(now)
	}
	if t.rings.Load() {
		t.bell.Load().set(turnLong)
	}
}

// look takes the turn if it was lent, as this number, long ago. The lock is held.
func (t *turn) look(now uint64) {
	at := time.Since(t.epoch)
	if at-time.Duration(t.since.Load()) < turnLong || !t.now.CompareAndSwap(now, now+1) {
		return
	}
	t.rings.Store(false)
	if t.bell.Load() == nil && t.newBell != nil {
		t.bell.Store(t.newBell(t.ring))
	}
	was := t.hasty.Load()
	t.hasty.Store(int64(at + hasteLasts)) // before anybody has the turn and lends it
	if !t.taken(now + 1) {
		t.hasty.Store(was)
	}
}
