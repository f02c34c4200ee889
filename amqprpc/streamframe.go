package amqprpc

import (
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/flow"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

const (
	// streamMessageLong is how long a message with several items gets, unless the broker takes
	// less. With what frames of other kinds take it is below 64 KiB: beyond these, a receiver
	// takes 72 KiB of memory.
	streamMessageLong = 63 << 10
	// streamMessageOverhead is the most that a message of one item has beside the item.
	streamMessageOverhead = 128
)

// Prepare implements messaging.StreamItem.
func (s *stream) Prepare(p *messaging.Publishing) (more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirty = false
	sends := !s.over && (s.out.Ready() || s.out.ProbeDue())
	if !sends && !s.in.Due() {
		return false
	}
	if !s.streams.join(p, s.peer.address, s.remote, s.local, s.out.NextSize()) {
		return true
	}
	if s.in.Pending() {
		s.in.Resize(s.streams.window())
		expected, limit, echo, missing := s.in.State()
		p.Body = appendState(p.Body, expected, limit, echo, missing)
	}
	for room := sends; room && s.out.Ready(); room = s.streams.hasRoom(p, s.out.NextSize()) {
		f, _ := s.out.Next()
		p.Body = protocol.AppendStreamFrame(p.Body, s.wireFrame(f))
	}
	if sends && s.out.ProbeDue() {
		number, sent := s.out.Probe()
		p.Body = protocol.AppendStreamFrame(p.Body, protocol.StreamFrame{Type: protocol.FrameProbe, Number: number, Argument: sent})
	}
	s.peer.spoke(s.streams)
	return sends && s.out.Ready()
}

// Written implements messaging.StreamItem.
func (s *stream) Written() {
	if s.written != nil {
		s.written()
	}
}

// wireFrame is a numbered frame as the wire has it.
func (s *stream) wireFrame(f flow.Frame) protocol.StreamFrame {
	w := protocol.StreamFrame{Number: f.Number, Payload: f.Payload}
	switch f.Kind {
	case flow.Accept:
		w.Type = protocol.FrameAccept
		_, limit, _, _ := s.in.State()
		w.Argument = uint64(limit)
	case flow.Item:
		w.Type = protocol.FrameItem
	case flow.End:
		w.Type = protocol.FrameEnd
	}
	return w
}

func appendState(dst []byte, expected uint64, limit int64, echo uint64, missing bool) []byte {
	f := protocol.StreamFrame{Type: protocol.FrameState, Number: expected, Argument: uint64(limit)}
	if missing {
		f.Type = protocol.FrameMissing
	}
	var room [10]byte
	f.Payload = protocol.AppendEcho(room[:0], echo)
	return protocol.AppendStreamFrame(dst, f)
}
