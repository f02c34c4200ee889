package amqprpc

import (
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// tap is a channel whose messages go past the driver. Its functions are called
// on the goroutine that reads the connection, in the order of the wire, and must
// not wait for anything; a nil one leaves its frames to the driver. What may have to
// wait they can leave as a job.
type tap struct {
	channel uint16
	closed  bool // the broker has closed the channel; guarded by the sock's lock

	deliver func(*content)
	returns func(*content)
	confirm func(tag uint64, multiple, ack bool)
	job     job // to be done before the next frame is read; nil is none

	on      func(*content) // of the content that is being put together; nil while none is
	content content
	size    uint64
	header  []byte // a copy of the content header, used again
}

// content is a message that came in, with what brought it. Properties are valid
// during the call only; the body is the receiver's.
type content struct {
	tag         uint64
	redelivered bool
	exchange    string
	key         string
	code        uint16 // of a return
	text        string
	props       frame.Properties
	malformed   bool // the properties, which are then empty
	body        []byte
}

// bodyTrust is how much memory a content header's word is enough for.
const bodyTrust = 1 << 20

// take looks at a frame and reports whether it was the tap's.
func (t *tap) take(f *frame.Frame) bool {
	switch f.Type {
	case frame.TypeMethod:
		return t.takeMethod(f.Payload)
	case frame.TypeHeader:
		if t.on == nil {
			return false
		}
		h, ok := frame.ParseHeader(f.Payload)
		t.header = append(t.header[:0], h.Properties...)
		if t.content.malformed = !ok || t.content.props.Parse(t.header) != nil; t.content.malformed {
			t.content.props = frame.Properties{}
		}
		t.size, t.content.body = h.BodySize, nil
		if t.size > 0 {
			t.content.body = make([]byte, 0, min(t.size, bodyTrust))
		}
		t.finish()
		return true
	case frame.TypeBody:
		if t.on == nil {
			return false
		}
		t.content.body = append(t.content.body, f.Payload...)
		t.finish()
		return true
	default:
		return false
	}
}

func (t *tap) finish() {
	if uint64(len(t.content.body)) < t.size {
		return
	}
	on := t.on
	t.on = nil
	on(&t.content)
}

func (t *tap) takeMethod(payload []byte) bool {
	t.on = nil
	id, fields, _ := frame.MethodID(payload)
	switch id {
	case frame.IDBasicDeliver:
		var m frame.BasicDeliver
		if t.deliver == nil || !m.Parse(fields) {
			return false
		}
		t.begin(t.deliver, m.Exchange, m.RoutingKey)
		t.content.tag, t.content.redelivered = m.DeliveryTag, m.Redelivered
		return true
	case frame.IDBasicReturn:
		var m frame.BasicReturn
		if t.returns == nil || !m.Parse(fields) {
			return false
		}
		t.begin(t.returns, m.Exchange, m.RoutingKey)
		t.content.code, t.content.text = m.ReplyCode, string(m.ReplyText)
		return true
	case frame.IDBasicAck:
		var m frame.BasicAck
		if t.confirm == nil || !m.Parse(fields) {
			return false
		}
		t.confirm(m.DeliveryTag, m.Multiple, true)
		return true
	case frame.IDBasicNack:
		var m frame.BasicNack
		if t.confirm == nil || !m.Parse(fields) {
			return false
		}
		t.confirm(m.DeliveryTag, m.Multiple, false)
		return true
	default:
		return false
	}
}

// begin begins to put a content together. Exchange and key are mostly those of
// the one before.
func (t *tap) begin(on func(*content), exchange, key []byte) {
	t.on = on
	t.content.exchange = again(t.content.exchange, exchange)
	t.content.key = again(t.content.key, key)
}

// again returns b as a string: last, if that is the same.
func again(last string, b []byte) string {
	if last == string(b) {
		return last
	}
	return string(b)
}
