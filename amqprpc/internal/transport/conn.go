package transport

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Blocking is the broker's word that it takes no publishes for now, or takes them
// again (https://www.rabbitmq.com/docs/connection-blocked).
type Blocking = amqp.Blocking

// Conn is one connection to the broker. All methods are safe for concurrent use.
type Conn struct {
	driver  *amqp.Connection
	socket  *socket
	opening chan struct{}      // holds something while a channel is opened: one at a time, so that its number can be told
	lost    chan struct{}      // closed when the connection is lost or closed
	why     error              // set before lost is closed
	blocked chan amqp.Blocking // must be drained: an unread one stalls the connection
	closed  chan *amqp.Error   // receives why, or is closed without a reason
}

func newConn(driver *amqp.Connection, s *socket) *Conn {
	return &Conn{
		driver: driver, socket: s,
		opening: make(chan struct{}, 1),
		lost:    make(chan struct{}),
		blocked: driver.NotifyBlocked(make(chan amqp.Blocking, 16)),
		closed:  driver.NotifyClose(make(chan *amqp.Error, 1)),
	}
}

// Watch calls f at each change of connection.blocked, and returns when the connection
// is lost or closed, with the reason. It must be called once, at once: without it a
// change stalls the connection, and nobody learns of the end.
func (c *Conn) Watch(f func(Blocking)) error {
	defer close(c.lost)
	for {
		select {
		case b, ok := <-c.blocked:
			if !ok { // the driver closes it with the connection
				c.why = lostError(<-c.closed)
				return c.why
			}
			f(b)
		case e := <-c.closed:
			c.why = lostError(e)
			for range c.blocked { // until the driver has closed it
			}
			return c.why
		}
	}
}

// Lost returns a channel that is closed when the connection is lost or closed. Err
// says why.
func (c *Conn) Lost() <-chan struct{} { return c.lost }

// Err says why the connection was lost. It is valid once Lost is closed.
func (c *Conn) Err() error { return c.why }

// IsClosed reports whether the connection is closed or lost.
func (c *Conn) IsClosed() bool { return c.driver.IsClosed() }

// FrameMax is the size that the broker allows a frame, in octets; 0 is no limit.
func (c *Conn) FrameMax() int { return c.driver.Config.FrameSize }

// ChannelMax is how many channels the broker allows; 0 is no limit but AMQP's.
func (c *Conn) ChannelMax() int { return int(c.driver.Config.ChannelMax) }

// Flush writes what was given to WriteLater.
func (c *Conn) Flush() { c.socket.flush() }

// Close ends the connection in good order, within the time given. It reports whether
// the broker has answered. When it returns, no
// Receiver is called any more.
func (c *Conn) Close(within time.Duration) (answered bool) {
	err := c.driver.CloseDeadline(time.Now().Add(within))
	c.socket.raw.Close()
	<-c.socket.ended
	return err == nil
}

// Abort drops the connection without a word to the broker. When it returns, no Receiver
// is called any more: what was read still comes before.
func (c *Conn) Abort() {
	c.socket.raw.Close()
	c.driver.CloseDeadline(time.Now())
	<-c.socket.ended
}

// do runs a call of the driver, which takes no ctx. When ctx ends first, the
// connection is dropped, which ends the call.
func (c *Conn) do(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		c.socket.raw.Close()
		<-done
		return ctx.Err()
	}
}
