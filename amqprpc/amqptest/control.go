package amqptest

import (
	"cmp"
	"net"
	"slices"
)

// Direction is one way through a connection, or both.
type Direction uint8

// The two ways, and both of them.
const (
	FromClient Direction = 1 << iota
	ToClient
	BothWays = FromClient | ToClient
)

// CutConnections resets every connection, as when a broker's host dies or a firewall drops
// its state: clients see a TCP reset or a broken pipe, and no connection.close. It returns
// the number of connections. Clients may connect again at once.
func (b *Broker) CutConnections() int {
	all := b.Connections()
	for _, c := range all {
		c.Cut()
	}
	return len(all)
}

// Freeze stops every connection, present and future, as if the broker's process were
// stopped: nothing moves in that direction, nothing is lost, and the broker does not count
// the heartbeats that it cannot read as missed. [Broker.Thaw] ends it.
func (b *Broker) Freeze(d Direction) {
	b.lock()
	defer b.release()
	b.frozen |= d
	for c := range b.conns {
		c.freeze(b.frozen)
	}
}

// Thaw ends Freeze, for the broker and for each of its connections.
func (b *Broker) Thaw() {
	b.lock()
	defer b.release()
	b.frozen = 0
	for c := range b.conns {
		c.freeze(0)
	}
}

// HalfOpen makes the present connections lose everything that is sent in that direction, as
// when a cable is pulled or a host dies: each side believes in the other until its heartbeat
// runs out, and neither sees the other close the connection. It cannot be undone. New
// connections work.
func (b *Broker) HalfOpen(d Direction) {
	for _, c := range b.Connections() {
		c.HalfOpen(d)
	}
}

// CancelConsumer is [VHost.CancelConsumer] in the virtual host "/".
func (b *Broker) CancelConsumer(queue, tag string) bool {
	return b.VHost("/").CancelConsumer(queue, tag)
}

// Connections returns the open connections, the oldest first.
func (b *Broker) Connections() []*Connection {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]*Connection, 0, len(b.conns))
	for c := range b.conns {
		if !c.is(closed) {
			all = append(all, &Connection{c})
		}
	}
	slices.SortFunc(all, func(a, b *Connection) int { return cmp.Compare(a.c.id, b.c.id) })
	return all
}

// Connection returns the oldest open connection of that name: the client
// property connection_name. It returns nil if there is none.
func (b *Broker) Connection(name string) *Connection {
	for _, c := range b.Connections() {
		if c.Name() == name {
			return c
		}
	}
	return nil
}

// Connection is the connection of one client, for a test to act on. Its methods do nothing
// after the connection has ended.
type Connection struct{ c *connection }

// Name is the client property connection_name, empty if the client gave none.
func (c *Connection) Name() string {
	c.c.b.mu.Lock()
	defer c.c.b.mu.Unlock()
	return c.c.name
}

// ID is a number that no other connection of the broker ever has.
func (c *Connection) ID() uint64 { return c.c.id }

// RemoteAddr is the client's address.
func (c *Connection) RemoteAddr() net.Addr { return c.c.link.RemoteAddr() }

// Cut resets the connection. [Broker.CutConnections] resets all.
func (c *Connection) Cut() { c.c.link.reset() }

// Close closes the connection as an operator does, with 320 CONNECTION_FORCED
// and the text.
func (c *Connection) Close(text string) {
	c.c.b.lock()
	defer c.c.b.release()
	c.c.raise(0, fail(connectionForced, "%s", text).silent())
}

// Freeze stops the connection. [Broker.Freeze] stops all.
func (c *Connection) Freeze(d Direction) {
	c.c.b.lock()
	defer c.c.b.release()
	c.c.freeze(d | c.c.b.frozen)
}

// Thaw ends Freeze, unless the whole broker is frozen.
func (c *Connection) Thaw() {
	c.c.b.lock()
	defer c.c.b.release()
	c.c.freeze(c.c.b.frozen)
}

// HalfOpen makes the connection lose what is sent. [Broker.HalfOpen] acts on all.
func (c *Connection) HalfOpen(d Direction) { c.c.link.lose(d) }

// CloseChannel closes a channel with a code and a text of the test's choice, as a consumer
// timeout or a failing queue does. It reports whether the channel was open.
func (c *Connection) CloseChannel(number uint16, code uint16, text string) bool {
	c.c.b.lock()
	defer c.c.b.release()
	ch := c.c.channels[number]
	if ch == nil || ch.closing {
		return false
	}
	ch.fail(&exception{reply: reply{code: code}, text: text})
	return true
}

// freeze sets which directions are stopped.
func (c *connection) freeze(d Direction) {
	c.link.freeze(d)
	if d&FromClient != 0 {
		c.beat.pause(pauseFrozen)
	} else {
		c.beat.resume(pauseFrozen)
	}
}
