package flow

import (
	"encoding/binary"
	"errors"
	"slices"
)

// message is what one side writes at once, as package amqprpc writes it.
type message struct {
	hasState bool
	expected uint64
	limit    int64
	echo     uint64
	missing  bool

	frames   []Frame
	granted  int64  // of an accept
	hasProbe bool   // behind the frames
	probe    uint64 // its number
}

// side is one side of a stream in a model: it combines an Out and an In as package amqprpc
// does. A client is not bound before it has the accept.
type side struct {
	out   Out
	in    In
	bound bool
	plan  plan

	added, taken int  // items
	done         bool // the peer's end was taken
	doubled      bool // the peer wrote something again that had arrived
	again        int  // frames that were written more than once
}

// plan is what a side does.
type plan struct {
	server bool
	items  int   // how many it sends
	size   int   // their payload has
	window int64 // what it grants, and what it has unacknowledged at most
	frames int   // of a message at most
	shrunk int64 // what it grants after its first state; 0 is the same
}

func newSide(p plan) side {
	s := side{plan: p, bound: p.server, out: NewOut(1, p.window), in: NewIn(0, p.window)}
	if p.server {
		s.out, s.in = NewOut(0, p.window), NewIn(1, p.window)
		s.out.Add(Accept, nil)
	}
	return s
}

func (s *side) mayAdd() bool { return s.bound && s.added < s.plan.items && s.out.Room() }

func (s *side) add() {
	payload := make([]byte, s.plan.size)
	payload[0] = byte(s.added)
	s.out.Add(Item, payload)
	s.added++
}

func (s *side) mayClose() bool {
	return (s.plan.server || s.in.expected > 0) && s.added == s.plan.items && !s.out.Ended()
}

func (s *side) mayWrite() bool { return s.bound && (s.out.Ready() || s.out.ProbeDue() || s.in.Due()) }

// write returns the next message.
func (s *side) write() (m message) {
	tell := func() {
		if s.plan.shrunk > 0 {
			s.in.Resize(s.plan.shrunk)
		}
		m.expected, m.limit, m.echo, m.missing = s.in.State()
	}
	if s.in.Pending() {
		m.hasState = true
		tell()
	}
	for len(m.frames) < s.plan.frames {
		high := s.out.high
		f, ok := s.out.Next()
		if !ok {
			break
		}
		if s.out.high == high {
			s.again++
		}
		if f.Kind == Accept {
			m.granted = s.in.Granted()
		}
		m.frames = append(m.frames, f)
	}
	if s.out.ProbeDue() {
		m.hasProbe = true
		m.probe, _ = s.out.Probe()
	}
	return m
}

var (
	errImpossible = errors.New("a state of what was never sent")
)

// receive takes a message. A client is bound by the first one that does not only tell a
// state, and passes over what it tells.
func (s *side) receive(m message) error {
	if !s.bound {
		s.bound = len(m.frames) > 0 || m.hasProbe
		m.hasState = false
	}
	if m.hasState && !s.out.State(m.expected, m.limit, m.echo, m.missing) {
		return errImpossible
	}
	for _, f := range m.frames {
		verdict, err := s.in.Frame(f)
		if err != nil {
			return err
		}
		s.doubled = s.doubled || verdict == Duplicate
		if f.Kind == Accept && verdict == Taken {
			s.out.Grant(m.granted)
		}
	}
	if m.hasProbe {
		s.in.Probed(m.probe)
	}
	return nil
}

var (
	errOrder    = errors.New("an item came twice, or not in its turn")
	errEndEarly = errors.New("the end came before all items")
)

func (s *side) mayTake() bool { return s.in.items.len() > 0 || s.in.ended && !s.done }

// take takes the next item, or the end. The peer has added so many items.
func (s *side) take(peer *side) error {
	if item, ok := s.in.Take(); ok {
		if int(item[0]) != s.taken {
			return errOrder
		}
		s.taken++
		return nil
	}
	if _, s.done = s.in.End(); s.taken != peer.added || !peer.out.Ended() {
		return errEndEarly
	}
	return nil
}

// lost is called when the side has lost its connection, and has another one.
func (s *side) lost() {
	if s.bound && !s.out.Fresh() {
		s.out.Lost()
		s.in.Tell()
	}
}

var (
	errUnacknowledged = errors.New("more is unacknowledged than the window and an item")
	errHeld           = errors.New("more was received than was granted and an item")
	errGranted        = errors.New("more is granted than the window")
)

// check checks the bounds.
func (s *side) check(peer *side) error {
	if s.out.used-s.out.acked >= s.plan.window+Cost(s.plan.size) {
		return errUnacknowledged
	}
	if s.in.received >= s.in.granted+Cost(peer.plan.size) {
		return errHeld
	}
	if s.in.granted > s.in.consumed+s.plan.window {
		return errGranted
	}
	return nil
}

// settled reports whether the side has nothing more to do.
func (s *side) settled(peer *side) bool {
	return s.done && s.taken == peer.plan.items && s.out.Settled() && !s.mayWrite() && !s.in.Pending()
}

func (q *queue[T]) clone() queue[T] {
	c := queue[T]{blocks: slices.Clone(q.blocks), head: q.head, n: q.n}
	for i, b := range c.blocks {
		block := *b
		c.blocks[i] = &block
	}
	return c
}

func (s *side) clone() side {
	c := *s
	c.out.frames, c.in.items = s.out.frames.clone(), s.in.items.clone()
	return c
}

func appendBools(dst []byte, bs ...bool) []byte {
	var v uint64
	for i, b := range bs {
		if b {
			v |= 1 << i
		}
	}
	return binary.AppendUvarint(dst, v)
}

func appendNumbers(dst []byte, ns ...uint64) []byte {
	for _, n := range ns {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

// append adds all that makes the side's further life.
func (s *side) append(dst []byte) []byte {
	o, i := &s.out, &s.in
	dst = appendBools(dst, s.bound, s.done, o.probeDue, o.asking, o.holding, o.ended, i.missed, i.pending, i.due, i.ended, s.again > 0, s.doubled)
	return appendNumbers(dst, uint64(s.added), uint64(s.taken),
		o.base, o.next, o.write, o.high, uint64(o.used), uint64(o.acked), uint64(o.limit), o.probe, o.probed,
		i.expected, uint64(i.received), uint64(i.consumed), uint64(i.granted), uint64(i.window), uint64(i.told), i.echo)
}

func (m *message) append(dst []byte) []byte {
	dst = appendBools(dst, m.hasState, m.missing, m.hasProbe)
	dst = appendNumbers(dst, m.expected, uint64(m.limit), m.echo, uint64(m.granted), m.probe, uint64(len(m.frames)))
	for _, f := range m.frames {
		dst = append(dst, byte(f.Number))
	}
	return dst
}
