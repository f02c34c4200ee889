package amqprpc

import (
	"encoding/binary"
	"net"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

const (
	// sockBuffer bounds what is gathered while another goroutine writes.
	sockBuffer = 64 << 10
	// sockDirect is the size from which a write is not copied into the buffer.
	sockDirect = 16 << 10
	// sockPiece is how much has to be written within the timeout: a message of
	// many megabytes takes longer than that on many a line.
	sockPiece = 64 << 10
	// sockTurn is how often one writer writes for the others before the next takes over.
	sockTurn = 8
	// sockFrameMax is the frame_max that the driver asks for; brokers only lower it.
	sockFrameMax = 128 << 10
)

// sock is the network connection beneath the driver. The driver does the
// handshake, topology, heartbeats and the close; messages go past it. Each
// message costs the driver some hundred allocations and six goroutine switches
// a round trip, so here the engine's own frames are written between the
// driver's, and the frames that bring it deliveries, returns and confirms are
// taken out of the stream before the driver sees them (see tap).
//
// It also bounds every write by a deadline, as long as nothing moves. A write that is stuck holds locks
// that closing the connection waits for, so that without a bound one stalled
// peer would hang a process for good. A write that fails closes the socket, which
// is how the driver's reader learns of it at once.
type sock struct {
	net.Conn // what is written to and read from: TLS, if there is any
	raw      net.Conn
	timeout  time.Duration

	mu      sync.Mutex
	room    sync.Cond // signalled when the buffer was taken, writing ends, or the driver's frame does
	writing bool
	tired   bool // whoever writes wants to be relieved
	line    line // of writers that wait for room, or to take over
	buf     []byte
	spare   []byte
	err     error
	hard    time.Time // a deadline that the driver has set
	until   time.Time // the sock's own, as it was set; zero if it was not, or the driver set one since
	scan    frameScan // of what the driver writes

	reader reader
	low    *lowWater
}

func newSock(conn, raw net.Conn, timeout time.Duration) *sock {
	s := &sock{Conn: conn, raw: raw, timeout: timeout, low: newLowWater(conn, raw, lowWaterPatience)}
	s.room.L = &s.mu
	s.initReader(conn, raw)
	return s
}

// Read implements net.Conn, for the driver: it reads the frames that are not tapped.
func (s *sock) Read(p []byte) (int, error) { return s.reader.forDriver.Read(p) }

// Write implements net.Conn, for the driver. A nil error promises nothing when
// somebody else is writing: what becomes of the bytes is learned from the
// connection's end.
func (s *sock) Write(p []byte) (int, error) {
	s.low.lower() // the answer may be short
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waitForRoom(len(p), false)
	if s.err != nil {
		return 0, s.err
	}
	s.scan.write(p)
	s.write(p)
	s.room.Broadcast()
	if s.err != nil {
		return 0, s.err
	}
	return len(p), nil
}

// writeFrames writes whole frames for one channel. amqp.ErrClosed means that the
// channel was closed before, or the connection was, and that nothing was written;
// another error, or none, that the broker may have them.
func (s *sock) writeFrames(t *tap, frames []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waitForRoom(len(frames), true)
	if t.closed || s.err != nil {
		if !s.writing {
			s.flush(nil) // what was left to this writer to write
		}
		return amqp.ErrClosed
	}
	s.write(frames)
	return s.err
}

// line is a queue of writers: the ticket of the next to come, and of the first.
type line struct{ next, first uint64 }

func (l *line) empty() bool { return l.next == l.first }

// waitForRoom waits until n bytes fit the buffer, in the order of coming, and, if
// asked, until the driver is between two frames.
func (s *sock) waitForRoom(n int, between bool) {
	for s.err == nil {
		switch {
		case !s.line.empty() || s.full(n):
			ticket := s.line.next
			s.line.next++
			for s.err == nil && (ticket != s.line.first || s.full(n)) {
				s.room.Wait()
			}
			s.line.first++
			s.room.Broadcast()
			if !between || s.scan.between() {
				return
			}
		case between && !s.scan.between():
			s.room.Wait()
		default:
			return
		}
	}
}

// full reports whether n bytes cannot be left to whoever is writing.
func (s *sock) full(n int) bool {
	return s.writing && (s.tired || len(s.buf)+n > sockBuffer)
}

// write writes p, or leaves it to whoever is writing already.
func (s *sock) write(p []byte) {
	switch {
	case s.writing:
		s.buf = append(s.buf, p...)
	case len(p) >= sockDirect:
		s.flush(p)
	default:
		s.buf = append(s.buf, p...)
		s.flush(nil)
	}
}

// flush writes the buffer, then last, then what was gathered meanwhile: until there
// is nothing more, or another writer waits that can go on with it, lest one that
// has done its own be kept by those who always have something. It is called with
// the lock held, and lets go of it while it writes.
func (s *sock) flush(last []byte) {
	s.writing = true
	for turn := 0; s.err == nil && (turn == 0 || len(s.buf) > 0 && s.line.empty()); turn++ {
		s.tired = turn >= sockTurn
		if len(s.buf) > 0 {
			out := s.buf
			s.buf = s.spare[:0]
			s.room.Broadcast()
			s.writeOut(out)
			s.spare = out
		}
		if turn == 0 {
			s.writeOut(last)
		}
	}
	s.writing, s.tired = false, false
	s.room.Broadcast()
}

// writeOut writes to the connection. The lock is held, but for the time that the
// connection takes.
func (s *sock) writeOut(out []byte) {
	for len(out) > 0 && s.err == nil {
		n := min(len(out), sockPiece)
		err := s.bound() // under the lock, lest it undo a deadline that the driver sets
		s.mu.Unlock()
		if err == nil {
			_, err = s.Conn.Write(out[:n])
		}
		if err != nil {
			s.raw.Close()
		}
		s.mu.Lock()
		if err != nil {
			s.err = err
		}
		out = out[n:]
	}
}

// bound sets the deadline of the next write: three quarters of the timeout from now at
// least, since to set it each time wakes the runtime's poller more often than not.
func (s *sock) bound() error {
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
	defer s.mu.Unlock()
	s.hard, s.until = t, time.Time{}
	return s.Conn.SetWriteDeadline(t)
}

// frameScan follows the driver's bytes from frame to frame, so that it is known
// when it is between two, and which channel it opened last.
type frameScan struct {
	greeted bool     // the protocol header is past
	head    [11]byte // of the frame that begins: type, channel, size, class and method
	have    int
	left    int // bytes of the frame to come after head
	opened  uint16
}

const frameHead = 7

func (f *frameScan) between() bool { return f.have == 0 && f.left == 0 }

func (f *frameScan) write(p []byte) {
	if !f.greeted {
		f.greeted = true
		if len(p) >= len(frame.ProtocolHeader) && string(p[:4]) == "AMQP" {
			p = p[len(frame.ProtocolHeader):]
		}
	}
	for len(p) > 0 {
		if f.left > 0 {
			n := min(f.left, len(p))
			f.left -= n
			p = p[n:]
			continue
		}
		want := frameHead
		if f.have >= frameHead {
			want = len(f.head) // of a method its name, too
		}
		n := copy(f.head[f.have:want], p)
		f.have += n
		p = p[n:]
		if f.have == len(f.head) || f.have == frameHead && f.head[0] != frame.TypeMethod {
			f.begin()
		}
	}
}

// begin notes the frame whose head is complete.
func (f *frameScan) begin() {
	size := int(binary.BigEndian.Uint32(f.head[3:7]))
	f.left = size + 1 - (f.have - frameHead)
	if f.have == len(f.head) && frame.ID(binary.BigEndian.Uint32(f.head[7:11])) == frame.IDChannelOpen {
		f.opened = binary.BigEndian.Uint16(f.head[1:3])
	}
	f.have = 0
}
