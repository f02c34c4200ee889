package transport

import (
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// reader is the reading half of a socket. One goroutine reads the connection and
// hands messages to their channels' receivers, and all else to the driver.
type reader struct {
	changing   sync.Mutex                  // of assemblies, which the reading goroutine uses without a lock
	assemblies atomic.Pointer[[]*assembly] // by the channel's number
	forDriver  pipe

	// What follows belongs to the reading goroutine.
	frames *frame.Reader
	unseen bool      // frames have come that the driver did not see
	shown  time.Time // when the driver saw one last
}

func (r *reader) initReader(conn net.Conn) {
	r.frames = frame.NewReader(conn, frameMax)
	r.shown = time.Now()
	r.forDriver.came.L = &r.forDriver.mu
}

// Read implements net.Conn, for the driver.
func (s *socket) Read(p []byte) (int, error) { return s.forDriver.Read(p) }

// read reads the connection until it ends.
func (s *socket) read() {
	defer s.finish()
	for {
		if !s.frames.Ready() {
			s.showHeartbeat()
		}
		f, err := s.frames.Next()
		if err != nil {
			s.fail(lostTo(err)) // before the driver learns of it, and closes its channels
			s.forDriver.end(err)
			return
		}
		if f.Channel == 0 {
			s.hear(&f)
		} else if a := s.assemblyOf(f.Channel); a != nil && a.take(&f) {
			s.unseen = true
			continue
		}
		s.shown = time.Now()
		s.forDriver.add(&f)
	}
}

// finish says that nothing is read any more.
func (s *socket) finish() {
	if as := s.assemblies.Load(); as != nil {
		for _, a := range *as {
			if a != nil {
				a.shut(nil)
			}
		}
	}
	s.end()
}

// heartbeatShown is how often the driver is shown a heartbeat while frames come that
// it does not see: it takes a silent peer for a dead one.
const heartbeatShown = 250 * time.Millisecond

func (r *reader) showHeartbeat() {
	if !r.unseen {
		return
	}
	r.unseen = false
	if now := time.Now(); now.Sub(r.shown) > heartbeatShown {
		r.shown = now
		r.forDriver.add(&frame.Frame{Type: frame.TypeHeartbeat})
	}
}

func (r *reader) assemblyOf(channel uint16) *assembly {
	as := r.assemblies.Load()
	if as == nil || int(channel) >= len(*as) {
		return nil
	}
	return (*as)[channel]
}

// add gives a channel the lowest number that is free, up to most. It reports whether there
// is one.
func (r *reader) add(a *assembly, most int) (free bool) {
	r.change(func(as []*assembly) []*assembly {
		if len(as) == 0 {
			as = make([]*assembly, 1) // 0 is the connection's own
		}
		n := 1
		for n < len(as) && as[n] != nil {
			n++
		}
		if free = n <= most; !free {
			return as
		}
		a.channel = uint16(n)
		if n == len(as) {
			return append(as, a)
		}
		as[n] = a
		return as
	})
	return free
}

// remove frees the number of a channel that is closed.
func (r *reader) remove(a *assembly) {
	r.change(func(as []*assembly) []*assembly {
		if int(a.channel) < len(as) && as[a.channel] == a {
			as[a.channel] = nil
		}
		return as
	})
}

func (r *reader) change(f func([]*assembly) []*assembly) {
	r.changing.Lock()
	defer r.changing.Unlock()
	var as []*assembly
	if old := r.assemblies.Load(); old != nil {
		as = slices.Clone(*old)
	}
	as = f(as)
	r.assemblies.Store(&as)
}

// pipe is what the driver reads. It has no bound: the driver gets only answers to
// what it has asked, and heartbeats.
type pipe struct {
	mu   sync.Mutex
	came sync.Cond
	buf  []byte
	at   int // buf[at:] has not been read
	err  error
}

// pipeKept is how much memory a pipe keeps for the next frame. A heartbeat has 8 octets, and
// few other frames come once a connection is set up.
const pipeKept = 64

func (p *pipe) add(f *frame.Frame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.buf = frame.AppendFrame(p.buf, f.Type, f.Channel, f.Payload)
	p.came.Signal()
}

func (p *pipe) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
	p.came.Signal()
}

func (p *pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.at == len(p.buf) {
		if p.err != nil {
			return 0, p.err
		}
		p.came.Wait()
	}
	n := copy(b, p.buf[p.at:])
	if p.at += n; p.at == len(p.buf) {
		p.buf, p.at = p.buf[:0], 0
		if cap(p.buf) > pipeKept {
			p.buf = nil
		}
	}
	return n, nil
}
