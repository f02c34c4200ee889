package transport

import (
	"sync/atomic"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// assembly puts the messages of one channel together from their frames. But for closed
// and consuming, it belongs to the goroutine that reads the connection.
type assembly struct {
	channel uint16
	to      Receiver
	closed  atomic.Bool // the channel is closed; what is written to it afterwards would end the connection

	consuming atomic.Pointer[chan error] // receives the answer to basic.consume while one is waited for

	putting kind // what is being put together
	headed  bool // its header has come
	message Message
	size    uint64
	header  []byte // a copy of the content header, used again
}

// kind is what a message is to the receiver.
type kind uint8

const (
	none kind = iota
	delivery
	returned
)

// bodyTrust is how much memory is allocated on the word of a content header.
const bodyTrust = 1 << 20

// take looks at a frame and reports whether it was the receiver's. Other frames are
// the driver's.
func (a *assembly) take(f *frame.Frame) bool {
	switch {
	case f.Type == frame.TypeMethod:
		return a.takeMethod(f.Payload)
	case a.putting == none:
		return false
	case f.Type == frame.TypeHeader:
		a.takeHeader(f.Payload)
		return true
	case f.Type == frame.TypeBody && a.headed:
		a.message.Body = append(a.message.Body, f.Payload...)
		a.finish()
		return true
	default:
		return false
	}
}

func (a *assembly) takeHeader(payload []byte) {
	h, ok := frame.ParseHeader(payload)
	a.header = append(a.header[:0], h.Properties...)
	m := &a.message
	if m.Malformed = !ok || m.Properties.Parse(a.header) != nil; m.Malformed {
		m.Properties = frame.Properties{}
	}
	a.size, a.headed, m.Body = h.BodySize, true, nil
	if a.size > 0 {
		m.Body = make([]byte, 0, min(a.size, bodyTrust))
	}
	a.finish()
}

func (a *assembly) finish() {
	if uint64(len(a.message.Body)) < a.size {
		return
	}
	k := a.putting
	a.putting = none
	if k == delivery {
		a.to.Deliver(&a.message)
	} else {
		a.to.Returned(&a.message)
	}
	a.message.Body = nil // an idle channel keeps no message
}

func (a *assembly) takeMethod(payload []byte) bool {
	a.putting = none
	id, fields, _ := frame.MethodID(payload)
	switch id {
	case frame.IDBasicDeliver:
		var m frame.BasicDeliver
		if !m.Parse(fields) {
			return false
		}
		a.begin(delivery, m.Exchange, m.RoutingKey)
		a.message.Tag, a.message.Redelivered = m.DeliveryTag, m.Redelivered
		return true
	case frame.IDBasicReturn:
		var m frame.BasicReturn
		if !m.Parse(fields) {
			return false
		}
		a.begin(returned, m.Exchange, m.RoutingKey)
		a.message.ReturnCode, a.message.ReturnText = m.ReplyCode, string(m.ReplyText)
		return true
	case frame.IDBasicAck:
		var m frame.BasicAck
		if !m.Parse(fields) {
			return false
		}
		a.to.Confirmed(m.DeliveryTag, m.Multiple, true)
		return true
	case frame.IDBasicNack:
		var m frame.BasicNack
		if !m.Parse(fields) {
			return false
		}
		a.to.Confirmed(m.DeliveryTag, m.Multiple, false)
		return true
	case frame.IDBasicConsumeOk:
		a.answerConsume(nil)
		return true // the driver did not ask
	case frame.IDChannelClose:
		a.closed.Store(true)
		e := &Exception{Server: true}
		if m, err := frame.ParseMethod(id, fields); err == nil {
			m := m.(*frame.ChannelClose)
			e.Code, e.Reason = int(m.ReplyCode), m.ReplyText
		}
		a.answerConsume(e)
		a.to.Closed(e)
		return false // the driver answers it
	case frame.IDBasicCancel:
		a.to.Cancelled()
		return false // the driver answers it
	default:
		return false
	}
}

// answerConsume gives the broker's answer to whoever waits for one.
func (a *assembly) answerConsume(err error) {
	if answer := a.consuming.Load(); answer != nil {
		select {
		case *answer <- err:
		default: // it has one
		}
	}
}

// begin begins to put a message together. Exchange and key are mostly those of the
// message before.
func (a *assembly) begin(k kind, exchange, key []byte) {
	a.putting, a.headed = k, false
	if a.message.Exchange != string(exchange) {
		a.message.Exchange = string(exchange)
	}
	if a.message.Key != string(key) {
		a.message.Key = string(key)
	}
}
