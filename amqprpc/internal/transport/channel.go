package transport

import (
	"context"
	"errors"
	"fmt"
	"math"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// replySuccess is the reply code of a close in good order.
const replySuccess = 200

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
	// Cancelled says that the broker has cancelled a consumer, as when its queue
	// is deleted (https://www.rabbitmq.com/docs/consumer-cancel).
	Cancelled(tag string)
	// Closed says that the broker has closed the channel.
	Closed(*Exception)
}

// Channel is a channel of a connection. Methods that take a ctx wait for the
// broker's answer. When ctx ends before the answer, they drop the connection: what the
// broker made of the method is not known. All methods are safe for concurrent use.
type Channel struct {
	conn     *Conn
	assembly assembly
	turn     chan struct{} // holds something while a method waits for the broker; it guards what follows
	closeErr error
}

// Open opens a channel whose messages go to r.
func (c *Conn) Open(ctx context.Context, r Receiver) (*Channel, error) {
	ch := &Channel{conn: c, turn: make(chan struct{}, 1)}
	a := &ch.assembly
	a.socket, a.to, a.closed = c.socket, r, make(chan *Exception, 1)
	most := c.ChannelMax()
	if most == 0 {
		most = math.MaxUint16
	}
	if !c.socket.add(a, most) {
		return nil, fmt.Errorf("open a channel: the broker allows a connection %d channels, and all are open", most)
	}
	if _, err := ch.ask(ctx, frame.IDChannelOpenOk, &frame.ChannelOpen{}, atOnce); err != nil {
		return nil, fmt.Errorf("open a channel: %w", err)
	}
	return ch, nil
}

// Closed receives why the broker has closed the channel. It is closed when the channel is,
// whoever has closed it, and when the connection is lost.
func (ch *Channel) Closed() <-chan *Exception { return ch.assembly.closed }

// IsClosed reports whether the channel or its connection is closed, or about to be.
func (ch *Channel) IsClosed() bool { return ch.assembly.ending.Load() != 0 || ch.conn.IsClosed() }

// Close closes the channel in good order. The broker answers after all that came
// before on the channel. A second Close waits for the first.
func (ch *Channel) Close(ctx context.Context) error {
	if err := ch.take(ctx); err != nil {
		return err
	}
	defer ch.leave()
	if !ch.IsClosed() {
		_, err := ch.ask(ctx, frame.IDChannelCloseOk, &frame.ChannelClose{ReplyCode: replySuccess}, last)
		if err != ErrClosed { // which it is if the broker was faster
			ch.closeErr = err
		}
	}
	return ch.closeErr
}

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
	return ch.conn.socket.writeFrames(&ch.assembly, frames, atOnce)
}

// WriteLater is Write, but the frames may wait for those of other channels until the
// connection's Flush, so that all go in one system call.
func (ch *Channel) WriteLater(frames []byte) error {
	return ch.conn.socket.writeFrames(&ch.assembly, frames, later)
}

// Confirm puts the channel in confirm mode.
func (ch *Channel) Confirm(ctx context.Context) error {
	if _, err := ch.call(ctx, frame.IDConfirmSelectOk, &frame.ConfirmSelect{}); err != nil {
		return fmt.Errorf("ask for publisher confirms: %w", err)
	}
	return nil
}

// Prefetch bounds the unacknowledged deliveries of each consumer of the channel.
func (ch *Channel) Prefetch(ctx context.Context, n int) error {
	_, err := ch.call(ctx, frame.IDBasicQosOk, &frame.BasicQos{PrefetchCount: uint16(n)})
	return err
}

// Consume starts a consumer of a priority
// (https://www.rabbitmq.com/docs/consumer-priority), 0 by default. Its deliveries go to
// the channel's Receiver.
func (ch *Channel) Consume(ctx context.Context, queue, tag string, autoAck bool, priority int32) error {
	m := &frame.BasicConsume{Queue: queue, ConsumerTag: tag, NoAck: autoAck}
	if priority != 0 {
		m.Arguments = frame.Table{{Key: "x-priority", Value: priority}}
	}
	_, err := ch.call(ctx, frame.IDBasicConsumeOk, m)
	return err
}

// Cancel ends a consumer. What was delivered before is the receiver's still.
func (ch *Channel) Cancel(ctx context.Context, tag string) error {
	_, err := ch.call(ctx, frame.IDBasicCancelOk, &frame.BasicCancel{ConsumerTag: tag})
	return err
}
