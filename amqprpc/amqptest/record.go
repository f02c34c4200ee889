package amqptest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// EventKind is what happened.
type EventKind string

// The kinds of events. The comment beside each names the fields of [Event] that it sets.
const (
	ConnectionOpened EventKind = "connection opened"
	ConnectionClosed EventKind = "connection closed" // Reason, if there was one
	ChannelOpened    EventKind = "channel opened"    // Channel
	ChannelClosed    EventKind = "channel closed"    // Channel, Reason
	QueueCreated     EventKind = "queue created"     // Queue
	QueueDeleted     EventKind = "queue deleted"     // Queue
	ConsumerStarted  EventKind = "consumer started"  // Channel, Queue, Consumer
	ConsumerEnded    EventKind = "consumer ended"    // Channel, Queue, Consumer

	Published EventKind = "published" // Channel, Message
	Routed    EventKind = "routed"    // Queue, Message: once for each queue that took it
	Returned  EventKind = "returned"  // Channel, Message: it was mandatory and nobody took it
	Confirmed EventKind = "confirmed" // Channel, Tag: basic.ack for this and no other message
	Refused   EventKind = "refused"   // Channel, Tag: basic.nack likewise
	Delivered EventKind = "delivered" // Channel, Queue, Consumer, Tag, Redelivered, Message
	Got       EventKind = "got"       // Channel, Queue, Tag, Redelivered, Message: by basic.get
	Acked     EventKind = "acked"     // Channel, Queue, Consumer, Tag, Message
	Requeued  EventKind = "requeued"  // likewise: refused, or its channel closed
	Discarded EventKind = "discarded" // likewise: refused and not requeued
	Died      EventKind = "died"      // Queue that it left, Message, Reason as in x-death
)

// Event is one thing that happened in the broker.
type Event struct {
	Seq          int // counts from 1 within a Record
	Time         time.Time
	Kind         EventKind
	Connection   string // the name that the client gave; empty for none
	ConnectionID uint64 // zero if no connection caused the event
	Channel      uint16
	Queue        string
	Consumer     string // its tag; empty for a basic.get
	Tag          uint64
	Redelivered  bool
	Reason       string
	Message      Message
}

// Record holds the broker's events from a point in time on. All connections share one order
// of events.
type Record struct {
	b      *Broker
	mu     sync.Mutex
	change sync.Cond
	events []Event
	done   bool
}

// ErrRecordEnded says that a record ended before the awaited events happened.
var ErrRecordEnded = errors.New("amqptest: the record has ended")

// maxEvents limits a record, so that a test that forgets to stop one does not fill memory.
const maxEvents = 1 << 16

// Record starts a record. The record ends with [Record.Stop], when the broker closes, or
// after 65536 events.
func (b *Broker) Record() *Record {
	r := &Record{b: b}
	r.change.L = &r.mu
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		r.done = true
		return r
	}
	b.records = append(b.records, r)
	return r
}

// Stop ends the record and keeps its events.
func (r *Record) Stop() {
	r.b.mu.Lock()
	r.b.records = slices.DeleteFunc(r.b.records, func(o *Record) bool { return o == r })
	r.b.mu.Unlock()
	r.end()
}

func (r *Record) end() {
	r.mu.Lock()
	r.done = true
	r.change.Broadcast()
	r.mu.Unlock()
}

// Events returns the events so far.
func (r *Record) Events() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Wait waits for n events for which match is true and returns them. If ctx or the record
// ends first, it returns the matching events so far, and the error of ctx or
// [ErrRecordEnded].
func (r *Record) Wait(ctx context.Context, n int, match func(Event) bool) ([]Event, error) {
	stop := context.AfterFunc(ctx, func() {
		r.mu.Lock()
		r.change.Broadcast()
		r.mu.Unlock()
	})
	defer stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []Event
	for next := 0; ; {
		for ; next < len(r.events) && len(found) < n; next++ {
			if match(r.events[next]) {
				found = append(found, r.events[next])
			}
		}
		switch {
		case len(found) >= n:
			return found, nil
		case ctx.Err() != nil:
			return found, context.Cause(ctx)
		case r.done:
			return found, ErrRecordEnded
		}
		r.change.Wait()
	}
}

// recording reports whether anybody wants events: making one costs something.
func (b *Broker) recording() bool { return len(b.records) > 0 }

// emit adds an event to every record.
func (b *Broker) emit(e Event, msg *message) {
	e.Time = time.Now()
	if msg != nil {
		e.Message = msg.public()
	}
	for _, r := range slices.Clone(b.records) {
		r.mu.Lock()
		e.Seq = len(r.events) + 1
		r.events = append(r.events, e)
		full := len(r.events) >= maxEvents
		r.change.Broadcast()
		r.mu.Unlock()
		if full {
			b.records = slices.DeleteFunc(b.records, func(o *Record) bool { return o == r })
			r.end()
		}
	}
}

// emit adds an event of a channel.
func (ch *channel) emit(e Event, msg *message) {
	e.Connection, e.ConnectionID, e.Channel = ch.c.name, ch.c.id, ch.id
	ch.c.b.emit(e, msg)
}

// emitSettled adds the event of a delivery that is settled.
func (ch *channel) emitSettled(kind EventKind, u *unacked) {
	e := Event{Kind: kind, Queue: u.q.name, Tag: u.tag, Redelivered: u.e.redelivered}
	if u.c != nil {
		e.Consumer = u.c.tag
	}
	ch.emit(e, u.e.msg)
}
