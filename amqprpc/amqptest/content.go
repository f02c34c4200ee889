package amqptest

import (
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// content is a message that is arriving on a channel. Its method has come; its header and body
// may not have. The connection's reader alone uses it.
type content struct {
	active    bool // a method is here
	method    frame.BasicPublish
	names     []byte // what method's strings alias
	hasHeader bool
	props     []byte
	body      []byte
	expected  uint64 // bytes of body that the header announced
	received  uint64 // bytes of body so far, those over the limit included
}

// begin takes the method that announces a message.
func (p *content) begin(m *frame.BasicPublish) {
	p.names = append(append(p.names[:0], m.Exchange...), m.RoutingKey...)
	p.method = *m
	p.method.Exchange = p.names[:len(m.Exchange):len(m.Exchange)]
	p.method.RoutingKey = p.names[len(m.Exchange):]
	p.active, p.hasHeader, p.props, p.body = true, false, nil, nil
	p.expected, p.received = 0, 0
}

// header takes the content header. One piece of memory holds the routing key,
// the properties and, unless it is large, the body.
func (p *content) header(h frame.Header) {
	const enough = 4 << 10 // a header alone makes the broker allocate no more than this
	key, room := len(p.method.RoutingKey), int(min(h.BodySize, enough))
	mem := make([]byte, 0, key+len(h.Properties)+room)
	mem = append(mem, p.method.RoutingKey...)
	mem = append(mem, h.Properties...)
	p.method.RoutingKey = mem[:key:key]
	p.props = mem[key:len(mem):len(mem)]
	p.body = mem[len(mem):]
	if h.BodySize > enough {
		p.body = nil
	}
	p.hasHeader, p.expected = true, h.BodySize
}

// add appends a piece of the body. A body over the limit is counted and dropped: the message is
// refused when it is complete. A body longer than announced is never complete, as in RabbitMQ,
// and is dropped too.
func (p *content) add(piece []byte, limit int) {
	p.received += uint64(len(piece))
	if p.received <= p.expected && p.received <= uint64(limit) {
		p.grow(len(piece))
		p.body = append(p.body, piece...)
	} else {
		p.body = nil
	}
}

// grow makes room for n more bytes: up to the announced size, but at most twice what has come.
func (p *content) grow(n int) {
	need := len(p.body) + n
	if need <= cap(p.body) {
		return
	}
	body := make([]byte, len(p.body), min(p.expected, uint64(2*need)))
	copy(body, p.body)
	p.body = body
}

func (p *content) complete() bool { return p.hasHeader && p.received == p.expected }

// handleChannel runs one frame of a channel.
func (c *connection) handleChannel(f frame.Frame) {
	p := c.partial[f.Channel]
	switch f.Type {
	case frame.TypeMethod:
		id, fields, ok := frame.MethodID(f.Payload)
		if !ok {
			c.unknownFrame(f)
			return
		}
		c.channelMethod(f.Channel, p, id, fields)
	case frame.TypeHeader:
		h, ok := frame.ParseHeader(f.Payload)
		if !ok {
			c.unknownFrame(f)
			return
		}
		c.contentHeader(f.Channel, p, h)
	case frame.TypeBody:
		if p == nil || !p.hasHeader {
			c.outOfStep(f.Channel, p)
			return
		}
		c.contentBody(f.Channel, p, f.Payload)
	case frame.TypeHeartbeat:
		if len(f.Payload) == 0 {
			c.refuseFrame(f)
			return
		}
		c.unknownFrame(f)
	default:
		c.unknownFrame(f)
	}
}

// channelMethod runs a method, or keeps a publish until its content is here.
func (c *connection) channelMethod(channel uint16, p *content, id frame.ID, fields []byte) {
	if p != nil && p.active {
		c.outOfStep(channel, p)
		return
	}
	if id == frame.IDBasicPublish {
		var m frame.BasicPublish
		if !m.Parse(fields) {
			c.fault(channel, malformed(&frame.FieldsError{ID: id, Fields: fields}))
			return
		}
		if p == nil {
			if p = c.newContent(channel); p == nil {
				return
			}
		}
		p.begin(&m)
		return
	}
	if id.HasContent() {
		// A method that only the broker sends; its content would follow.
		c.fault(channel, fail(commandInvalid, "unimplemented method").in(id))
		return
	}
	c.b.lock()
	c.run(channel, id, fields)
	c.b.mu.Unlock()
	if id == frame.IDChannelClose || id == frame.IDChannelCloseOk {
		delete(c.partial, channel)
	}
}

// newContent makes room for the messages of an open channel; nil, and an
// exception, if it is not open.
func (c *connection) newContent(channel uint16) *content {
	c.b.lock()
	ch := c.channelFor(channel, frame.IDBasicPublish)
	c.b.mu.Unlock()
	if ch == nil {
		return nil
	}
	p := &content{}
	c.partial[channel] = p
	return p
}

// fault raises an exception from outside of the core.
func (c *connection) fault(channel uint16, ex *exception) {
	c.b.lock()
	c.raise(channel, ex)
	c.b.release()
}

// outOfStep is the exception for a frame that is not the one that content wants.
func (c *connection) outOfStep(channel uint16, p *content) {
	switch {
	case p == nil || !p.active:
		c.fault(channel, fail(unexpectedFrame, "expected method frame, got non method frame instead"))
	case !p.hasHeader:
		c.fault(channel, fail(unexpectedFrame, "expected content header for class %d, "+
			"got non content header frame instead", frame.IDBasicPublish.Class()).in(frame.IDBasicPublish))
	default:
		c.fault(channel, fail(unexpectedFrame, "expected content body, "+
			"got non content body frame instead").in(frame.IDBasicPublish))
	}
}

func (c *connection) contentHeader(channel uint16, p *content, h frame.Header) {
	const class = 60
	switch {
	case p == nil || !p.active || p.hasHeader || h.Weight != 0:
		c.outOfStep(channel, p)
		return
	case h.Class != class:
		c.fault(channel, fail(unexpectedFrame, "expected content header for class %d, "+
			"got one for class %d instead", class, h.Class).in(frame.IDBasicPublish))
		return
	}
	p.header(h)
	c.publishing()
	if p.complete() {
		c.publish(channel, p)
	}
}

func (c *connection) contentBody(channel uint16, p *content, piece []byte) {
	if uint64(len(piece)) > p.expected-p.received && p.received <= p.expected && c.b.since(RabbitMQ43) {
		c.fault(channel, fail(frameError, "content body frame exceeds remaining content size").in(frame.IDBasicPublish))
		return
	}
	before := len(p.body)
	p.add(piece, c.b.cfg.maxMessageSize)
	if c.b.arriving.Add(int64(len(p.body)-before)) > c.b.cfg.memoryLimit {
		c.b.lock()
		c.b.release() // which looks at the memory
	}
	c.publishing()
	if p.complete() {
		c.publish(channel, p)
	}
}

// publishing marks the connection as publishing: an alarm blocks it from here on.
func (c *connection) publishing() {
	if !c.b.pressed.Load() {
		return
	}
	c.b.mu.Lock()
	if c.b.mustBlock() {
		c.published = true
		c.tellBlocked()
	}
	c.b.mu.Unlock()
}

// publish hands a complete message to its channel.
func (c *connection) publish(channel uint16, p *content) {
	c.b.arriving.Add(-int64(len(p.body)))
	fate := c.fate(channel, p)
	c.b.lock()
	if ch := c.channelFor(channel, frame.IDBasicPublish); ch != nil && !ch.closing {
		if ex := ch.publish(p, fate); ex != nil {
			c.raise(channel, ex.in(frame.IDBasicPublish))
		}
	}
	c.b.mu.Unlock()
	p.active, p.hasHeader, p.props, p.body = false, false, nil, nil
}
