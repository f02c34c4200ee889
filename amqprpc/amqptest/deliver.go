package amqptest

import "github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"

// deliver adds basic.deliver and the message to the outbox. A large body is not
// copied: messages never change.
func (c *connection) deliver(channel uint16, d *frame.BasicDeliver, m *message) {
	o := c.out
	seg := o.begin()
	before := len(seg)
	seg = d.AppendFrame(seg, channel)
	o.commitContent(seg, before, channel, c.frameMax, m)
	c.toWake()
}

// sendContent adds a method that carries a message to the outbox.
func (c *connection) sendContent(channel uint16, method frame.Method, m *message) {
	o := c.out
	seg := o.begin()
	before := len(seg)
	seg = frame.AppendMethod(seg, channel, method)
	o.commitContent(seg, before, channel, c.frameMax, m)
	c.toWake()
}

// commitContent appends a message's header and body to seg, in which its method
// begins at before, and commits.
func (o *outbox) commitContent(seg []byte, before int, channel uint16, frameMax uint32, m *message) {
	seg = frame.AppendHeader(seg, channel, uint64(len(m.body)), m.props)
	if len(m.body) < aliasFrom {
		seg = frame.AppendBody(seg, channel, frameMax, m.body)
		o.commit(seg, len(seg)-before)
		return
	}
	added := len(seg) - before
	most := int(frameMax) - frame.Overhead
	for body := m.body; len(body) > 0; {
		n := min(most, len(body))
		seg = frame.AppendBodyStart(seg, channel, n)
		seg = o.alias(seg, body[:n])
		seg = append(seg, frame.End)
		added += n + frame.Overhead
		body = body[n:]
	}
	o.commit(seg, added)
}
