package messaging

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// markerRenewal is how long a marker is held. It is well below the time after
	// which the broker takes a consumer for stuck.
	markerRenewal = 5 * time.Minute
	// markerRetry is how long a marker that was published is waited for.
	markerRetry = 10 * time.Second
)

// keeper holds the marker of a mailbox while a connection lasts. It has no goroutine,
// since clients may be many and idle: its timer runs a step when one is due, and at once
// when something has come.
type keeper struct {
	mailbox *Mailbox
	conn    *Conn
	timer   *time.Timer
	loose   atomic.Bool // the mailbox's consumer got a marker that nobody holds

	turn      sync.Mutex      // held during a step
	ctx       context.Context // of what the connection is used for; nil while it is set up
	marker    *marker
	next      time.Time // when the marker is to be renewed, published again, or opened again
	reopening bool
	wait      backoff
}

// news has a step made at once. It never waits.
func (k *keeper) news() { k.timer.Reset(0) }

// keep begins to hold the marker, until ctx is done.
func (k *keeper) keep(ctx context.Context) {
	k.turn.Lock()
	defer k.turn.Unlock()
	k.ctx = ctx
	k.after(markerRetry)
	if k.marker.holds.tag > 0 {
		k.after(markerRenewal)
	}
	k.news()
}

// stop waits for a step under way, and ends the timer.
func (k *keeper) stop() {
	k.turn.Lock()
	defer k.turn.Unlock()
	k.ctx = nil
	k.timer.Stop()
}

// after says when the next step is due.
func (k *keeper) after(d time.Duration) { k.next = time.Now().Add(d) }

// step does what is due.
func (k *keeper) step() {
	k.turn.Lock()
	defer k.turn.Unlock()
	if k.ctx == nil || k.ctx.Err() != nil || k.conn.IsClosed() {
		return
	}
	m, loose := k.marker, k.loose.Swap(false)
	select {
	case d := <-m.came:
		if m.take(d); m.holds.tag > 0 {
			k.after(markerRenewal)
		}
	default:
	}
	switch due, holds := !time.Now().Before(k.next), m.holds.tag > 0; {
	case k.reopening && due:
		k.reopen()
	case k.reopening: // later
	case m.ended.Load():
		k.mailbox.marks.held.Store(0) // the mailbox's consumer gets the marker, or has got it
		k.reopening = true
		k.after(k.wait.next())
	case loose && holds: // a copy
		k.mailbox.marks.held.Store(m.holds.number)
	case loose, due && !holds:
		m.publish()
		k.after(markerRetry)
	case due:
		m.renew()
		k.after(markerRenewal)
	}
	k.timer.Reset(time.Until(k.next))
	if m = k.marker; k.loose.Load() || len(m.came) > 0 || m.ended.Load() != k.reopening { // it came before the timer was set
		k.news()
	}
}

// reopen opens the marker's channel again: a broker whose consumer_timeout is short
// closes it now and then.
func (k *keeper) reopen() {
	// Not with the keeper's ctx: to give up in the middle costs the connection.
	limit, cancel := context.WithTimeout(context.WithoutCancel(k.ctx), SetupTimeout)
	defer cancel()
	k.marker.ch.Close(limit)
	m, err := k.mailbox.openMarker(limit, k.conn, k.mailbox.address, k.news)
	if err != nil {
		k.after(k.wait.next())
		return
	}
	k.marker, k.reopening = m, false
	m.publish()
	k.after(markerRetry)
}
