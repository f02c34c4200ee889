package amqprpc

import (
	"container/heap"
	"sync"
	"time"
)

// alarmClock rings alarms. One timer serves many, and is touched only where an alarm
// is earlier than all others: a timer for each call would be started and stopped with
// the call, and wake the runtime's poller as often as not. The zero value is ready;
// it is safe for concurrent use.
type alarmClock struct {
	mu      sync.Mutex
	alarms  alarmHeap
	timer   *time.Timer
	began   time.Time     // when the first alarm was set; times count from here
	next    time.Duration // when the timer fires, if it is running
	running bool
}

// alarm calls its target at a time. It is guarded by its clock's lock.
type alarm struct {
	target ringer
	at     time.Duration // of its clock, which takes a third of the memory of a time.Time
	place  int           // in the heap, plus one; 0 is none
}

// ringer is called when an alarm rings, and may be called a moment after the alarm
// was dropped.
type ringer interface{ ring() }

// set has the alarm ring at a time, and not at the one set before.
func (c *alarmClock) set(a *alarm, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.began.IsZero() {
		c.began = time.Now()
	}
	a.at = since(c.began, at)
	if a.place > 0 {
		heap.Fix(&c.alarms, a.place-1)
	} else {
		heap.Push(&c.alarms, a)
	}
	c.start()
}

// drop forgets an alarm. The timer is left alone: it may fire in vain.
func (c *alarmClock) drop(a *alarm) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.place > 0 {
		heap.Remove(&c.alarms, a.place-1)
	}
}

// start has the timer fire when the first alarm is due, or before.
func (c *alarmClock) start() {
	if len(c.alarms) == 0 {
		return
	}
	first := c.alarms[0].at
	if c.running && first >= c.next {
		return
	}
	c.running, c.next = true, first
	after := time.Until(c.began.Add(first))
	if c.timer == nil {
		c.timer = time.AfterFunc(after, c.ring)
	} else {
		c.timer.Reset(after)
	}
}

// ring rings the alarms that are due.
func (c *alarmClock) ring() {
	c.mu.Lock()
	c.running = false
	var due []ringer
	for now := time.Since(c.began); len(c.alarms) > 0 && c.alarms[0].at <= now; {
		due = append(due, heap.Pop(&c.alarms).(*alarm).target)
	}
	c.start()
	c.mu.Unlock()
	for _, r := range due {
		r.ring()
	}
}

// stop ends the timer of a clock that no alarm is set on any more.
func (c *alarmClock) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
}

// alarmHeap implements heap.Interface.
type alarmHeap []*alarm

func (h alarmHeap) Len() int           { return len(h) }
func (h alarmHeap) Less(i, j int) bool { return h[i].at < h[j].at }

func (h alarmHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}

func (h *alarmHeap) Push(x any) {
	a := x.(*alarm)
	*h = append(*h, a)
	a.place = len(*h)
}

func (h *alarmHeap) Pop() any {
	old := *h
	last := len(old) - 1
	a := old[last]
	old[last] = nil
	*h = old[:last]
	a.place = 0
	return a
}
