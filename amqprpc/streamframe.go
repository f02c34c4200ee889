package amqprpc

import (
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/flow"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

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
