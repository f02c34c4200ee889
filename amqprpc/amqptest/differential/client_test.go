package differential

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// patience is how long a scenario waits for what it expects. What does not come is
// written down, so that a broker that lacks something differs but does not hang.
const patience = 5 * time.Second

// quietTime is how long "nothing comes" takes to be believed.
const quietTime = 120 * time.Millisecond

// Conn is one connection of a scenario.
type Conn struct {
	s        *S
	id       int
	nc       net.Conn
	frameMax int
	silent   bool // nothing of it is written down

	mu         sync.Mutex
	changed    chan struct{}         // closed and replaced whenever something below changes
	inbox      map[uint16][]*message // by channel, what no call has taken yet
	heartbeats int
	ended      error // why reading stopped
	done       chan struct{}

	channels []*Chan
	next     uint16
	closed   bool // a connection.close has passed, either way
}

// connect opens a socket and starts reading, before any handshake.
func connect(s *S, id int) *Conn {
	c := &Conn{s: s, id: id, frameMax: 131072, changed: make(chan struct{}), inbox: map[uint16][]*message{}, done: make(chan struct{})}
	nc, err := net.DialTimeout("tcp", s.broker.addr, patience)
	if err != nil {
		s.fatal("dial: %v", err)
	}
	c.nc = nc
	go c.read()
	return c
}

// read takes frames off the socket until it ends.
func (c *Conn) read() {
	defer close(c.done)
	partial := map[uint16]*message{} // contents still arriving
	for {
		kind, channel, payload, err := readFrame(c.nc)
		if err == nil {
			err = c.accept(partial, kind, channel, payload)
		}
		if err != nil {
			c.change(func() { c.ended = err })
			return
		}
	}
}

func (c *Conn) accept(partial map[uint16]*message, kind byte, channel uint16, payload []byte) error {
	if kind == frameHeartbeat {
		c.change(func() { c.heartbeats++ })
		return nil
	}
	m := partial[channel]
	var err error
	if m == nil {
		if kind != frameMethod {
			return fmt.Errorf("frame of type %d on channel %d out of the blue", kind, channel)
		}
		if m, err = decodeMethod(payload); err != nil {
			return err
		}
	} else if err = m.add(kind, payload); err != nil {
		return err
	}
	if !m.complete() {
		partial[channel] = m
		return nil
	}
	delete(partial, channel)
	c.change(func() { c.inbox[channel] = append(c.inbox[channel], m) })
	return nil
}

func (c *Conn) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.changed)
	c.changed = make(chan struct{})
}

// await calls check, with c.mu held, whenever something has changed, until it is true;
// it is false after the time limit.
func (c *Conn) await(limit time.Duration, check func() bool) bool {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for {
		c.mu.Lock()
		ok, changed := check(), c.changed
		c.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-timeout.C:
			return false
		}
	}
}

// take waits for the first message on the channel that match accepts. In its place come,
// if they are there and it is not, the close of the channel or of the connection. It is
// nil when the connection ends or time runs out first.
func (c *Conn) take(channel uint16, match func(*message) bool) *message {
	var got *message
	c.await(patience, func() bool {
		if got = c.pick(channel, match); got != nil {
			return true
		}
		if got = c.pick(channel, named("channel.close")); got != nil {
			return true
		}
		got = c.pick(0, named("connection.close"))
		return got != nil || c.ended != nil
	})
	return got
}

// pick removes a message from the inbox. c.mu is held.
func (c *Conn) pick(channel uint16, match func(*message) bool) *message {
	i := slices.IndexFunc(c.inbox[channel], match)
	if i < 0 {
		return nil
	}
	m := c.inbox[channel][i]
	c.inbox[channel] = slices.Delete(c.inbox[channel], i, i+1)
	return m
}

func named(names ...string) func(*message) bool {
	return func(m *message) bool { return slices.Contains(names, m.method.name) }
}

