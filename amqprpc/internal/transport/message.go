package transport

import (
	"encoding/binary"
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

// frameHead is how many octets precede a frame's payload.
const frameHead = 7

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

// driverScan follows the bytes that the driver writes from frame to frame. It knows
// whether the driver is between two frames.
type driverScan struct {
	greeted bool            // the protocol header is past
	head    [frameHead]byte // of the frame that begins: type, channel and size
	have    int
	left    int // bytes of the frame to come after head
}

func (f *driverScan) between() bool { return f.have == 0 && f.left == 0 }

func (f *driverScan) write(p []byte) {
	if !f.greeted {
		f.greeted = true
		if len(p) >= len(frame.ProtocolHeader) && string(p[:4]) == "AMQP" {
			p = p[len(frame.ProtocolHeader):]
		}
	}
	for len(p) > 0 {
		if f.left > 0 {
			n := min(f.left, len(p))
			f.left -= n
			p = p[n:]
			continue
		}
		n := copy(f.head[f.have:], p)
		f.have += n
		p = p[n:]
		if f.have == len(f.head) {
			f.left, f.have = int(binary.BigEndian.Uint32(f.head[3:]))+1, 0
		}
	}
}
