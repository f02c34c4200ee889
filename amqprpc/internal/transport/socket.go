package transport

import (
	"net"
	"sync"
	"time"
)

// frameMax is the frame_max that the driver asks for. Brokers only lower it.
const frameMax = 128 << 10

// socket is the network connection beneath the driver. Its writing half is in
// writer.go, its reading half in reader.go.
type socket struct {
	net.Conn // what is written to and read from: TLS, if there is any
	raw      net.Conn
	timeout  time.Duration // of a write

	watch
	writer
	reader
}

func newSocket(conn, raw net.Conn, timeout time.Duration) *socket {
	s := &socket{Conn: conn, raw: raw, timeout: timeout}
	s.between.L = &s.writing
	s.ended = make(chan struct{})
	s.initReader(conn)
	return s
}

// writer is the writing half of a socket. It bounds every write by a deadline, as
// long as nothing moves: a write that is stuck holds locks that closing the
// connection waits for, so that one stalled peer would hang a process for good. A
// write that fails closes the socket, which ends the driver's reader at once.
type writer struct {
	writing sync.Mutex // held while something is written; the reader does not take it
	between sync.Cond  // signalled when the driver has ended a frame, or a write failed
	scan    driverScan
	pending []byte // frames that wait for a flush
	failed  error

	deadlines sync.Mutex // its own, so that a deadline can end a write under way
	hard      time.Time  // a deadline that the driver has set
	until     time.Time  // the socket's own, as it was set; zero if it was not, or the driver set one since
}

// writePiece is how much has to be written within the timeout: a message of many
// megabytes takes longer than that on many a line.
const writePiece = 64 << 10

// Write implements net.Conn, for the driver.
func (s *socket) Write(p []byte) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.failed != nil {
		return 0, s.failed
	}
	s.scan.write(p)
	s.writePending()
	s.write(p)
	s.between.Broadcast()
	if s.failed != nil {
		return 0, s.failed
	}
	return len(p), nil
}

// when says when frames of a channel are written.
type when uint8

const (
	atOnce when = iota
	later       // they may wait for those of other channels, until flush
	last        // at once, as the channel's last: they are channel.close
)

// writeFrames writes whole frames for one channel; see [Channel.Write].
func (s *socket) writeFrames(a *assembly, frames []byte, w when) error {
	s.lockBetween()
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

// writeAnswer writes a frame that the broker waits for.
func (s *socket) writeAnswer(f []byte) {
	s.lockBetween()
	defer s.writing.Unlock()
	if s.failed == nil {
		s.writePending()
		s.write(f)
	}
}

// lockBetween locks writing between two frames of the driver.
func (s *socket) lockBetween() {
	s.writing.Lock()
	for s.failed == nil && !s.scan.between() {
		s.between.Wait()
	}
}

// flush writes the frames that wait.
func (s *socket) flush() {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.writePending()
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
			_, err = s.Conn.Write(p[:n])
		}
		if err != nil {
			s.failed = err
			s.fail(lostTo(err))
			s.raw.Close()
			s.between.Broadcast()
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
		return s.Conn.SetWriteDeadline(s.hard)
	}
	s.until = deadline
	return s.Conn.SetWriteDeadline(deadline)
}

// SetDeadline implements net.Conn. For writes it counts beside the socket's own
// deadline.
func (s *socket) SetDeadline(t time.Time) error {
	if err := s.SetWriteDeadline(t); err != nil {
		return err
	}
	return s.SetReadDeadline(t)
}

// SetWriteDeadline implements net.Conn. It acts on a write under way, too.
func (s *socket) SetWriteDeadline(t time.Time) error {
	s.deadlines.Lock()
	defer s.deadlines.Unlock()
	s.hard, s.until = t, time.Time{}
	return s.Conn.SetWriteDeadline(t)
}
