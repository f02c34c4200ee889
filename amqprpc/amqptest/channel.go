package amqptest

import (
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// channel is a channel of a connection. The broker's lock guards it.
type channel struct {
	c       *connection
	id      uint16
	closing bool // channel.close is out; everything but close and close-ok is ignored

	consumers map[string]*consumer
	tags      uint64 // the last delivery tag given out
	unacked   unackedList
	prefetch  int // of consumers to come; zero for no limit
	limit     int // of the whole channel; zero for no limit
	inFlight  int // deliveries to consumers that count towards limit
	lastQueue string

	firstQueue int // a counter that rotates the queues of unparkAll

	timeout *time.Timer // looks at the oldest unacknowledged delivery
	timing  bool        // … and is set

	confirms confirms
	tx       *transaction
	replies  *replyConsumer
}

// channelFor returns the channel of that number. The first frame on a number
// makes one, and must be channel.open.
func (c *connection) channelFor(number uint16, id frame.ID) *channel {
	if !c.is(running) {
		return nil
	}
	if ch := c.channels[number]; ch != nil {
		return ch
	}
	if c.channelMax != 0 && len(c.channels) >= int(c.channelMax) {
		c.raise(number, fail(notAllowed, "number of channels opened (%d) has reached the "+
			"negotiated channel_max (%d)", len(c.channels), c.channelMax))
		return nil
	}
	if id != frame.IDChannelOpen {
		c.raise(number, fail(channelError, "expected 'channel.open'").in(id))
		return nil
	}
	ch := &channel{c: c, id: number, consumers: make(map[string]*consumer)}
	c.channels[number] = ch
	return ch
}

// run runs a method without content on a channel.
func (c *connection) run(number uint16, id frame.ID, fields []byte) {
	if !c.is(running) {
		return
	}
	known := c.channels[number]
	if known != nil && !known.closing && known.runHot(id, fields) {
		return
	}
	m, err := frame.ParseMethodStrings(id, fields, c.b.cfg.follow.validString)
	if err != nil {
		c.raise(number, malformed(err))
		return
	}
	ch := c.channelFor(number, id)
	if ch == nil {
		return
	}
	if ch.closing {
		ch.runClosing(m)
		return
	}
	ch.sendConfirms()
	if known == nil {
		ch.send(&frame.ChannelOpenOk{})
		if c.b.recording() {
			ch.emit(Event{Kind: ChannelOpened}, nil)
		}
		return
	}
	if ex := ch.dispatch(m); ex != nil {
		c.raise(number, ex.in(id))
	}
}

// runHot runs the frequent methods without allocating; false for any other.
func (ch *channel) runHot(id frame.ID, fields []byte) bool {
	var ex *exception
	switch id {
	case frame.IDBasicAck:
		var m frame.BasicAck
		if !m.Parse(fields) {
			return false
		}
		ex = ch.settle(m.DeliveryTag, m.Multiple, acked)
	case frame.IDBasicNack:
		var m frame.BasicNack
		if !m.Parse(fields) {
			return false
		}
		ex = ch.settle(m.DeliveryTag, m.Multiple, refusal(m.Requeue))
	case frame.IDBasicReject:
		var m frame.BasicReject
		if !m.Parse(fields) {
			return false
		}
		v := refused
		if m.Requeue {
			v = rejected
		}
		ex = ch.settle(m.DeliveryTag, false, v)
	default:
		return false
	}
	if ex != nil {
		ch.c.raise(ch.id, ex.in(id))
	}
	return true
}

// runClosing runs the methods that a channel accepts after an exception.
func (ch *channel) runClosing(m frame.Method) {
	switch m.(type) {
	case *frame.ChannelClose:
		ch.send(&frame.ChannelCloseOk{})
	case *frame.ChannelCloseOk:
		delete(ch.c.channels, ch.id)
	}
}

// dispatch runs a method on an open channel.
func (ch *channel) dispatch(m frame.Method) *exception {
	switch m := m.(type) {
	case *frame.ChannelOpen:
		return fail(channelError, "second 'channel.open' seen")
	case *frame.ChannelClose:
		ch.release("")
		delete(ch.c.channels, ch.id)
		ch.send(&frame.ChannelCloseOk{})
	case *frame.ChannelFlow:
		if !m.Active {
			return fail(notImplemented, "active=false")
		}
		ch.send(&frame.ChannelFlowOk{Active: true})
	case *frame.AccessRequest:
		ch.send(&frame.AccessRequestOk{Ticket: 1})
	case *frame.ExchangeDeclare:
		return ch.declareExchange(m)
	case *frame.ExchangeDelete:
		return ch.deleteExchange(m)
	case *frame.ExchangeBind:
		return ch.bindExchange(m)
	case *frame.ExchangeUnbind:
		return ch.unbindExchange(m)
	case *frame.QueueDeclare:
		return ch.declareQueue(m)
	case *frame.QueueBind:
		return ch.bindQueue(m)
	case *frame.QueueUnbind:
		return ch.unbindQueue(m)
	case *frame.QueuePurge:
		return ch.purgeQueue(m)
	case *frame.QueueDelete:
		return ch.deleteQueue(m)
	default:
		return ch.dispatchBasic(m)
	}
	return nil
}

func (ch *channel) dispatchBasic(m frame.Method) *exception {
	switch m := m.(type) {
	case *frame.BasicQos:
		return ch.qos(m)
	case *frame.BasicConsume:
		return ch.consume(m)
	case *frame.BasicCancel:
		return ch.cancel(m)
	case *frame.BasicGet:
		return ch.get(m)
	case *frame.BasicRecover:
		if ex := ch.recover(m.Requeue); ex != nil {
			return ex
		}
		ch.send(&frame.BasicRecoverOk{})
	case *frame.BasicRecoverAsync:
		return ch.recover(m.Requeue)
	case *frame.ConfirmSelect:
		return ch.selectConfirms(m)
	case *frame.TxSelect:
		return ch.selectTx()
	case *frame.TxCommit:
		return ch.commit()
	case *frame.TxRollback:
		return ch.rollback()
	default:
		return fail(commandInvalid, "unimplemented method")
	}
	return nil
}

// send adds a method to the connection's outbox.
func (ch *channel) send(m frame.Method) { ch.c.send(ch.id, m) }

// fail closes the channel with an exception. The number stays in use until the client answers.
func (ch *channel) fail(ex *exception) {
	ch.sendConfirms()
	ch.release(ex.text)
	ch.send(&frame.ChannelClose{ReplyCode: ex.code, ReplyText: ex.text,
		ClassID: ex.method.Class(), MethodID: ex.method.Method()})
}

// release removes the channel's consumers and requeues its unacknowledged deliveries.
func (ch *channel) release(why string) {
	if ch.closing {
		return
	}
	ch.closing = true
	if ch.timeout != nil {
		ch.timeout.Stop()
	}
	ch.replies.forget()
	ch.replies = nil
	ch.confirms.forget()
	queues := ch.dropConsumers()
	ch.requeueAll(queues)
	if ch.c.b.recording() {
		ch.emit(Event{Kind: ChannelClosed, Reason: why}, nil)
	}
}

// resolveQueue is the queue of that name, or the last one that the channel
// declared if the name is empty.
func (ch *channel) resolveQueue(name string) (string, *exception) {
	if name != "" {
		return name, nil
	}
	if ch.lastQueue == "" {
		return "", fail(notFound, "no previously declared queue")
	}
	return ch.lastQueue, nil
}

// queue is the queue of that name if the connection may use it.
func (ch *channel) queue(name string) (*queue, *exception) {
	q := ch.c.vhost.queues[name]
	if q == nil {
		return nil, fail(notFound, "no %s", ch.c.vhost.queueName(name))
	}
	return q, q.access(ch.c)
}
