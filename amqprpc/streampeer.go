package amqprpc

import (
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

const (
	// streamBeat is how often two processes with streams between them hear of each other,
	// at least.
	streamBeat = 15 * time.Second
	// streamMisses is how many beats may be missed.
	streamMisses = 3
	// streamMind is how often the peers are minded.
	streamMind = time.Second
)

// peer is a process that has streams with this one, and is known by the queue where it
// receives.
type peer struct {
	address     string
	streams     map[*stream]bool // guarded by the streams' lock
	heard, said atomic.Int64     // when the last message came and went, in nanoseconds of the streams' life
}

// spoke notes that a message is about to be sent.
func (p *peer) spoke(h *streams) { p.said.Store(h.age()) }

// mind keeps an eye on all peers, as long as there are any.
func (h *streams) mind() {
	tick := time.NewTicker(streamMind)
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
	if time.Duration(now-p.said.Load()) < streamBeat || len(streams) == 0 {
		return
	}
	p.spoke(h)
	asked := false
	for _, s := range streams {
		asked = s.beat() || asked
	}
	if !asked {
		h.writer.Queue(&streamBeatMessage{stream: streams[0]})
	}
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

// streamBeatMessage says that this side lives. It implements messaging.StreamItem.
type streamBeatMessage struct {
	stream   *stream
	prepared bool
}

// Prepare implements messaging.StreamItem.
func (b *streamBeatMessage) Prepare(p *messaging.Publishing) bool {
	if b.prepared {
		return false
	}
	b.prepared = true
	s := b.stream
	remote, peer := s.other()
	p.Key = peer.address
	p.Properties = protocol.AppendStreamProperties(p.Properties, s.streams.address())
	p.Body = protocol.AppendStreamPreface(p.Body, remote, s.local)
	p.Body = protocol.AppendStreamFrame(p.Body, protocol.StreamFrame{Type: protocol.FrameBeat})
	return true
}

// Written implements messaging.StreamItem.
func (b *streamBeatMessage) Written() {}
