package amqprpc

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A lone call's request is followed by two messages from the broker: its confirm at
// once, and its reply when a server has answered. Waking a process for each of them
// costs more than all that is done about the call besides, and for the confirm it
// happens just when the server wants the processor. So the socket is told not to report
// less than the confirm and something more, for a while.

const (
	// lowWaterMark is how much has to have come, in bytes, for a confirm alone not to
	// be enough: a basic.ack or basic.nack is a frame of 21.
	lowWaterMark = 22
	// lowWaterPatience is how long less than that may wait, up to twice over: a refusal
	// is to be told, and a confirm to be known.
	lowWaterPatience = 20 * time.Millisecond
)

// lowWater is the mark of a socket below which what has come is not reported. It is
// safe for concurrent use; nil is that of a connection which has none.
type lowWater struct {
	conn     syscall.RawConn
	patience time.Duration
	timer    *time.Timer // while the mark is raised

	raised atomic.Bool
	raises atomic.Uint32
	mu     sync.Mutex
	seen   uint32 // raises when the timer fired last
}

// newLowWater returns the mark of a connection; nil where the system knows none, and for
// TLS, where what comes is longer than what it says.
func newLowWater(conn, raw net.Conn, patience time.Duration) *lowWater {
	socket, ok := raw.(syscall.Conn)
	if !ok || conn != raw {
		return nil
	}
	rc, err := socket.SyscallConn()
	if err != nil || !setLowWater(rc, 1) {
		return nil
	}
	l := &lowWater{conn: rc, patience: patience}
	l.timer = time.AfterFunc(time.Hour, l.tick)
	l.timer.Stop()
	return l
}

// raise keeps back what comes until it is more than a confirm, or the mark has not been
// raised again for the patience. To set it anew for each call would cost more than it
// saves.
func (l *lowWater) raise() {
	if l == nil {
		return
	}
	l.raises.Add(1)
	if l.raised.Load() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = l.raises.Load()
	l.raised.Store(setLowWater(l.conn, lowWaterMark))
	l.timer.Reset(l.patience)
}

func (l *lowWater) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if raises := l.raises.Load(); raises != l.seen {
		l.seen = raises
		l.timer.Reset(l.patience)
		return
	}
	setLowWater(l.conn, 1)
	l.raised.Store(false)
}

// lower ends raise. What has come meanwhile is reported.
func (l *lowWater) lower() {
	if l == nil || !l.raised.Load() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer.Stop()
	setLowWater(l.conn, 1)
	l.raised.Store(false)
}
