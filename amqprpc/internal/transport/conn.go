package transport

import (
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Conn is one connection to the broker. All methods are safe for concurrent use.
type Conn struct {
	driver *amqp.Connection
	socket *socket
}

func newConn(driver *amqp.Connection, s *socket) *Conn {
	// Both sides' properties take more memory than the rest of an idle Conn. The driver
	// asks only for capabilities after the handshake.
	driver.Config.Properties = nil
	driver.Properties = Table{"capabilities": driver.Properties["capabilities"]}
	// The driver may have cleared the deadline after it set the first one, and sees no
	// frame before the next heartbeat.
	s.SetReadDeadline(time.Now().Add(3 * driver.Config.Heartbeat / 2))
	return &Conn{driver: driver, socket: s}
}

// Lost returns a channel that is closed when the connection is lost or closed. Err
// says why. When it is closed, no Receiver is called any more.
func (c *Conn) Lost() <-chan struct{} { return c.socket.ended }

// Err says why the connection was lost. It is valid once Lost is closed.
func (c *Conn) Err() error { return *c.socket.fault.Load() }

// IsClosed reports whether the connection is closed, lost, or about to be. It is true
// before anything else of the end can be seen, as that its channels are closed.
func (c *Conn) IsClosed() bool { return c.socket.isLost() || c.driver.IsClosed() }

var errClosedHere = errors.New("the connection was closed")

// FrameMax is the size that the broker allows a frame, in octets; 0 is no limit.
func (c *Conn) FrameMax() int { return c.driver.Config.FrameSize }

// ChannelMax is how many channels the broker allows; 0 is no limit but AMQP's.
func (c *Conn) ChannelMax() int { return int(c.driver.Config.ChannelMax) }

// Flush writes what was given to WriteLater.
func (c *Conn) Flush() { c.socket.flush() }

// WriteWithin bounds all writes from now on, also one under way. Without it a write is borne
// for as long as the peer's silence.
func (c *Conn) WriteWithin(d time.Duration) { c.socket.SetWriteDeadline(time.Now().Add(d)) }

// Close ends the connection in good order, within the time given. It reports whether
// the broker has answered. When it returns, neither a Receiver nor the Watcher is called any
// more.
func (c *Conn) Close(within time.Duration) (answered bool) {
	c.socket.fail(errClosedHere)
	err := c.driver.CloseDeadline(time.Now().Add(within))
	c.socket.raw.Close()
	c.socket.wait()
	return err == nil
}

// Abort drops the connection without a word to the broker. When it returns,
// neither a Receiver nor the Watcher is called any more: what was read still comes before.
func (c *Conn) Abort() {
	c.socket.fail(errClosedHere)
	c.socket.raw.Close()
	c.driver.CloseDeadline(time.Now())
	c.socket.wait()
}
