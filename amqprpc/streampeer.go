package amqprpc

import (
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

const (
	// streamBeat is how often two processes with streams between them hear of each other,
	// at least.
	streamBeat = 15 * time.Second
	// streamQuiet is how long a stream may be silent before its peer is asked whether it
	// still knows the stream: a reset may be lost.
	streamQuiet = time.Minute
	// streamMisses is how many beats may be missed.
	streamMisses = 3
	// streamAsk is how long a peer that owes an acknowledgement may be silent before it is
	// asked. Each further question waits twice as long, up to a beat.
	streamAsk = 250 * time.Millisecond
)

// peer is a process that has streams with this one, and is known by the queue where it
// receives.
type peer struct {
	address     string
	streams     map[*stream]bool // guarded by the streams' lock
	heard, said atomic.Int64     // when the last message came and went, in nanoseconds of the streams' life

	// Of the goroutine that minds the peers:
	asks   int   // how often the peer was asked in vain
	since  int64 // what heard was then
	beaten int64 // when the streams were last asked one by one
}

// spoke notes that a message is about to be sent.
func (p *peer) spoke(h *streams) { p.said.Store(h.age()) }

// mind keeps an eye on all peers, as long as there are any.
func (h *streams) mind() {
	tick := time.NewTicker(streamAsk)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-h.quit:
			return
		}
		h.mu.Lock()
		peers := make([]*peer, 0, len(h.peers))
		for _, p := range h.peers {
			peers = append(peers, p)
		}
		h.minding = len(peers) > 0
		h.mu.Unlock()
		if len(peers) == 0 {
			return
		}
		for _, p := range peers {
			h.look(p)
		}
	}
}

// look finds out whether a peer is alive, and tells it that this side is.
func (h *streams) look(p *peer) {
	streams := h.of(p)
	if h.stall > 0 {
		for _, s := range streams {
			if d := s.stalledFor(); d > h.stall {
				s.finish(Errorf(CodeResourceExhausted, "the other side has taken nothing for %v (WithStallLimit)", d.Round(time.Millisecond)), true)
			}
		}
	}
	up := h.up.Load()
	if up == 0 {
		return // nothing can be heard now
	}
	now := h.age()
	if silence := time.Duration(now - max(p.heard.Load(), up)); silence > streamMisses*streamBeat {
		for _, s := range streams {
			s.finish(errPeerGone("nothing was heard of it for "+silence.Round(time.Second).String()), true)
		}
		return
	}
	if time.Duration(now-p.beaten) >= streamBeat {
		// A peer that says much of one stream may have lost what was the last of another.
		p.beaten = now
		for _, s := range streams {
			s.beat()
		}
	}
	for _, s := range streams {
		if time.Duration(now-max(s.heard.Load(), up)) >= streamQuiet {
			s.heard.Store(now)
			s.check()
		}
	}
	if heard := p.heard.Load(); heard != p.since {
		p.since, p.asks = heard, 0
	}
	if time.Duration(now-max(p.since, up)) >= min(streamAsk<<p.asks, streamBeat) && ask(streams) {
		p.asks = min(p.asks+1, 8)
		return
	}
	if len(streams) > 0 && time.Duration(now-p.said.Load()) >= streamBeat && !ask(streams) {
		p.spoke(h)
		remote, _ := streams[0].other()
		h.note(p.address, remote, streams[0].local, protocol.StreamFrame{Type: protocol.FrameBeat})
	}
}

// ask asks for the state of all streams with something unacknowledged, and reports whether
// there is one.
func ask(streams []*stream) (asked bool) {
	for _, s := range streams {
		asked = s.unacknowledged() && s.beat() || asked
	}
	return asked
}

func (h *streams) of(p *peer) []*stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*stream, 0, len(p.streams))
	for s := range p.streams { // in random order: a beat names one that may have ended
		all = append(all, s)
	}
	return all
}

// errPeerGone is the error of a stream whose other side does not live any more, as far as
// is known.
func errPeerGone(why string) *Error {
	return Errorf(CodeUnavailable, "the other side of the stream is gone: %s", why)
}
