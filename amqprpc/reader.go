package amqprpc

import (
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// reader is the reading half of a sock. One goroutine reads the connection: it is
// its turn. What comes is for the taps or, if it is not theirs, for the driver.
//
// A tap may leave a job, which the same goroutine does: to hand a few microseconds'
// work to another would cost more than the work. If the job takes long, the turn goes
// to a new goroutine, which reads on, and the one that does the job ends with it.
type reader struct {
	taps atomic.Pointer[[]*tap]
	turn turn

	// What follows belongs to the goroutine whose turn it is.
	frames *frame.Reader
	tapped bool      // frames have come that the driver did not see
	shown  time.Time // when the driver saw one last
	job    job       // that is being done; nil while none is
	owing  []settler // have kept back what jobs left to write
	jobs   int       // since they settled
	began  time.Time // the first of these
	share  share     // of the time that jobs have

	forDriver pipe
}

// job is work that a tap leaves to the goroutine that reads.
type job interface {
	// run does it. What it returns, if not nil, is to settle before more is waited
	// for. A run that takes long goes on on a goroutine that does not read any more.
	run(start time.Time) settler
	// prolonged is called when a run has taken that long, on another goroutine.
	prolonged()
	// abandoned is called after a run that took long, or that ended its goroutine.
	abandoned()
}

// settler writes what jobs have left to be written together.
type settler interface{ settle() }

func (s *sock) initReader(conn, raw net.Conn) {
	r := &s.reader
	r.frames = frame.NewReader(conn, sockFrameMax)
	r.shown = time.Now()
	r.forDriver.came.L = &r.forDriver.mu
	bells := newBell
	if _, ok := raw.(syscall.Conn); !ok {
		bells = nil // what is no socket may live in another time than the kernel's
	}
	r.turn.init(func(turn uint64) (again bool) {
		j := r.job // nil while it settles
		if j != nil {
			j.prolonged()
		}
		go s.read(turn)
		return j != nil
	}, bells)
}

// signOfLife is how often the driver is shown a heartbeat while frames come that
// it does not see: it takes a silent peer for a dead one.
const signOfLife = 250 * time.Millisecond

// read reads the connection until it ends or the turn is another's.
func (s *sock) read(turn uint64) {
	r := &s.reader
	for {
		if !r.frames.Ready() {
			if !s.settle(&turn) {
				return
			}
			r.turn.idle()
			r.showLife()
		}
		f, err := r.frames.Next()
		if err != nil {
			if s.settle(&turn) { // a bad frame may follow on good ones
				r.turn.end()
				r.forDriver.end(err)
			}
			return
		}
		t := r.tapOf(f.Channel)
		if t != nil && f.Type == frame.TypeMethod {
			s.noteClose(t, f.Payload)
		}
		if t == nil || !t.take(&f) {
			r.shown = time.Now()
			r.forDriver.add(&f)
			continue
		}
		r.tapped = true
		if j := t.job; j != nil {
			t.job = nil
			if !s.do(&turn, j) {
				return
			}
		}
	}
}

// do does a job, and reports whether it is still the caller's turn.
func (s *sock) do(turn *uint64, j job) (mine bool) {
	r := &s.reader
	start := time.Now()
	if r.jobs++; r.jobs == 1 {
		r.began = start
	}
	r.job = j
	r.turn.lend(*turn, start)
	ran := false
	defer func() {
		if ran && mine {
			return
		}
		j.abandoned()
		if !ran && r.turn.reclaim(turn) {
			go s.read(*turn) // the job ended its goroutine, as runtime.Goexit does
		}
	}()
	owes := j.run(start)
	ran = true
	if mine = r.turn.reclaim(turn); !mine {
		return false
	}
	if owes != nil && !slices.Contains(r.owing, owes) {
		r.owing = append(r.owing, owes)
	}
	return r.jobs < writeBatch || s.settle(turn)
}

// settle has everybody write what the jobs have left to be written, and reports
// whether it is still the caller's turn.
func (s *sock) settle(turn *uint64) bool {
	r := &s.reader
	if r.jobs > 0 {
		r.share.took(r.began)
		r.jobs = 0
	}
	for len(r.owing) > 0 {
		last := len(r.owing) - 1
		owes := r.owing[last]
		r.owing[last], r.owing = nil, r.owing[:last]
		r.job = nil
		r.turn.lend(*turn, time.Now())
		owes.settle()
		if !r.turn.reclaim(turn) {
			return false
		}
	}
	return true
}

// showLife makes the driver read a heartbeat, if it has read nothing for a while.
func (r *reader) showLife() {
	if !r.tapped {
		return
	}
	r.tapped = false
	if now := time.Now(); now.Sub(r.shown) > signOfLife {
		r.shown = now
		r.forDriver.add(&frame.Frame{Type: frame.TypeHeartbeat})
	}
}

func (r *reader) tapOf(channel uint16) *tap {
	taps := r.taps.Load()
	if taps == nil || channel == 0 {
		return nil
	}
	for i := len(*taps) - 1; i >= 0; i-- { // a channel's number may come again
		if t := (*taps)[i]; t.channel == channel {
			return t
		}
	}
	return nil
}

// noteClose marks a channel that the broker closes before the driver answers:
// what is written to it afterwards would end the connection.
func (s *sock) noteClose(t *tap, payload []byte) {
	if id, _, _ := frame.MethodID(payload); id == frame.IDChannelClose {
		s.mu.Lock()
		t.closed = true
		s.mu.Unlock()
	}
}

// add registers a tap. The channel must have no consumer yet.
func (s *sock) add(t *tap) {
	s.changeTaps(func(taps []*tap) []*tap { return append(taps, t) })
}

// remove forgets a tap whose channel is closed.
func (s *sock) remove(t *tap) {
	s.changeTaps(func(taps []*tap) []*tap {
		return slices.DeleteFunc(taps, func(o *tap) bool { return o == t })
	})
}

// changeTaps replaces the list, which the reader uses without a lock.
func (s *sock) changeTaps(change func([]*tap) []*tap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var taps []*tap
	if old := s.reader.taps.Load(); old != nil {
		taps = slices.Clone(*old)
	}
	taps = change(taps)
	s.reader.taps.Store(&taps)
}

const (
	// shareWindow is how long a share of the time is counted for, and shareMost how much
	// of it jobs may have. Beyond that other goroutines are to do them, and other
	// processors.
	shareWindow = 10 * time.Millisecond
	shareMost   = shareWindow * 3 / 4
)

// share is how much of the time goes to jobs.
type share struct {
	since time.Time // the window's begin
	spent time.Duration
}

func (s *share) took(since time.Time) {
	now := time.Now()
	if now.Sub(s.since) > shareWindow {
		*s = share{since: now}
	}
	s.spent += now.Sub(since)
}

// left reports whether jobs may have more.
func (s *share) left() bool { return s.spent < shareMost || time.Since(s.since) > shareWindow }

// pipe is what the driver reads. It has no bound: what is not tapped are answers to
// what the driver has asked, and heartbeats.
type pipe struct {
	mu   sync.Mutex
	came sync.Cond
	buf  []byte
	at   int // buf[at:] has not been read
	err  error
}

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
	}
	return n, nil
}
