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
	// turnHaste is the same where that has just happened, for hasteLasts: to look as
	// often as that costs something, and pays where handlers are slow now and then.
	turnHaste  = 500 * time.Microsecond
	hasteLasts = time.Second
)

// turn is a right that one goroutine has at a time, and that is taken from one that
// does not come back from what it does. It is a number, which each holder gets from
// the last; while it may be taken it is odd. The zero value needs init.
type turn struct {
	now      atomic.Uint64
	since    atomic.Int64 // when it was lent, in nanoseconds after epoch
	watching atomic.Bool
	epoch    time.Time
	taken    func(now uint64) (again bool) // is told the number of a turn that was taken; true if that may well be again soon

	mu    sync.Mutex
	timer *time.Timer
	seen  uint64    // the number when the timer fired last
	hasty time.Time // until then
}

func (t *turn) init(taken func(now uint64) bool) {
	t.epoch, t.taken = time.Now(), taken
	t.timer = time.AfterFunc(time.Hour, t.tick)
	t.timer.Stop()
}

// lend begins what may take long: until reclaim the turn may be taken.
func (t *turn) lend(now uint64, at time.Time) {
	t.since.Store(int64(at.Sub(t.epoch)))
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
	if time.Now().Before(t.hasty) {
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
		lent := time.Since(t.epoch) - time.Duration(t.since.Load())
		if lent >= turnLong && t.now.CompareAndSwap(now, now+1) {
			if t.taken(now + 1) {
				t.hasty = time.Now().Add(hasteLasts)
			}
		}
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
