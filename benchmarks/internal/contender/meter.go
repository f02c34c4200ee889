package contender

import (
	"encoding/binary"
	"net"
	"slices"
	"sync"
	"sync/atomic"
)

// Traffic is what a process has sent and received on all its connections.
type Traffic struct {
	Sent      int64 `json:"sent"`     // bytes
	Received  int64 `json:"received"` // bytes
	Published int64 `json:"published"`
}

// meter dials connections, counts what goes over them, and can drop them.
type meter struct {
	sent, received, published atomic.Int64

	mu    sync.Mutex
	conns []*meteredConn
}

// dial is a dialer for the framework.
func (m *meter) dial(network, addr string) (net.Conn, error) {
	conn, err := net.Dial(network, addr)
	if err != nil {
		return nil, err
	}
	c := &meteredConn{Conn: conn, meter: m, skip: protocolHeader}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns = append(m.conns, c)
	return c, nil
}

// drop resets all connections, so that what is on its way is lost.
func (m *meter) drop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.conns {
		if tcp, ok := c.Conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a connection that is closed already
		}
		c.Conn.Close()
	}
	m.conns = nil
}

func (m *meter) traffic() Traffic {
	return Traffic{m.sent.Load(), m.received.Load(), m.published.Load()}
}

// AMQP's frames (AMQP 0-9-1, 2.3.5), as far as the meter reads them.
const (
	protocolHeader = 8
	frameHead      = 7
	methodHead     = frameHead + 4
	frameMethod    = 1
	basicPublish   = 60<<16 | 40
)

// meteredConn is a connection of a meter. It follows the frames that are written.
type meteredConn struct {
	net.Conn
	meter *meter
	head  []byte // of the frame that begins
	skip  int    // bytes until the next frame begins
}

func (c *meteredConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.meter.received.Add(int64(n))
	return n, err
}

func (c *meteredConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.meter.sent.Add(int64(n))
	c.scan(p[:n])
	return n, err
}

func (c *meteredConn) Close() error {
	c.meter.mu.Lock()
	c.meter.conns = slices.DeleteFunc(c.meter.conns, func(o *meteredConn) bool { return o == c })
	c.meter.mu.Unlock()
	return c.Conn.Close()
}

// scan counts the messages that are published with p, the next bytes of the connection.
func (c *meteredConn) scan(p []byte) {
	for len(p) > 0 {
		if c.skip > 0 {
			n := min(c.skip, len(p))
			c.skip -= n
			p = p[n:]
			continue
		}
		c.head = append(c.head, p[0])
		p = p[1:]
		switch {
		case len(c.head) < frameHead:
		case c.head[0] != frameMethod:
			c.begin()
		case len(c.head) == methodHead:
			if binary.BigEndian.Uint32(c.head[frameHead:]) == basicPublish {
				c.meter.published.Add(1)
			}
			c.begin()
		}
	}
}

// begin skips the rest of the frame whose head is complete, and its end octet.
func (c *meteredConn) begin() {
	size := int(binary.BigEndian.Uint32(c.head[3:frameHead]))
	c.skip = frameHead + size + 1 - len(c.head)
	c.head = c.head[:0]
}
