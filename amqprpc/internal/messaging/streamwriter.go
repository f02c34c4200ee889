package messaging

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/transport"
)

// StreamItem is something that may have messages to publish, again and again.
type StreamItem interface {
	// Prepare adds what the item has to p. If p is empty, it makes p a message. Otherwise it
	// adds to the message of other items. Properties and Body of p are memory to append to.
	// True says that there is more: p is published then, and Prepare is called with an empty p.
	Prepare(p *Publishing) (more bool)
	// Written is called when all that Prepare has added was handed to the connection.
	Written()
}

// StreamWriter publishes the messages of streams, on a channel of their own that is opened
// at first need. One goroutine a connection writes. Items wait in it for a connection.
type StreamWriter struct {
	// Returned is called on the reading goroutine for a message to a queue that is gone.
	Returned func(queue string)
	// Lost is called when what was written may be lost, since its channel was closed.
	Lost func()
	// TooLarge is called when the broker has closed the channel because a message was larger
	// than its limit, and Refused when the user may not publish. Lost follows.
	TooLarge func(limit int)
	Refused  func(err error)
	Log      *slog.Logger

	box outbox[StreamItem]

	mu      sync.Mutex
	work    context.Context // ends with the connection
	conn    *Conn           // nil while there is none
	running bool
	tasks   sync.WaitGroup
}

// Init makes the writer ready.
func (w *StreamWriter) Init() { w.box.init(nil) }

// Queue has the item's messages published. It never waits.
func (w *StreamWriter) Queue(it StreamItem) {
	w.box.add(it)
	w.start()
}

// use makes conn the connection until leave is called, which is after work is done.
func (w *StreamWriter) use(work context.Context, conn *Conn) {
	w.mu.Lock()
	w.work, w.conn = work, conn
	w.mu.Unlock()
	w.start()
}

// leave waits until nothing is written any more.
func (w *StreamWriter) leave() {
	w.mu.Lock()
	w.conn = nil
	w.mu.Unlock()
	w.tasks.Wait()
}

// start has what waits written, unless nothing waits or there is no connection. The next
// connection starts anew: on a lost one, run would end at once, again and again.
func (w *StreamWriter) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running || w.conn == nil || w.conn.IsClosed() || w.work.Err() != nil || w.box.len() == 0 {
		return
	}
	w.running = true
	work, conn := w.work, w.conn
	w.tasks.Go(func() {
		w.run(work, conn)
		w.mu.Lock()
		w.running = false
		w.mu.Unlock()
		w.start() // on the next connection, what came meanwhile
	})
}

// run writes until the connection ends.
func (w *StreamWriter) run(ctx context.Context, conn *Conn) {
	var wait backoff
	for ctx.Err() == nil && !conn.IsClosed() {
		c := &streamChannel{writer: w}
		c.open, c.ended = context.WithCancelCause(ctx)
		err := c.run(conn)
		c.ended(nil)
		if ctx.Err() != nil || conn.IsClosed() {
			return
		}
		if limit, ok := TooLarge(err); ok {
			w.TooLarge(limit)
		} else if Code(err) == CodeAccessRefused {
			w.Refused(err)
		}
		w.Log.Warn("amqprpc: the channel of the streams was closed", "error", err)
		sleep(ctx, wait.next())
		w.Lost()
	}
}

// Flush waits until all that was queued before is written, or ctx is done.
func (w *StreamWriter) Flush(ctx context.Context) {
	f := make(fence)
	w.Queue(f)
	select {
	case <-f:
	case <-ctx.Done():
	}
}

// fence is an item without messages. It is closed when all that came before is written.
type fence chan struct{}

func (f fence) Prepare(*Publishing) bool { return false }
func (f fence) Written()                 {}

// streamChannel is a writer's time with one channel.
type streamChannel struct {
	ignore  // nothing is delivered here, nor confirmed
	writer  *StreamWriter
	ch      *Channel
	open    context.Context // ends with the channel
	ended   context.CancelCauseFunc
	frames  []byte // about to be written
	written []StreamItem
	message Publishing // memory that is used again
}

func (c *streamChannel) run(conn *Conn) (err error) {
	if c.ch, err = conn.Open(c.open, c); err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	c.writer.box.run(c.open.Done(), c)
	c.ch.Close(context.Background()) // ends with the connection, which has only so many channels
	return context.Cause(c.open)
}

func (c *streamChannel) others() bool { return true }

// prepare adds all that an item has to what is about to be written.
func (c *streamChannel) prepare(it StreamItem) {
	if f, ok := it.(fence); ok {
		c.flush()
		close(f)
		return
	}
	for it.Prepare(&c.message) {
		c.publish()
	}
	c.written = append(c.written, it)
}

// publish adds the message to what is about to be written.
func (c *streamChannel) publish() {
	m := &c.message
	if m.Key == "" {
		return
	}
	m.Mandatory = true
	c.frames = c.ch.AppendPublish(c.frames, m)
	*m = Publishing{Properties: m.Properties[:0], Body: m.Body[:0]}
	if cap(m.Body) > batchMemory {
		m.Body = nil
	}
	if len(c.frames) >= batchLong {
		c.write()
	}
}

func (c *streamChannel) write() {
	if len(c.frames) == 0 {
		return
	}
	if err := c.ch.Write(c.frames); err != nil && !errors.Is(err, transport.ErrClosed) {
		c.ended(err)
	}
	if c.frames = c.frames[:0]; cap(c.frames) > batchMemory {
		c.frames = nil
	}
}

func (c *streamChannel) flush() {
	c.publish()
	c.write()
	for i, it := range c.written {
		it.Written()
		c.written[i] = nil
	}
	c.written = c.written[:0]
}

// Closed implements transport.Receiver.
func (c *streamChannel) Closed(e *transport.Exception) {
	c.ended(fmt.Errorf("the channel of the streams was closed: %w", e))
}

// Returned implements transport.Receiver.
func (c *streamChannel) Returned(m *Message) { c.writer.Returned(m.Key) }
