package messaging

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/transport"
)

// ControlSender publishes control messages, on a channel of its own: the broker
// closes the channel if the exchange is missing or the user may not write to it, and
// that must not be the channel of the calls. It is safe for concurrent use.
type ControlSender struct {
	Exchange string
	Log      *slog.Logger

	turn     chan struct{} // holds something while what follows is used, which may be for as long as the broker takes nothing
	conn     *Conn         // nil while there is none
	changed  chan struct{} // closed when conn changes
	ch       *Channel      // opened when first wanted
	receipts *receipts     // of ch
	off      bool          // the broker has refused control messages on this connection
}

func (s *ControlSender) init() {
	s.turn, s.changed = make(chan struct{}, 1), make(chan struct{})
}

// use makes conn the connection that messages go on; nil is none.
func (s *ControlSender) use(conn *Conn) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	close(s.changed)
	s.conn, s.changed, s.ch, s.off = conn, make(chan struct{}), nil, false
}

func (s *ControlSender) lock(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Send publishes a message, if there is a connection and the broker takes control
// messages. A message that no queue takes is dropped.
func (s *ControlSender) Send(ctx context.Context, key string, properties, body []byte) {
	if s.lock(ctx) != nil {
		return
	}
	defer func() { <-s.turn }()
	if s.conn == nil || s.refused() || s.open(ctx) != nil {
		return
	}
	s.receipts.add("", false)
	s.ch.Write(s.ch.AppendPublish(nil, &Publishing{Exchange: s.Exchange, Key: key, Properties: properties, Body: body}))
}

// refused reports whether the broker has refused control messages on this connection. It
// logs it once.
func (s *ControlSender) refused() bool {
	if s.ch == nil || s.off {
		return s.off
	}
	if e := s.receipts.end(); e != nil {
		s.off = true
		s.Log.Warn("amqprpc: the broker refuses control messages; cancels reach no server until the next connection", "exchange", s.Exchange, "error", e)
	}
	return s.off
}

// open opens the channel, unless it is open. To give up in the middle costs the connection.
func (s *ControlSender) open(ctx context.Context) error {
	if s.ch != nil && !s.ch.IsClosed() && s.receipts.end() == nil {
		return nil
	}
	s.ch = nil
	ctx, cancel := context.WithTimeout(ctx, SetupTimeout)
	defer cancel()
	r := &receipts{waiting: make(map[uint64]*receipt)}
	ch, err := s.conn.Open(ctx, r)
	if err == nil {
		err = ch.Confirm(ctx)
	}
	if err == nil {
		s.ch, s.receipts = ch, r
	}
	return err
}

// Fate is what became of a message.
type Fate int

// The fates of a message.
const (
	Unsent   Fate = iota // certainly nothing was written
	Routed               // at least one queue has it
	Unrouted             // no queue took it
	Refused              // the broker has not taken it
	Unsure               // the connection was lost, or the wait for the answer ended
)

// ControlMessage is a control message whose fate somebody waits for.
type ControlMessage struct {
	Key string
	ID  string // its correlation id
	// Properties returns the property list, or nil if the message is not to be sent any more.
	// It is called while there is a connection.
	Properties func() []byte
	Body       []byte
}

// Publish publishes a message, and returns what became of it. It waits for a connection.
// The error says why the message is not Routed. It may not return at once when ctx is
// done, but does not write after that.
func (s *ControlSender) Publish(ctx context.Context, m *ControlMessage) (Fate, error) {
	for {
		conn, r, err := s.write(ctx, m)
		switch {
		case r != nil:
			return r.wait(ctx, conn)
		case conn == nil || ctx.Err() != nil || !conn.IsClosed():
			return Unsent, err
		}
	}
}

// write writes a message when there is a connection. Without a receipt, it is not written.
func (s *ControlSender) write(ctx context.Context, m *ControlMessage) (*Conn, *receipt, error) {
	if err := s.lock(ctx); err != nil {
		return nil, nil, err
	}
	for s.conn == nil || s.conn.IsClosed() {
		changed := s.changed
		<-s.turn
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
		if err := s.lock(ctx); err != nil {
			return nil, nil, err
		}
	}
	defer func() { <-s.turn }()
	s.refused() // on an earlier channel: a server may have declared the exchange since
	if err := s.open(context.Background()); err != nil {
		return s.conn, nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	p := &Publishing{Exchange: s.Exchange, Key: m.Key, Mandatory: true, Properties: m.Properties(), Body: m.Body}
	if p.Properties == nil {
		return nil, nil, context.Canceled
	}
	r := s.receipts.add(m.ID, true)
	if err := s.ch.Write(s.ch.AppendPublish(nil, p)); errors.Is(err, transport.ErrClosed) && s.receipts.end() == nil {
		return s.conn, nil, err
	}
	return s.conn, r, nil
}

// receipts holds what was published on a channel and is not confirmed yet. It implements
// transport.Receiver.
type receipts struct {
	ignore
	mu      sync.Mutex
	sent    uint64
	waiting map[uint64]*receipt // by delivery tag
	why     *transport.Exception
}

type receipt struct {
	id   string
	fate Fate
	err  error
	done chan struct{} // closed when fate and err are final
}

// add counts a message that is about to be written. Its receipt is nil unless it is wanted.
func (r *receipts) add(id string, wanted bool) *receipt {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent++
	if !wanted {
		return nil
	}
	c := &receipt{id: id, done: make(chan struct{})}
	if r.why != nil {
		c.settle(Refused, r.why)
	} else {
		r.waiting[r.sent] = c
	}
	return c
}

// end is why the broker has closed the channel; nil if it has not.
func (r *receipts) end() *transport.Exception {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.why
}

func (c *receipt) wait(ctx context.Context, conn *Conn) (Fate, error) {
	select {
	case <-c.done:
		return c.fate, c.err
	case <-conn.Lost():
		return Unsure, conn.Err()
	case <-ctx.Done():
		return Unsure, ctx.Err()
	}
}

func (c *receipt) settle(fate Fate, err error) {
	if c.fate != Unrouted { // its return came before
		c.fate, c.err = fate, err
	}
	close(c.done)
}

// Returned implements transport.Receiver. The return of a message comes before its confirm.
func (r *receipts) Returned(m *Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.waiting {
		if c.id == string(m.Properties.CorrelationID) {
			c.fate, c.err = Unrouted, errUnrouted
		}
	}
}

var errUnrouted = errors.New("no queue takes the message")

var errNacked = errors.New("the broker refused the message (basic.nack)")

// Confirmed implements transport.Receiver.
func (r *receipts) Confirmed(tag uint64, multiple, ack bool) {
	fate, err := Routed, error(nil)
	if !ack {
		fate, err = Refused, errNacked
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for t, c := range r.waiting {
		if t == tag || multiple && t < tag {
			c.settle(fate, err)
			delete(r.waiting, t)
		}
	}
}

// Closed implements transport.Receiver. The broker closes the channel for the first message
// that it refuses, and ignores what comes behind.
func (r *receipts) Closed(e *transport.Exception) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.why = e
	for t, c := range r.waiting {
		c.settle(Refused, e)
		delete(r.waiting, t)
	}
}
