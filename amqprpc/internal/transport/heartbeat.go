package transport

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// A heartbeat interval has four ticks. In one tick of two something is written, a heartbeat if
// nothing else. A connection on which nothing was read for five ticks is lost: that is within
// one and a half intervals, and the broker sends something in each half.
const (
	ticks      = 4
	silentMost = 5
)

// heartbeat keeps a connection alive, and finds out when the other side is not. It has one
// timer, which the frames do not touch: a process may have thousands of quiet connections,
// and millions of frames.
type heartbeat struct {
	timer  *time.Timer // nil if the connection has no heartbeats
	tick   time.Duration
	heard  atomic.Bool // something was read since the last tick
	silent int         // ticks in a row without
	wrote  bool        // something was written at the last tick or since; for whoever holds writing
}

// startHeartbeat begins with heartbeats of that interval; 0 is none.
func (s *socket) startHeartbeat(interval time.Duration) {
	if interval == 0 {
		return
	}
	s.tick = interval / ticks
	s.timer = time.AfterFunc(time.Hour, s.beat)
	s.timer.Reset(s.tick)
}

func (s *socket) stopHeartbeat() {
	if s.timer != nil {
		s.timer.Stop()
	}
}

// beat is one tick.
func (s *socket) beat() {
	if s.isLost() {
		return
	}
	if s.silent++; s.heard.Swap(false) {
		s.silent = 0
	}
	if s.silent == silentMost {
		s.fail(fmt.Errorf("the connection was lost: the broker has sent nothing for %v", silentMost*s.tick))
		s.raw.Close()
		return
	}
	s.timer.Reset(s.tick) // before the write, which may take its time
	if !s.writing.TryLock() {
		return // something is being written
	}
	defer s.writing.Unlock()
	if s.wrote {
		s.wrote = false
		return
	}
	s.writePending()
	s.write(frame.AppendHeartbeat(nil))
}