// log writes a line, "conn/channel direction text".
func (c *Conn) log(channel uint16, direction, text string) {
	if !c.silent {
		c.s.log.add("%d/%d %s %s", c.id, channel, direction, text)
	}
}

// write sends bytes; a broker that is gone shows when its answer is awaited.
func (c *Conn) write(b []byte) {
	_ = c.nc.SetWriteDeadline(time.Now().Add(patience))
	_, _ = c.nc.Write(b)
}

// Raw sends bytes as they are.
func (c *Conn) Raw(what string, b []byte) {
	c.log(0, ">", what)
	c.write(b)
}

// send sends a method without a content on a channel.
func (c *Conn) send(channel uint16, method string, args M) {
	m := amqp091.byName[method]
	c.log(channel, ">", describeSent(m, args))
	c.write(rawFrame(frameMethod, channel, encodeMethod(m, args)))
}

// Expect waits for one of the methods on channel 0, or whatever ends the connection.
func (c *Conn) Expect(methods ...string) *message {
	m := c.take(0, named(methods...))
	c.note(0, m, methods)
	return m
}

// Call sends a method on channel 0 and waits for its answer.
func (c *Conn) Call(method string, args M) *message {
	c.send(0, method, args)
	if method == "connection.close" {
		c.closed = true
	}
	return c.Expect(amqp091.byName[method].replies...)
}

// note writes down what take has brought, and answers a close.
func (c *Conn) note(channel uint16, m *message, wanted []string) {
	if m == nil {
		c.mu.Lock()
		ended := c.ended != nil
		c.mu.Unlock()
		if ended {
			c.log(channel, "<", "(end of connection)")
			c.closed = true
		} else {
			c.log(channel, "<", fmt.Sprintf("(no %v came)", wanted))
		}
		return
	}
	switch m.method.name {
	case "channel.close":
		c.log(channel, "<", describeReceived(m))
		c.write(rawFrame(frameMethod, channel, encodeMethod(amqp091.byName["channel.close-ok"], nil)))
		for _, ch := range c.channels {
			if ch.id == channel {
				ch.closed = true
			}
		}
	case "connection.close":
		c.closed = true
		c.log(0, "<", describeReceived(m))
		c.write(rawFrame(frameMethod, 0, encodeMethod(amqp091.byName["connection.close-ok"], nil)))
		c.End()
	default:
		c.log(channel, "<", describeReceived(withoutIdentity(m)))
	}
}

// End waits for the broker to close the socket.
func (c *Conn) End() {
	if !c.await(patience, func() bool { return c.ended != nil }) {
		c.log(0, "<", "(the connection stays open)")
		return
	}
	c.closed = true
	var answer protocolAnswer
	if errors.As(c.ended, &answer) {
		c.log(0, "<", "("+answer.Error()+")")
	}
	c.log(0, "<", "(end of connection)")
}

// Closed waits for the broker to close the connection, by connection.close or without.
func (c *Conn) Closed() { c.Expect("connection.close") }

// Heartbeats waits until the broker has sent n.
func (c *Conn) Heartbeats(n int) {
	if c.await(patience, func() bool { return c.heartbeats >= n }) {
		c.log(0, "<", fmt.Sprintf("(%d heartbeats or more)", n))
		return
	}
	c.log(0, "<", "(too few heartbeats)")
}

// leftUnread writes down what a scenario has left unread.
func (c *Conn) leftUnread() {
	for _, ch := range c.channels {
		if !ch.closed && !c.closed {
			ch.leftUnread()
		}
	}
}

// Close closes the connection in good order and unrecorded.
func (c *Conn) Close() {
	defer func() {
		_ = c.nc.Close()
		<-c.done
	}()
	if c.closed {
		return
	}
	c.silent = true
	c.Call("connection.close", M{"reply-code": 200})
}

// Abort drops the connection without a word.
func (c *Conn) Abort() {
	c.log(0, ">", "(the client drops the connection)")
	c.closed = true
	_ = c.nc.(*net.TCPConn).SetLinger(0)
	_ = c.nc.Close()
	<-c.done
}
