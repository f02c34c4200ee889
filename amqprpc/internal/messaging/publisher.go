package messaging

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/transport"
)

// Item is a message that waits to be published.
type Item interface {
	// Claim is called before the item is written on the connection of that number,
	// whose frames hold frameMax octets (0 is no limit). If it returns false, the
	// item is dropped.
	Claim(connection int64, frameMax int) bool
	// Unclaim is called after Claim where certainly nothing was written. The item
	// goes on the next connection.
	Unclaim()
	// Wanted reports whether anybody still waits for what becomes of the item.
	Wanted() bool
	// Publishing fills p, whose Properties are memory to append to. Replies are
	// expected at replyTo.
	Publishing(p *Publishing, replyTo string)
	// Queue is the name of the queue that the item goes to.
	Queue() string
	// NeedsConfirm reports whether the item must be confirmed, whatever the
	// publisher does with others.
	NeedsConfirm() bool
	// Confirmed is called with the broker's answer, if it comes: basic.ack or
	// basic.nack.
	Confirmed(ack bool)
	// Size is the number of octets of the body.
	Size() int
	// Taken says that the broker has handled the item, though it will not confirm it.
	Taken()
	// Ends is the time after which no reply is waited for; zero is none.
	Ends() time.Time
}

// Publisher publishes the items of a client. Items wait in it for a connection. It
// has one goroutine a connection that publishes, so that a connection which stalls
// holds up no caller beyond its ctx, and so that what waits can be told from what is
// written.
type Publisher struct {
	// Unconfirmed publishes items without confirms that do not need them.
	Unconfirmed bool
	// Returned takes a message that no queue took, on the reading goroutine.
	Returned func(*Message)
	// TooLarge is called when the broker has closed a channel because an item was larger
	// than its limit, on the connection of that number.
	TooLarge func(connection int64, limit int)
	// Others reports whether more items may be about to be queued.
	Others func() bool
	Log    *slog.Logger

	box outbox[Item]
}

// Init makes the publisher ready.
func (p *Publisher) Init() { p.box.init(Item.Wanted) }

// Queue adds an item. It never waits.
func (p *Publisher) Queue(it Item) { p.box.add(it) }

// publishing is a publisher's time with one connection.
type publishing struct {
	*Publisher
	conn    *Conn
	number  int64
	mailbox *Mailbox
	ctx     context.Context // ends when a channel ends that is in use, which is its cause
	ended   func(error)

	mu          sync.Mutex
	work        context.Context // of run
	replacing   bool            // a goroutine replaces channels that go on refusing
	replacement sync.WaitGroup
	replaced    time.Time // when that goroutine last did
	pause       time.Duration
	use         context.Context // of the connection; x.ctx ends with a channel as well

	calls     *publishChannel
	confirmed *publishChannel // the same as calls, unless the publisher is Unconfirmed
	next      atomic.Pointer[publishChannel]
	message   Publishing // memory that is used again
}

// open opens the channels of a connection, to be used until work is done.
func (p *Publisher) open(ctx, work context.Context, conn *Conn, number int64, m *Mailbox) (*publishing, error) {
	x := &publishing{Publisher: p, conn: conn, number: number, mailbox: m, pause: refusalsBorne, use: work}
	x.ctx, x.ended = context.WithCancelCause(work)
	var err error
	if x.calls, err = x.openChannel(ctx, !p.Unconfirmed); err != nil {
		return nil, err
	}
	x.confirmed = x.calls
	if m.Mode == Direct {
		// The broker wants consumer and publisher on one channel, and the consumer
		// first.
		if err = m.consumeDirect(ctx, x.calls.ch); err != nil {
			return nil, err
		}
	}
	if p.Unconfirmed {
		x.confirmed, err = x.openChannel(ctx, true)
	}
	return x, err
}

// openConfirmed opens a channel to be used instead of confirmed.
func (x *publishing) openConfirmed(ctx context.Context) (*publishChannel, error) {
	c, err := x.openChannel(ctx, true)
	if err == nil && x.mailbox.Mode == Direct && !x.Unconfirmed {
		err = x.mailbox.consumeDirect(ctx, c.ch)
	}
	if err != nil && c != nil && !x.conn.IsClosed() {
		c.ch.Close(ctx)
	}
	return c, err
}

