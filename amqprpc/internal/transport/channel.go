package transport

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// ErrClosed says that the channel or the connection was closed before, and that
// nothing was written.
var ErrClosed = errors.New("the channel is closed")

// Table holds arguments of a declaration.
type Table = amqp.Table

// Receiver takes the messages of a channel. Its methods are called on the goroutine
// that reads the connection, in the order of the wire, and must not wait.
type Receiver interface {
	// Deliver takes a delivery. The message is valid during the call only, its
	// body for ever.
	Deliver(*Message)
	// Returned takes a message that no queue took, or that the receiver's broker
	// returned for another reason. It comes before the confirm of that message.
	Returned(*Message)
	// Confirmed takes a publisher confirm.
	Confirmed(tag uint64, multiple, ack bool)
	// Cancelled says that the broker has cancelled the consumer, as when its queue
	// is deleted (https://www.rabbitmq.com/docs/consumer-cancel).
	Cancelled()
	// Closed says that the broker has closed the channel.
	Closed(*Exception)
}

// Channel is a channel of a connection. Methods that take a ctx wait for the
// broker's answer. When ctx ends before the answer, they drop the connection, since
// the driver offers no other way out. All methods are safe for concurrent use.
type Channel struct {
	conn     *Conn
	driver   *amqp.Channel
	assembly assembly
	closed   chan *amqp.Error
	turn     chan struct{} // holds something while a method waits for the broker; it guards what follows
	left     bool          // Close has closed it: a second channel.close would end the connection
	closeErr error
}

// do is the connection's do, for one method of the channel at a time: a method behind
// channel.close would end the connection.
func (ch *Channel) do(ctx context.Context, f func() error) error {
	select {
	case ch.turn <- struct{}{}:
		defer func() { <-ch.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if ch.assembly.closed.Load() {
		return ErrClosed
	}
	return ch.conn.do(ctx, f)
}

// Open opens a channel whose messages go to r.
func (c *Conn) Open(ctx context.Context, r Receiver) (*Channel, error) {
	ch := &Channel{conn: c, assembly: assembly{to: r}, turn: make(chan struct{}, 1)}
	err := c.do(ctx, func() (err error) {
		ch.driver, ch.assembly.channel, err = c.open()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open a channel: %w", err)
	}
	ch.closed = ch.driver.NotifyClose(make(chan *amqp.Error, 1))
	c.socket.add(&ch.assembly)
	return ch, nil
}

// open opens a channel of the driver's, and returns its number, which the driver
// does not tell.
func (c *Conn) open() (*amqp.Channel, uint16, error) {
	c.opening <- struct{}{}
	defer func() { <-c.opening }()
	ch, err := c.driver.Channel()
	return ch, c.socket.lastOpened(), err
}

// Closed receives why the channel was closed, or is closed without a reason when
// Close was called.
func (ch *Channel) Closed() <-chan *Exception { return ch.closed }

// IsClosed reports whether the channel is closed.
func (ch *Channel) IsClosed() bool { return ch.driver.IsClosed() }

// Close closes the channel in good order. The broker answers after all that came
// before on the channel. A second Close waits for the first.
func (ch *Channel) Close(ctx context.Context) error {
	select {
	case ch.turn <- struct{}{}:
		defer func() { <-ch.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if !ch.left {
		ch.left = true
		ch.assembly.closed.Store(true)
		ch.closeErr = ch.conn.do(ctx, ch.driver.Close)
		ch.Forget()
	}
	return ch.closeErr
}

// Forget releases what a channel holds that the broker has closed.
func (ch *Channel) Forget() { ch.conn.socket.remove(&ch.assembly) }

// FrameMax is that of the connection.
func (ch *Channel) FrameMax() int { return ch.conn.FrameMax() }

// AppendPublish adds the frames of a message (AMQP 0-9-1, 4.2.6) to dst. All short
// strings must have been checked to fit.
func (ch *Channel) AppendPublish(dst []byte, p *Publishing) []byte {
	return appendPublish(dst, ch.assembly.channel, ch.FrameMax(), p)
}

// AppendAck adds an acknowledgement to dst: of the delivery, or of all deliveries
// up to it.
func (ch *Channel) AppendAck(dst []byte, tag uint64, multiple bool) []byte {
	m := frame.BasicAck{DeliveryTag: tag, Multiple: multiple}
	return m.AppendFrame(dst, ch.assembly.channel)
}

// AppendReject adds a rejection without requeue to dst.
func (ch *Channel) AppendReject(dst []byte, tag uint64) []byte {
	m := frame.BasicReject{DeliveryTag: tag}
	return m.AppendFrame(dst, ch.assembly.channel)
}

// AppendRequeue adds a rejection to dst that has the broker deliver the message again.
func (ch *Channel) AppendRequeue(dst []byte, tag uint64) []byte {
	m := frame.BasicReject{DeliveryTag: tag, Requeue: true}
	return m.AppendFrame(dst, ch.assembly.channel)
}

// Write writes frames of this channel. [ErrClosed] means that certainly nothing was
// written; another error, or none, that the broker may have the frames.
func (ch *Channel) Write(frames []byte) error {
	return ch.conn.socket.writeFrames(&ch.assembly, frames, false)
}

// WriteLater is Write, but the frames may wait for those of other channels until the
// connection's Flush, so that all go in one system call.
func (ch *Channel) WriteLater(frames []byte) error {
	return ch.conn.socket.writeFrames(&ch.assembly, frames, true)
}

// Confirm puts the channel in confirm mode.
func (ch *Channel) Confirm(ctx context.Context) error {
	err := ch.do(ctx, func() error { return ch.driver.Confirm(false) })
	if err != nil {
		return fmt.Errorf("ask for publisher confirms: %w", err)
	}
	return nil
}

// Prefetch bounds the unacknowledged deliveries of each consumer of the channel.
func (ch *Channel) Prefetch(ctx context.Context, n int) error {
	return ch.do(ctx, func() error { return ch.driver.Qos(n, 0, false) })
}

// Consume starts a consumer of a priority
// (https://www.rabbitmq.com/docs/consumer-priority), 0 by default. Its deliveries go to
// the channel's Receiver. The driver has no part in it, since it would keep a goroutine
// for each consumer.
func (ch *Channel) Consume(ctx context.Context, queue, tag string, autoAck bool, priority int32) error {
	return ch.do(ctx, func() error {
		m := frame.BasicConsume{Queue: queue, ConsumerTag: tag, NoAck: autoAck}
		if priority != 0 {
			m.Arguments = frame.Table{{Key: "x-priority", Value: priority}}
		}
		answer := make(chan error, 1)
		ch.assembly.consuming.Store(&answer)
		defer ch.assembly.consuming.Store(nil)
		if err := ch.Write(frame.AppendMethod(nil, ch.assembly.channel, &m)); err != nil {
			return err
		}
		select {
		case err := <-answer:
			return err
		case <-ch.conn.Lost():
			return ch.conn.Err()
		}
	})
}

// Cancel ends a consumer. What was delivered before is the receiver's still.
func (ch *Channel) Cancel(ctx context.Context, tag string) error {
	return ch.do(ctx, func() error { return ch.driver.Cancel(tag, false) })
}
