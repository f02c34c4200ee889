package messaging

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/transport"
)

// Mode says how messages reach a mailbox.
type Mode int

// The modes of a mailbox.
const (
	Resumable Mode = iota // a queue that outlives its connection
	Exclusive             // a queue that lives and dies with its connection
	Direct                // RabbitMQ's direct reply-to, without any queue
)

// Binding binds a mailbox to its exchange.
type Binding struct {
	Key  string
	Args Table
}

const (
	mailboxPrefetch = 2000            // messages that the broker sends ahead of their acknowledgement
	mailboxAckDelay = time.Second     // until a message is acknowledged, at most: a fleet of clients sends few acknowledgements
	mailboxAckBytes = 1 << 20         // of messages that are not acknowledged: the broker holds them
	resumeTimeout   = 5 * time.Second // of going back to a queue, which otherwise takes a millisecond
)

// Mailbox is a queue of a process's own. A resumable one is the same queue on each
// connection, as long as the broker has it.
type Mailbox struct {
	What    string // for messages: "the reply queue"
	Mode    Mode
	Expires time.Duration // how long a resumable queue outlives its connection
	NewName func() string // of a resumable queue
	// Exchange is a durable exchange of the type Kind that the mailbox declares, and
	// is bound to with Bind; "" is none.
	Exchange, Kind string
	Bind           []Binding
	// Receive takes a message, on the reading goroutine.
	Receive func(*Message)
	// Forgotten is called when the queue of earlier connections is gone, and with it
	// what was in it.
	Forgotten func(queue string, err error)
	// Restarted is called when the queue is there, but the broker has restarted
	// since the last connection, and has lost all transient messages. Nil: nobody
	// wants to know.
	Restarted func(queue string)

	queue  string // of earlier connections; "" if there is none
	number int64  // of the connection
	marks  marks

	// Of this connection:
	address string
	box     *box
	keeper  *keeper // of the marker; nil if there is none
	ended   func(error)
}

func (m *Mailbox) init() {
	if m.Restarted != nil {
		m.marks.secret = protocol.NewID()
	}
}

// priority is that of the consumer. A half-open predecessor of this connection goes on
// receiving messages until the broker notices; the higher priority leaves it only what
// it has.
func (m *Mailbox) priority() int32 { return int32(2 * min(m.number, 1<<29)) }

// Address returns where messages to the mailbox are sent. It is valid while there
// is a connection.
func (m *Mailbox) Address() string { return m.address }

// open starts to consume the mailbox on a connection. Direct mailboxes are opened
// with the publisher's channel. ended is called when the mailbox ends before the
// connection; it must not wait.
func (m *Mailbox) open(ctx context.Context, conn *Conn, number int64, ended func(error)) error {
	m.number, m.box, m.keeper, m.ended = number, nil, nil, ended
	switch m.Mode {
	case Direct:
		m.address = protocol.DirectReplyTo
		return nil
	case Exclusive:
		return m.openQueue(ctx, conn, QueueDeclaration{AutoDelete: true, Exclusive: true})
	default:
		return m.resume(ctx, conn)
	}
}

// consumeDirect consumes direct reply-to on the channel that requests are published
// on (https://www.rabbitmq.com/docs/direct-reply-to).
func (m *Mailbox) consumeDirect(ctx context.Context, ch *Channel) error {
	if err := ch.Consume(ctx, protocol.DirectReplyTo, protocol.ConsumerTag, true, 0); err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	return nil
}

// resume goes back to the mailbox's queue, or begins a new one where there is none
// to go back to.
func (m *Mailbox) resume(ctx context.Context, conn *Conn) error {
	if m.queue != "" {
		patience, cancel := context.WithTimeout(ctx, resumeTimeout)
		err := m.openQueue(patience, conn, QueueDeclaration{Name: m.queue, Durable: true, Passive: true})
		// A queue whose node is gone may be asked for in vain for a minute.
		silent := errors.Is(patience.Err(), context.DeadlineExceeded)
		cancel()
		if err == nil {
			return nil
		}
		if code := Code(err); !silent && (conn.IsClosed() || code != CodeNotFound && code != CodeResourceLocked) {
			return err // it says nothing of the queue
		}
		m.Forgotten(m.queue, err)
		m.queue = ""
		m.marks.held.Store(0)
		if silent {
			return err // the connection was given up with the question
		}
	}
	name := m.NewName()
	err := m.openQueue(ctx, conn, QueueDeclaration{Name: name, Durable: true, Args: Table{"x-expires": m.Expires.Milliseconds()}})
	if err == nil {
		m.queue = name
	}
	return err
}