// run publishes what is queued, until ctx is done, and returns why it is. When run
// returns, nothing runs any more.
func (x *publishing) run() error {
	x.mu.Lock()
	x.work = x.ctx
	x.mu.Unlock()
	x.box.run(x.ctx.Done(), x)
	x.mu.Lock()
	x.work = nil
	x.mu.Unlock()
	x.replacement.Wait()
	return context.Cause(x.ctx)
}

func (x *publishing) others() bool { return x.Others() }

// prepare adds one item to what is about to be written.
func (x *publishing) prepare(it Item) {
	if c := x.next.Swap(nil); c != nil {
		x.flush()
		if x.calls == x.confirmed {
			x.calls = c
		}
		close(x.confirmed.left)
		x.confirmed = c
	}
	if !it.Claim(x.number, x.conn.FrameMax()) {
		return
	}
	c := x.calls
	if it.NeedsConfirm() {
		c = x.confirmed
	}
	if x.mailbox.Mode == Direct {
		if ends := it.Ends(); ends.After(c.answered) {
			c.answered = ends
		}
	}
	m := &x.message
	it.Publishing(m, x.mailbox.Address())
	c.frames = c.ch.AppendPublish(c.frames, m)
	*m = Publishing{Properties: m.Properties[:0]}
	c.items = append(c.items, it)
	if len(c.frames) >= batchLong {
		c.flush()
	}
}

func (x *publishing) flush() {
	x.calls.flush()
	if x.confirmed != x.calls {
		x.confirmed.flush()
	}
}

// publishChannel is a channel that items are published on. It follows what the
// broker says of each: confirmed, refused, or returned for want of a queue.
type publishChannel struct {
	owner    *publishing
	ch       *Channel
	confirms *confirms // nil if the channel is not in confirm mode
	refusals refusals
	answered time.Time // when the last item ends whose reply comes through this channel
	retired  atomic.Bool
	broken   atomic.Bool   // the broker has closed the channel
	left     chan struct{} // closed when nothing is written to the channel any more
	frames   []byte        // about to be written
	items    []Item
}

func (x *publishing) openChannel(ctx context.Context, confirmed bool) (*publishChannel, error) {
	c := &publishChannel{owner: x, left: make(chan struct{})}
	if confirmed {
		c.confirms = &confirms{}
	}
	var err error
	if c.ch, err = x.conn.Open(ctx, c); err != nil {
		return nil, err
	}
	if confirmed {
		err = c.ch.Confirm(ctx)
	}
	return c, err
}

// flush writes what was prepared.
func (c *publishChannel) flush() {
	if len(c.items) == 0 {
		return
	}
	if c.confirms != nil {
		c.confirms.add(c.items)
	}
	err := c.ch.Write(c.frames)
	if errors.Is(err, transport.ErrClosed) {
		if c.confirms != nil {
			c.confirms.undo(len(c.items))
		}
		for _, it := range c.items {
			it.Unclaim()
		}
		c.owner.box.putBack(c.items)
	}
	// After another error the connection is lost, and with it the knowledge of what
	// it carried.
	clear(c.items)
	c.items, c.frames = c.items[:0], c.frames[:0]
	if cap(c.frames) > batchMemory {
		c.frames = nil
	}
}

// Closed implements transport.Receiver.
func (c *publishChannel) Closed(e *transport.Exception) {
	c.broken.Store(true)
	if !c.retired.Load() {
		c.owner.ended(fmt.Errorf("the channel of the requests was closed: %w", e))
	}
}

// Deliver implements transport.Receiver, for direct reply-to.
func (c *publishChannel) Deliver(m *Message) { c.owner.mailbox.Receive(m) }

// Returned implements transport.Receiver.
func (c *publishChannel) Returned(m *Message) { c.owner.Publisher.Returned(m) }

// Cancelled implements transport.Receiver.
func (c *publishChannel) Cancelled(string) {}

// Confirmed implements transport.Receiver.
func (c *publishChannel) Confirmed(tag uint64, multiple, ack bool) {
	if c.confirms == nil {
		return
	}
	if !multiple {
		c.settle(c.confirms.take(tag), ack)
		return
	}
	for {
		it, more := c.confirms.takeUpTo(tag)
		if !more {
			return
		}
		c.settle(it, ack)
	}
}

func (c *publishChannel) settle(it Item, ack bool) {
	if it == nil {
		return
	}
	it.Confirmed(ack)
	if ack {
		c.refusals.took(it.Queue())
	} else if c.refusals.refused(it.Queue()) {
		c.owner.replaceIfRefused(c)
	}
}
