package transport

import (
	"io"
	"net"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// loan is a connection in the hands of the driver, which does the handshake. The driver gets
// the frames of the handshake and no more, since it would keep what it reads ahead. After the
// handshake it finds the connection at its end, so that its goroutines end.
type loan struct {
	net.Conn // its addresses are all that the driver has of it
	socket   *socket
	rest     []byte        // of a frame that the driver has read in part
	opened   bool          // that frame is the last of the handshake
	over     chan struct{} // closed when the handshake has ended, with success or without
}

func (l *loan) end() {
	l.socket.writing.Lock() // no frame of the driver's is written from now on
	defer l.socket.writing.Unlock()
	close(l.over)
}

// Read implements net.Conn.
func (l *loan) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		if l.opened {
			<-l.over
			return 0, io.EOF
		}
		f, err := l.socket.frames.Next()
		if err != nil {
			return 0, err
		}
		id, _, _ := frame.MethodID(f.Payload)
		l.opened = f.Type == frame.TypeMethod && id == frame.IDConnectionOpenOk
		l.rest = frame.AppendFrame(nil, f.Type, f.Channel, f.Payload)
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// Write implements net.Conn.
func (l *loan) Write(p []byte) (int, error) {
	s := l.socket
	s.writing.Lock()
	defer s.writing.Unlock()
	select {
	case <-l.over:
	default:
		s.write(p)
		if s.failed != nil {
			return 0, s.failed
		}
	}
	return len(p), nil
}

// Close implements net.Conn. Whoever has lent the connection closes it.
func (*loan) Close() error { return nil }

// SetDeadline implements net.Conn. Whoever has lent the connection bounds the handshake.
func (*loan) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (*loan) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (*loan) SetWriteDeadline(time.Time) error { return nil }
