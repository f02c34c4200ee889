package amqprpc

import (
	"sync/atomic"
	"time"
)

// pressure is what a queue's server knows of how busy it is. A queue that holds more
// than its servers can do in time hands out, since it is first in first out and drops
// only what has expired, nothing but requests that are about to expire: each is begun
// and none is answered in time. So a server whose handlers are all busy refuses what
// it will not finish, and has its time for what it will.
type pressure struct {
	bound   int64        // requests that the server can have at once
	typical atomic.Int64 // what a handler takes, in nanoseconds; a moving average, 0 if unknown
	busyAt  atomic.Int64 // when more than half of the bound was last used, in unix nanoseconds

	latest lastWait
}

// calmAfter is how long a server must not have been busy before it is certain that
// requests come as they are sent: the broker would have handed out those that wait.
const calmAfter = time.Second

// used notes that there were n requests at a time.
func (p *pressure) used(n int64, at time.Time) {
	if 2*n > p.bound {
		p.busyAt.Store(at.UnixNano())
	}
}

// calm reports whether the server has not been busy for long enough.
func (p *pressure) calm(at time.Time) bool {
	return at.UnixNano()-p.busyAt.Load() >= int64(calmAfter)
}

// took notes how long a handler took. Of two at once one may be lost.
func (p *pressure) took(d time.Duration) {
	old := p.typical.Load()
	if old == 0 {
		old = int64(d)
	}
	p.typical.Store(max(old+(int64(d)-old)/16, 1))
}

// arrives finds out how long a request was in the queue.
func (q *servedQueue) arrives(in *inbound) {
	p, d := &q.pressure, &in.d
	calm := p.calm(in.arrived)
	p.used(q.load.Load()+1, in.arrived)
	if in.expires < 0 || d.Redelivered || d.Priority > 0 {
		return // it has no end, or was not first in first out
	}
	_, again := d.Headers[headerDeliveries]
	stated, ok := in.statedDeadline()
	if !ok || again || d.ReplyTo == "" {
		return
	}
	now := in.arrived.UnixMilli()
	if stated < now-maxDeadlineMillis || stated > now+maxDeadlineMillis {
		return // of what clock?
	}
	lag := time.Duration(now-stated)*time.Millisecond + in.expires
	in.waited = q.server.clocks.waited(in, lag, calm, &p.latest)
}

// hopeless reports whether a request is better not begun: the handlers are busy, more
// than half of its time has passed, and a handler takes longer than the rest.
func (q *servedQueue) hopeless(in *inbound) bool {
	p := &q.pressure
	typical := time.Duration(p.typical.Load())
	if typical == 0 || in.d.ReplyTo == "" || 4*q.load.Load() < 3*p.bound {
		return false
	}
	left, most := time.Until(in.deadline), time.Duration(0)
	if left <= 0 {
		return false // and it will not be begun, for that
	}
	if in.expires >= 0 {
		left = min(left, time.Until(in.arrived.Add(in.expires-in.waited)))
		most = in.expires / 2
	}
	return left < min(typical+typical/2+handlingMargin, most)
}

// handlingMargin is what a reply needs to reach its caller.
const handlingMargin = 2 * time.Millisecond