// openQueue declares the queue and consumes it.
func (m *Mailbox) openQueue(ctx context.Context, conn *Conn, q QueueDeclaration) error {
	name := q.Name
	if name == "" {
		name = "of the broker's naming"
	}
	b := &box{mailbox: m, manual: m.Mode == Resumable, ended: m.ended}
	fail := func(err error) error {
		b.ch.Close(ctx) // if the broker has not: a connection has only so many channels
		if b.keeper != nil {
			b.keeper.stop()
		}
		return fmt.Errorf("declare %s %s: %w", m.What, name, err)
	}
	var err error
	if b.ch, err = conn.Open(ctx, b); err != nil {
		return err
	}
	info, err := b.ch.DeclareQueue(ctx, q)
	if err != nil {
		return fail(err)
	}
	m.address = info.Name
	if err = m.bind(ctx, b.ch); err != nil {
		return fail(err)
	}
	priority := int32(0)
	if b.manual {
		if err = b.ch.Prefetch(ctx, mailboxPrefetch); err != nil {
			return fail(fmt.Errorf("set its prefetch: %w", err))
		}
		if m.Restarted != nil {
			b.keeper = &keeper{mailbox: m, conn: conn}
			b.keeper.timer = time.AfterFunc(time.Hour, b.keeper.step)
			if b.keeper.marker, err = m.openMarker(ctx, conn, info.Name, b.keeper.news); err != nil {
				return fail(err)
			}
			if q.Passive && b.keeper.marker.gone(ctx, info.Messages, info.Consumers) {
				m.marks.held.Store(0)
				m.Restarted(info.Name)
			}
		}
		priority = m.priority()
	}
	b.live.Store(true)
	b.timer = time.AfterFunc(time.Hour, b.acknowledge)
	if err = b.ch.Consume(ctx, info.Name, protocol.ConsumerTag, !b.manual, priority); err != nil {
		b.timer.Stop()
		return fail(fmt.Errorf("consume: %w", err))
	}
	m.box, m.keeper = b, b.keeper
	return nil
}

// bind declares the exchange and binds the queue to it, all at once.
func (m *Mailbox) bind(ctx context.Context, ch *Channel) error {
	if m.Exchange == "" {
		return nil
	}
	if err := ch.DeclareExchange(ctx, m.Exchange, m.Kind); err != nil {
		return fmt.Errorf("declare the exchange %s: %w", m.Exchange, err)
	}
	for i, b := range m.Bind {
		last := i == len(m.Bind)-1
		if err := ch.BindQueue(ctx, m.address, b.Key, m.Exchange, !last, b.Args); err != nil {
			return fmt.Errorf("bind it to %s: %w", m.Exchange, err)
		}
	}
	return nil
}

// close ends the acknowledgements. When it returns, none is being written.
func (m *Mailbox) close() {
	if m.box != nil {
		m.box.stop()
	}
}

// delete deletes the queue of a mailbox that is not used any more.
func (m *Mailbox) delete(ctx context.Context) {
	if m.Mode == Resumable && m.box != nil {
		m.box.ch.DeleteQueue(ctx, m.queue)
	}
}

// box is a mailbox's queue on one connection.
type box struct {
	mailbox *Mailbox
	ch      *Channel
	keeper  *keeper // of the marker; nil if there is none
	manual  bool    // messages are acknowledged
	ended   func(error)
	live    atomic.Bool // it is declared: from here on its end is not that of the declaration

	// Acknowledgements are not urgent: what is not acknowledged when a connection is
	// lost comes again, and is dropped as late or repeated.
	mu      sync.Mutex
	tag     uint64 // of the last message
	count   int    // of messages that are not acknowledged
	bytes   int    // of these, since an acknowledgement was due
	timer   *time.Timer
	writing sync.Mutex // held while an acknowledgement is written; the reader does not take it
	over    bool
}

// Deliver implements transport.Receiver.
func (b *box) Deliver(m *Message) {
	if !b.manual {
		b.mailbox.Receive(m)
		return
	}
	if n := b.mailbox.marks.number(m); n == 0 {
		b.mailbox.Receive(m)
	} else if held := &b.mailbox.marks.held; held.CompareAndSwap(n, 0) || held.Load() == 0 {
		b.keeper.loose.Store(true)
		b.keeper.news()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tag = m.Tag
	b.bytes += len(m.Body)
	switch b.count++; {
	case b.count == mailboxPrefetch/4, b.bytes >= mailboxAckBytes:
		b.bytes = 0
		b.timer.Reset(0)
	case b.count == 1:
		b.timer.Reset(mailboxAckDelay)
	}
}

// acknowledge acknowledges all messages until now.
func (b *box) acknowledge() {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.Lock()
	tag, count := b.tag, b.count
	b.count, b.bytes = 0, 0
	b.mu.Unlock()
	if count > 0 && !b.over {
		// An error is the connection's end, which the session learns elsewhere.
		b.ch.Write(b.ch.AppendAck(nil, tag, true))
	}
}

// stop ends the acknowledgements. When it returns, none is being written.
func (b *box) stop() {
	b.timer.Stop()
	b.writing.Lock()
	defer b.writing.Unlock()
	b.over = true
}

// Cancelled implements transport.Receiver.
func (b *box) Cancelled(string) {
	b.ended(fmt.Errorf("the broker cancelled the consumer of %s: the queue is gone", b.mailbox.What))
}

// Closed implements transport.Receiver.
func (b *box) Closed(e *transport.Exception) {
	if b.live.Load() {
		b.ended(fmt.Errorf("the channel of %s was closed: %w", b.mailbox.What, e))
	}
}

// Returned implements transport.Receiver.
func (b *box) Returned(*Message) {}

// Confirmed implements transport.Receiver.
func (b *box) Confirmed(uint64, bool, bool) {}
