package transport

import (
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// Conn is one connection to the broker. All methods are safe for concurrent use.
type Conn struct {
	socket               *socket
	frameMax, channelMax int
}

// newConn takes a connection over from the driver, which has done the handshake.
func newConn(s *socket, tuned *amqp.Config, w Watcher) *Conn {
	s.watcher = w
	s.startHeartbeat(tuned.Heartbeat)
	go s.read()
	return &Conn{socket: s, frameMax: tuned.FrameSize, channelMax: int(tuned.ChannelMax)}
}

// Lost returns a channel that is closed when the connection is lost or closed. Err
// says why. When it is closed, no Receiver is called any more.
func (c *Conn) Lost() <-chan struct{} { return c.socket.ended }

// Err says why the connection was lost. It is valid once Lost is closed.
func (c *Conn) Err() error { return *c.socket.fault.Load() }

// IsClosed reports whether the connection is closed, lost, or about to be. It is true
// before anything else of the end can be seen, as that its channels are closed.
func (c *Conn) IsClosed() bool { return c.socket.isLost() }

var errClosedHere = errors.New("the connection was closed")

// FrameMax is the size that the broker allows a frame, in octets; 0 is no limit.
func (c *Conn) FrameMax() int { return c.frameMax }

// ChannelMax is how many channels the broker allows; 0 is no limit but AMQP's.
func (c *Conn) ChannelMax() int { return c.channelMax }

// Flush writes what was given to WriteLater.
func (c *Conn) Flush() { c.socket.writeNow(nil) }

// WriteWithin bounds all writes from now on, also one under way. Without it a write is borne
// for as long as the peer's silence.
func (c *Conn) WriteWithin(d time.Duration) { c.socket.bound(time.Now().Add(d)) }

// Close ends the connection in good order, within the time given. It reports whether
// the broker has answered. When it returns, neither a Receiver nor the Watcher is called any
// more.
func (c *Conn) Close(within time.Duration) (answered bool) {
	s := c.socket
	s.fail(errClosedHere)
	defer time.AfterFunc(within, func() { s.raw.Close() }).Stop()
	s.writeLast(frame.AppendMethod(nil, 0, &frame.ConnectionClose{ReplyCode: replySuccess, ReplyText: "closed"}))
	s.wait() // for the answer
	return s.answered
}

// Abort drops the connection without a word to the broker. When it returns,
// neither a Receiver nor the Watcher is called any more: what was read still comes before.
func (c *Conn) Abort() {
	c.socket.fail(errClosedHere)
	c.socket.raw.Close()
	c.socket.wait()
}
