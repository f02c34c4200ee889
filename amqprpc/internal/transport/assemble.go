package transport

import (
	"sync/atomic"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// assembly is what the broker sends on one channel. It puts messages together from their
// frames. But for the atomic fields, it belongs to the goroutine that reads the connection.
type assembly struct {
	socket  *socket
	channel uint16
	to      Receiver
	asked   atomic.Pointer[question] // nil while no method waits for its answer
	ending  atomic.Uint32            // the steps of the channel's end that are done; if there are any, nothing more is written

	closed        chan *Exception   // see Channel.Closed
	over          bool              // closed is closed
	content       *content          // what is being put together; nil if nothing is
	exchange, key string            // of the last message
	keys          map[string]string // routing keys of messages before
}

// content is a message that is being put together. The socket keeps one, so that a channel
// on which nothing comes holds no memory for it.
type content struct {
	kind    kind
	headed  bool // its header has come
	message Message
	size    uint64
	header  []byte // a copy of the content header
}

// kind is what a message is to the receiver.
type kind uint8

const (
	delivery kind = iota
	returned
)

// bodyTrust is how much memory is allocated on the word of a content header.
const bodyTrust = 1 << 20

// The steps of a channel's end. Both sides may close it at once. Each close has its close-ok.
const (
	closeSent uint32 = 1 << iota
	closeOkRead
	closeRead
	closeOkSent
)

// step notes a step of the channel's end. After the last one its number is free.
func (a *assembly) step(done uint32) {
	all := a.ending.Or(done) | done
	has := func(step uint32) bool { return all&step != 0 }
	if has(closeSent) == has(closeOkRead) && has(closeRead) == has(closeOkSent) {
		a.socket.remove(a)
	}
}

// take looks at a frame and reports whether it was to be expected. Content without its
// method is ignored, as the driver does.
func (a *assembly) take(f *frame.Frame) bool {
	switch {
	case f.Type == frame.TypeMethod:
		return a.takeMethod(f.Payload)
	case a.content == nil:
	case f.Type == frame.TypeHeader:
		a.content.takeHeader(f.Payload)
		a.finish()
	case f.Type == frame.TypeBody && a.content.headed:
		a.content.takeBody(f.Payload)
		a.finish()
	}
	return true
}

func (c *content) takeHeader(payload []byte) {
	h, ok := frame.ParseHeader(payload)
	c.header = append(c.header[:0], h.Properties...)
	m := &c.message
	if m.Malformed = !ok || m.Properties.Parse(c.header) != nil; m.Malformed {
		m.Properties = frame.Properties{}
	}
	c.size, c.headed, m.Body = h.BodySize, true, nil
}

// takeBody adds a part of the body. Most bodies have one part, whose memory append does not
// clear first.
func (c *content) takeBody(payload []byte) {
	m := &c.message
	if m.Body == nil && c.size > uint64(len(payload)) {
		m.Body = make([]byte, 0, min(c.size, bodyTrust))
	}
	m.Body = append(m.Body, payload...)
}

func (a *assembly) finish() {
	c := a.content
	if uint64(len(c.message.Body)) < c.size {
		return
	}
	if c.kind == delivery {
		a.to.Deliver(&c.message)
	} else {
		a.to.Returned(&c.message)
	}
	a.drop()
}

// drop ends a message, whether it is complete or not.
func (a *assembly) drop() {
	if a.content != nil {
		a.content.message.Body = nil
		a.content, a.socket.spare = nil, a.content
	}
}

func (a *assembly) takeMethod(payload []byte) bool {
	a.drop()
	id, fields, _ := frame.MethodID(payload)
	if a.ending.Load()&closeRead != 0 && id != frame.IDChannelCloseOk {
		return true // it comes too late
	}
	switch id {
	case frame.IDBasicDeliver:
		var m frame.BasicDeliver
		if !m.Parse(fields) {
			return false
		}
		c := a.begin(delivery, m.Exchange, m.RoutingKey)
		c.Tag, c.Redelivered = m.DeliveryTag, m.Redelivered
		c.ConsumerTag = append(c.ConsumerTag[:0], m.ConsumerTag...)
		return true
	case frame.IDBasicReturn:
		var m frame.BasicReturn
		if !m.Parse(fields) {
			return false
		}
		c := a.begin(returned, m.Exchange, m.RoutingKey)
		c.ReturnCode, c.ReturnText = m.ReplyCode, string(m.ReplyText)
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
	case frame.IDBasicCancel:
		return a.cancelled(fields)
	case frame.IDChannelClose:
		a.closedByBroker(fields)
		return true
	case frame.IDChannelCloseOk:
		if a.ending.Load()&closeSent == 0 {
			return false
		}
		a.shut(nil)
		a.step(closeOkRead)
		a.answer(id, fields)
		return true
	default:
		return a.answer(id, fields)
	}
}

// cancelled is the end of a consumer. The broker wants no answer.
func (a *assembly) cancelled(fields []byte) bool {
	m, err := frame.ParseMethod(frame.IDBasicCancel, fields)
	if err != nil {
		return false
	}
	a.to.Cancelled(m.(*frame.BasicCancel).ConsumerTag)
	return true
}

// answer gives a method to whoever waits for it.
func (a *assembly) answer(id frame.ID, fields []byte) bool {
	q := a.asked.Load()
	if q == nil || q.want != id {
		return false
	}
	m, err := frame.ParseMethod(id, fields)
	if err == nil {
		a.settle(answer{method: m})
	}
	return err == nil
}

// settle ends the wait of a method, unless that has ended.
func (a *assembly) settle(got answer) {
	if q := a.asked.Load(); q != nil {
		select {
		case q.answer <- got:
		default:
		}
	}
}

// closedByBroker is the end of the channel, and the answer to a method that waits for one.
func (a *assembly) closedByBroker(fields []byte) {
	a.ending.Or(closeRead)
	e := &Exception{Server: true, Recover: true}
	if m, err := frame.ParseMethod(frame.IDChannelClose, fields); err == nil {
		m := m.(*frame.ChannelClose)
		e.Code, e.Reason = int(m.ReplyCode), m.ReplyText
	}
	a.to.Closed(e)
	a.shut(e)
	a.settle(answer{err: e})
	a.socket.tasks.Go(func() { // the reader must not wait for whoever writes
		a.socket.writeNow(frame.AppendMethod(nil, a.channel, &frame.ChannelCloseOk{}))
		a.step(closeOkSent)
	})
}

// shut says that the channel is closed, and why if it was the broker.
func (a *assembly) shut(e *Exception) {
	if a.over {
		return
	}
	a.over = true
	if e != nil {
		a.closed <- e
	}
	close(a.closed)
}

// keysMost bounds the routing keys that are remembered.
const keysMost = 64

// begin begins to put a message together. The exchange is mostly that of the message before.
// The routing key is mostly a queue that is consumed on the channel.
func (a *assembly) begin(k kind, exchange, key []byte) *Message {
	if a.exchange != string(exchange) {
		a.exchange = string(exchange)
	}
	if a.key != string(key) {
		a.key = a.keyOf(key)
	}
	c := a.socket.spare
	if a.socket.spare = nil; c == nil { // another channel's message is not complete
		c = new(content)
	}
	c.kind, c.headed = k, false
	c.message.Exchange, c.message.Key = a.exchange, a.key
	a.content = c
	return &c.message
}

// keyOf is string(key), which is made once for all messages of a queue.
func (a *assembly) keyOf(key []byte) string {
	if k, ok := a.keys[string(key)]; ok {
		return k
	}
	if a.keys == nil || len(a.keys) >= keysMost {
		a.keys = make(map[string]string)
	}
	k := string(key)
	a.keys[k] = k
	return k
}
