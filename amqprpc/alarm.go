package amqprpc

import (
	"container/heap"
	"sync"
	"time"
)

// alarms wakes calls at the times that they ask for. One timer serves many calls, and
// is touched only where one wants to be woken before all others: a timer each would be
// started and stopped with each call, and wake the runtime's poller as often as not.
// Whoever holds the lock of its shard has it to itself.
type alarms struct {
	calls alarmHeap
	timer *time.Timer
	next  time.Time // when the timer fires; zero if it is not running
}

// set has oc woken at a time, and not at the one set before.
func (a *alarms) set(oc *outCall, at time.Time) {
	oc.alarm = at
	if oc.place > 0 {
		heap.Fix(&a.calls, oc.place-1)
	} else {
		heap.Push(&a.calls, oc)
	}
	a.start()
}

// drop forgets oc's alarm. The timer is left alone: it may fire in vain.
func (a *alarms) drop(oc *outCall) {
	if oc.place > 0 {
		heap.Remove(&a.calls, oc.place-1)
	}
}

// ring wakes the calls whose time has come.
func (a *alarms) ring() {
	a.next = time.Time{}
	now := time.Now()
	for len(a.calls) > 0 && !a.calls[0].alarm.After(now) {
		heap.Pop(&a.calls).(*outCall).wake()
	}
	a.start()
}

// start has the timer fire when the first call is to be woken, or before.
func (a *alarms) start() {
	if len(a.calls) == 0 {
		return
	}
	first := a.calls[0].alarm
	if !a.next.IsZero() && !first.Before(a.next) {
		return
	}
	a.next = first
	a.timer.Reset(time.Until(first))
}

// alarmHeap is a heap.Interface of calls, by their alarms; a call's place is its index
// plus one.
type alarmHeap []*outCall

func (h alarmHeap) Len() int           { return len(h) }
func (h alarmHeap) Less(i, j int) bool { return h[i].alarm.Before(h[j].alarm) }

func (h alarmHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}

func (h *alarmHeap) Push(x any) {
	oc := x.(*outCall)
	*h = append(*h, oc)
	oc.place = len(*h)
}

func (h *alarmHeap) Pop() any {
	old := *h
	last := len(old) - 1
	oc := old[last]
	old[last] = nil
	*h = old[:last]
	oc.place = 0
	return oc
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
