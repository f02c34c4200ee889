package transport

import (
	"slices"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// Message is a message that came in, with what brought it. It is valid during the
// call of the Receiver only, except for the body, which is the receiver's.
type Message struct {
	Tag         uint64 // of a delivery
	ConsumerTag []byte // of the consumer that a delivery is for
	Redelivered bool
	Exchange    string
	Key         string // the routing key
	ReturnCode  uint16 // of a return
	ReturnText  string
	Properties  frame.Properties
	Malformed   bool // the properties could not be parsed and are empty
	Body        []byte
}

// Publishing is a message to publish.
type Publishing struct {
	Exchange   string
	Key        string
	Mandatory  bool
	Properties []byte // a property list, as frame.Properties.Append makes it
	Body       []byte
}

func appendPublish(dst []byte, channel uint16, frameMax int, p *Publishing) []byte {
	frames := 1
	if frameMax > frame.Overhead {
		frames += len(p.Body) / (frameMax - frame.Overhead)
	}
	dst = slices.Grow(dst, len(p.Body)+len(p.Properties)+frames*frame.Overhead+640) // both short strings, and the heads
	var exchange, key [256]byte
	m := frame.BasicPublish{
		Exchange:   append(exchange[:0], p.Exchange...),
		RoutingKey: append(key[:0], p.Key...),
		Mandatory:  p.Mandatory,
	}
	dst = m.AppendFrame(dst, channel)
	dst = frame.AppendHeader(dst, channel, uint64(len(p.Body)), p.Properties)
	return frame.AppendBody(dst, channel, uint32(frameMax), p.Body)
}
