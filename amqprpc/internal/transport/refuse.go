package transport

import (
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// hear takes a frame of the connection itself.
func (s *socket) hear(f *frame.Frame) {
	if f.Type == frame.TypeHeartbeat {
		return
	}
	if f.Type != frame.TypeMethod {
		s.refuse(amqp.UnexpectedFrame, fmt.Sprintf("unexpected frame of type %d on channel 0", f.Type))
		return
	}
	id, fields, _ := frame.MethodID(f.Payload)
	m, _ := frame.ParseMethod(id, fields)
	switch m := m.(type) {
	case *frame.ConnectionBlocked:
		s.change(Blocking{Active: true, Reason: m.Reason})
	case *frame.ConnectionUnblocked:
		s.change(Blocking{})
	case *frame.ConnectionClose:
		s.fail(closedBy(&Exception{Code: int(m.ReplyCode), Reason: m.ReplyText, Server: true}))
		s.tasks.Go(func() { // the reader must not wait for whoever writes
			s.writeLast(frame.AppendMethod(nil, 0, &frame.ConnectionCloseOk{}))
			s.raw.Close()
		})
	case *frame.ConnectionCloseOk:
		if s.answered = s.isLost(); !s.answered {
			s.refuseMethod(f)
		}
	default:
		s.refuseMethod(f)
	}
}

// hearStray takes a frame of a channel that is not open. After its end, the rest of a message
// may come.
func (s *socket) hearStray(f *frame.Frame) {
	if f.Type == frame.TypeMethod {
		id, _, _ := frame.MethodID(f.Payload)
		s.refuse(amqp.ChannelError, fmt.Sprintf("%v on channel %d, which is not open", id, f.Channel))
	}
}

// refuseMethod ends the connection for a method that is malformed or was not to be expected.
func (s *socket) refuseMethod(f *frame.Frame) {
	id, fields, _ := frame.MethodID(f.Payload)
	if _, err := frame.ParseMethod(id, fields); err != nil {
		s.refuse(amqp.SyntaxError, fmt.Sprintf("%v on channel %d", err, f.Channel))
		return
	}
	s.refuse(amqp.CommandInvalid, fmt.Sprintf("unexpected %v on channel %d", id, f.Channel))
}

// refusalPatience is how long the broker's answer to a refusal is waited for.
const refusalPatience = time.Second

// refuse ends the connection since the broker has sent what it must not. The code is AMQP's
// (https://www.rabbitmq.com/amqp-0-9-1-reference#constants).
func (s *socket) refuse(code int, reason string) {
	if s.deaf {
		return
	}
	s.deaf = true
	s.fail(fmt.Errorf("the connection was given up, since the broker broke the protocol: %w", &Exception{Code: code, Reason: reason}))
	time.AfterFunc(refusalPatience, func() { s.raw.Close() })
	s.tasks.Go(func() { // the reader must not wait for whoever writes
		s.writeLast(frame.AppendMethod(nil, 0, &frame.ConnectionClose{ReplyCode: uint16(code), ReplyText: reason}))
	})
}
