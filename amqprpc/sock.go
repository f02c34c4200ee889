package amqprpc

import (
	"net"
	"sync"
	"time"
)

const (
	// sockBuffer bounds what is gathered while another goroutine writes.
	sockBuffer = 64 << 10
	// sockDirect is the size from which a write is not copied into the buffer.
	sockDirect = 16 << 10
)

// sock is the network connection beneath the driver, and does two things that
// the driver does not.
//
// It bounds every write by a deadline: a publish that is stuck in a write holds
// locks that closing the connection waits for, so that without a bound one
// stalled peer would hang a process for good. A write that fails closes the
// socket, which is how the driver's reader learns of it at once.
//
// And it gathers writes: between cork and uncork they are only buffered, and
// uncork writes for everyone, or leaves its bytes to whoever is writing already.
// There is no timer and no goroutine of its own, so a lone message is never
// delayed. A nil error of a gathered write promises nothing; what becomes of its
// message is learned from confirms, acknowledgements, or the connection's end.
type sock struct {
	net.Conn
	timeout time.Duration

	mu      sync.Mutex
	room    sync.Cond // signalled when writing ends or the buffer was taken
	corks   int
	writing bool
	buf     []byte
	spare   []byte
	err     error
	hard    time.Time // a deadline that the driver has set
}

func newSock(c net.Conn, timeout time.Duration) *sock {
	s := &sock{Conn: c, timeout: timeout}
	s.room.L = &s.mu
	return s
}

// Write implements net.Conn.
func (s *sock) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.writing && len(s.buf)+len(p) > sockBuffer && s.err == nil {
		s.room.Wait()
	}
	if s.err != nil {
		return 0, s.err
	}
	if len(p) >= sockDirect && !s.writing {
		s.flush(p)
		return s.result(len(p))
	}
	s.buf = append(s.buf, p...)
	if s.writing || s.corks > 0 && len(s.buf) < sockBuffer {
		return len(p), nil
	}
	s.flush(nil)
	return s.result(len(p))
}

func (s *sock) result(n int) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	return n, nil
}

// cork begins to gather writes, on all goroutines; uncork ends it.
func (s *sock) cork() {
	s.mu.Lock()
	s.corks++
	s.mu.Unlock()
}

func (s *sock) uncork() {
	s.mu.Lock()
	s.corks--
	if !s.writing && len(s.buf) > 0 {
		s.flush(nil)
	}
	s.mu.Unlock()
}

// flush writes the buffer, then tail, then whatever was gathered meanwhile. It
// is called with the lock held, and lets go of it while it writes.
func (s *sock) flush(tail []byte) {
	s.writing = true
	for (len(s.buf) > 0 || tail != nil) && s.err == nil {
		out := s.buf
		s.buf = s.spare[:0]
		deadline := time.Now().Add(s.timeout)
		if !s.hard.IsZero() && s.hard.Before(deadline) {
			deadline = s.hard
		}
		s.room.Broadcast()
		s.mu.Unlock()
		err := s.Conn.SetWriteDeadline(deadline)
		if err == nil && tail == nil {
			_, err = s.Conn.Write(out)
		} else if err == nil {
			bufs := net.Buffers{out, tail}
			_, err = bufs.WriteTo(s.Conn)
			tail = nil
		}
		if err != nil {
			s.Conn.Close()
		}
		s.mu.Lock()
		s.spare = out
		if err != nil && s.err == nil {
			s.err = err
		}
	}
	s.writing = false
	s.room.Broadcast()
}

// SetDeadline implements net.Conn; for writes it counts beside the sock's own.
func (s *sock) SetDeadline(t time.Time) error {
	if err := s.SetWriteDeadline(t); err != nil {
		return err
	}
	return s.SetReadDeadline(t)
}

// SetWriteDeadline implements net.Conn. It acts on a write under way, too.
func (s *sock) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	s.hard = t
	s.mu.Unlock()
	return s.Conn.SetWriteDeadline(t)
}
