package transport

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// reader is the reading half of a socket. One goroutine reads the connection and
// hands messages to their channels' receivers.
type reader struct {
	changing   sync.Mutex                  // of assemblies, which the reading goroutine uses without a lock
	assemblies atomic.Pointer[[]*assembly] // by the channel's number

	// What follows belongs to the reading goroutine.
	frames   *frame.Reader
	spare    *content // for the next message
	deaf     bool     // the connection was refused: all but the end is ignored
	answered bool     // the broker has answered connection.close
}

// Read implements io.Reader, for frames.
func (s *socket) Read(p []byte) (int, error) {
	n, err := s.conn.Read(p)
	if n > 0 {
		s.heard.Store(true)
	}
	return n, err
}

// read reads the connection until it ends.
func (s *socket) read() {
	defer s.finish()
	for !s.answered {
		f, err := s.frames.Next()
		if err != nil {
			s.fail(lostTo(err))
			return
		}
		switch a := s.assemblyOf(f.Channel); {
		case f.Channel == 0:
			s.hear(&f)
		case s.deaf:
		case a == nil:
			s.hearStray(&f)
		case !a.take(&f):
			s.refuseMethod(&f)
		}
	}
}

// finish says that nothing is read any more.
func (s *socket) finish() {
	s.raw.Close() // and no method is written any more that would wait
	s.stopHeartbeat()
	if as := s.assemblies.Load(); as != nil {
		for _, a := range *as {
			if a != nil {
				a.shut(nil)
				a.settle(answer{err: *s.fault.Load()})
			}
		}
	}
	s.end()
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
	r.edit(func(as []*assembly) []*assembly {
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
	r.edit(func(as []*assembly) []*assembly {
		if int(a.channel) < len(as) && as[a.channel] == a {
			as[a.channel] = nil
		}
		return as
	})
}

func (r *reader) edit(f func([]*assembly) []*assembly) {
	r.changing.Lock()
	defer r.changing.Unlock()
	var as []*assembly
	if old := r.assemblies.Load(); old != nil {
		as = slices.Clone(*old)
	}
	as = f(as)
	r.assemblies.Store(&as)
}
