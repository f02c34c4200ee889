package transport

import (
	"net"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// frameMax is the frame_max that the driver asks for. Brokers only lower it.
const frameMax = 128 << 10

// socket is the network connection, and what goes on there. Its reading half is in reader.go.
type socket struct {
	conn    net.Conn // what is written to and read from: TLS, if there is any
	raw     net.Conn
	timeout time.Duration // of a write

	watch
	writer
	reader
	heartbeat
}

func newSocket(conn, raw net.Conn, timeout time.Duration) *socket {
	s := &socket{conn: conn, raw: raw, timeout: timeout}
	s.ended = make(chan struct{})
	s.frames = frame.NewReader(s, frameMax)
	return s
}

// writer is the writing half of a socket. It bounds every write by a deadline, as
// long as nothing moves: a write that is stuck holds the lock that closing the
// connection waits for, so that one stalled peer would hang a process for good. A
// write that fails closes the socket, which ends the reader at once.
type writer struct {
	writing sync.Mutex // held while something is written; the reader does not take it
	pending []byte     // frames that wait for a flush
	failed  error      // why nothing is written any more

	deadlines sync.Mutex // its own, so that a deadline can end a write under way
	hard      time.Time  // a deadline that was set
	until     time.Time  // the socket's own, as it was set; zero if it was not, or another was set since
}

// writePiece is how much has to be written within the timeout: a message of many
// megabytes takes longer than that on many a line.
const writePiece = 64 << 10

// when says when frames of a channel are written.
type when uint8

const (
	atOnce when = iota
	later       // they may wait for those of other channels, until flush
	last        // at once, as the channel's last: they are channel.close
)

// writeFrames writes whole frames for one channel; see [Channel.Write].
func (s *socket) writeFrames(a *assembly, frames []byte, w when) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	// A close-ok has to take the lock as well, so that it cannot overtake frames that
	// found the channel open.
	if a.ending.Load() != 0 || s.failed != nil {
		return ErrClosed
	}
	if w == later && len(s.pending)+len(frames) <= writePiece {
		s.pending = append(s.pending, frames...)
		return nil
	}
	if w == last {
		a.ending.Or(closeSent)
	}
	s.writePending()
	s.write(frames)
	return s.failed
}

// writeNow writes a frame that is no channel's to write, and what waits for a flush.
func (s *socket) writeNow(f []byte) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.writePending()
	s.write(f)
}

// writeLast writes the last frame of the connection.
func (s *socket) writeLast(f []byte) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.writePending()
	s.write(f)
	if s.failed == nil {
		s.failed = ErrClosed
	}
}

func (s *socket) writePending() {
	if len(s.pending) > 0 {
		s.write(s.pending)
		s.pending = s.pending[:0]
	}
}

func (s *socket) write(p []byte) {
	for len(p) > 0 && s.failed == nil {
		n := min(len(p), writePiece)
		err := s.extendDeadline()
		if err == nil {
			_, err = s.conn.Write(p[:n])
			s.wrote = true
		}
		if err != nil {
			s.failed = err
			s.fail(lostTo(err))
			s.raw.Close()
		}
		p = p[n:]
	}
}

// extendDeadline sets the deadline of the next write: at least three quarters of the
// timeout from now, since to set it each time wakes the runtime's poller more often
// than not.
func (s *socket) extendDeadline() error {
	s.deadlines.Lock()
	defer s.deadlines.Unlock()
	now := time.Now()
	if s.until.Sub(now) >= s.timeout*3/4 {
		return nil
	}
	deadline := now.Add(s.timeout)
	if !s.hard.IsZero() && s.hard.Before(deadline) {
		return s.conn.SetWriteDeadline(s.hard)
	}
	s.until = deadline
	return s.conn.SetWriteDeadline(deadline)
}

// bound sets a deadline for all writes, beside the socket's own. It acts on a write under
// way, too.
func (s *socket) bound(t time.Time) {
	s.deadlines.Lock()
	defer s.deadlines.Unlock()
	s.hard, s.until = t, time.Time{}
	s.conn.SetWriteDeadline(t)
}
