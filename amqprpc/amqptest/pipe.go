package amqptest

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// A pipe is a connection in memory that behaves as TCP on loopback does, where
// that matters: writes return before they are read, up to a limit; a reset
// destroys what is on the way. Its goroutines wait on conditions and timers
// alone, so that it can live in a testing/synctest bubble.

// pipeBuffer is how much one direction holds, as a kernel's socket buffers would.
const pipeBuffer = 256 << 10

// pipeHalf is one direction.
type pipeHalf struct {
	mu      sync.Mutex
	change  sync.Cond
	data    []byte
	ended   bool  // the writer has closed: what is here can still be read
	reset   bool  // … and then the reader sees a reset
	refused bool  // the reader has closed: nothing more can be written
	failure error // of both sides, after a reset

	readDeadline, writeDeadline deadline
}

// deadline is a point in time after which an operation fails.
type deadline struct {
	timer *time.Timer
	at    time.Time
}

func (d *deadline) set(at time.Time, wake func()) {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.at = at
	if wait := time.Until(at); !at.IsZero() && wait > 0 {
		d.timer = time.AfterFunc(wait, wake)
	}
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func newPipeHalf() *pipeHalf {
	h := &pipeHalf{}
	h.change.L = &h.mu
	return h
}

func (h *pipeHalf) wake() {
	h.mu.Lock()
	h.change.Broadcast()
	h.mu.Unlock()
}

func (h *pipeHalf) read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.refused:
			return 0, net.ErrClosed
		case h.failure != nil:
			return 0, h.failure
		case h.readDeadline.passed():
			return 0, os.ErrDeadlineExceeded
		case len(h.data) > 0:
			n := copy(p, h.data)
			if h.data = h.data[n:]; len(h.data) == 0 {
				h.data = nil
			}
			h.change.Broadcast()
			return n, nil
		case h.ended && h.reset:
			return 0, syscall.ECONNRESET
		case h.ended:
			return 0, io.EOF
		case len(p) == 0:
			return 0, nil
		}
		h.change.Wait()
	}
}

func (h *pipeHalf) write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	written := 0
	for {
		switch {
		case h.ended:
			return written, net.ErrClosed
		case h.failure != nil:
			return written, h.failure
		case h.refused:
			return written, syscall.EPIPE
		case h.writeDeadline.passed():
			return written, os.ErrDeadlineExceeded
		}
		if room := pipeBuffer - len(h.data); room > 0 && len(p) > 0 {
			n := min(room, len(p))
			h.data = append(h.data, p[:n]...)
			p, written = p[n:], written+n
			h.change.Broadcast()
		}
		if len(p) == 0 {
			return written, nil
		}
		h.change.Wait()
	}
}

// stop ends one side, or with a failure both.
func (h *pipeHalf) stop(ended, refused bool, failure error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = h.ended || ended
	h.refused = h.refused || refused
	if failure != nil && h.failure == nil {
		h.failure, h.data = failure, nil
	}
	if refused {
		h.data = nil
		h.readDeadline.set(time.Time{}, nil)
	}
	if ended {
		h.writeDeadline.set(time.Time{}, nil)
	}
	h.change.Broadcast()
}

// pipeEnd is one end of a pipe.
type pipeEnd struct {
	in, out *pipeHalf
	name    pipeAddr
	peer    pipeAddr
}

// newPipe returns a pipe's two ends.
func newPipe(client, server string) (*pipeEnd, *pipeEnd) {
	up, down := newPipeHalf(), newPipeHalf()
	return &pipeEnd{in: down, out: up, name: pipeAddr(client), peer: pipeAddr(server)},
		&pipeEnd{in: up, out: down, name: pipeAddr(server), peer: pipeAddr(client)}
}

func (e *pipeEnd) Read(p []byte) (int, error)  { return e.in.read(p) }
func (e *pipeEnd) Write(p []byte) (int, error) { return e.out.write(p) }

func (e *pipeEnd) Close() error {
	e.in.stop(false, true, nil)
	e.out.stop(true, false, nil)
	return nil
}

// endWithReset closes with an error for the peer, once it has read what was sent.
func (e *pipeEnd) endWithReset() {
	e.out.mu.Lock()
	e.out.reset = true
	e.out.mu.Unlock()
	_ = e.Close()
}

// reset closes with an error for the peer, at once.
func (e *pipeEnd) reset() {
	e.in.stop(false, true, syscall.ECONNRESET)
	e.out.stop(true, false, syscall.ECONNRESET)
}

func (e *pipeEnd) LocalAddr() net.Addr  { return e.name }
func (e *pipeEnd) RemoteAddr() net.Addr { return e.peer }

func (e *pipeEnd) SetDeadline(t time.Time) error {
	_ = e.SetReadDeadline(t)
	return e.SetWriteDeadline(t)
}

func (e *pipeEnd) SetReadDeadline(t time.Time) error {
	h := e.in
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refused {
		return net.ErrClosed
	}
	h.readDeadline.set(t, h.wake)
	h.change.Broadcast()
	return nil
}

func (e *pipeEnd) SetWriteDeadline(t time.Time) error {
	h := e.out
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return net.ErrClosed
	}
	h.writeDeadline.set(t, h.wake)
	h.change.Broadcast()
	return nil
}

// pipeAddr is the address of a pipe's end.
type pipeAddr string

func (pipeAddr) Network() string  { return "pipe" }
func (a pipeAddr) String() string { return string(a) }
