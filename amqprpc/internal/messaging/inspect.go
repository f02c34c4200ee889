package messaging

import (
	"context"
	"errors"
	"sync"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/transport"
)

// Inspection is what a passive declare showed of a queue
// (https://www.rabbitmq.com/docs/queues): how many messages wait in it, and how many
// consumers it has.
type Inspection struct {
	Consumers, Messages int
	Err                 error // the queue could not be inspected, or is not there
}

// String describes the queue for an error text; it is "" where nothing is known.
func (i *Inspection) String() string {
	if i == nil || i.Err != nil {
		return ""
	}
	return "; the queue has " + Counted(i.Consumers, "consumer") + " and " + Counted(i.Messages, "message") + " waiting"
}

// Gone reports whether there is no such queue.
func (i *Inspection) Gone() bool { return Code(i.Err) == CodeNotFound }

// Hidden reports whether the queue is not this user's, or not this connection's, to
// inspect.
func (i *Inspection) Hidden() bool {
	code := Code(i.Err)
	return code == CodeAccessRefused || code == CodeResourceLocked
}

var errNotConnected = errors.New("there is no connection")

// inspector inspects queues, on a channel for that alone: the broker closes the
// channel when there is no such queue. One inspection is shared among all that want
// one of the same queue at the same time.
type inspector struct {
	mu    sync.Mutex
	conn  *Conn // nil while there is none
	ch    *Channel
	turn  chan struct{} // holds something while ch is used
	open  map[string]*inspecting
	tasks sync.WaitGroup
}

type inspecting struct {
	done chan struct{}
	got  Inspection
}

func (i *inspector) init() {
	i.turn, i.open = make(chan struct{}, 1), make(map[string]*inspecting)
}

// use makes conn the connection that queues are inspected on. With nil, it waits
// for the inspections that are under way.
func (i *inspector) use(conn *Conn) {
	i.mu.Lock()
	i.conn = conn
	i.mu.Unlock()
	if conn == nil {
		i.tasks.Wait()
		i.ch = nil
	}
}

// inspect inspects a queue. It ends with ctx; the inspection itself ends with its
// connection at the latest.
func (i *inspector) inspect(ctx context.Context, queue string) Inspection {
	i.mu.Lock()
	in := i.open[queue]
	if in == nil {
		conn := i.conn
		if conn == nil {
			i.mu.Unlock()
			return Inspection{Err: errNotConnected}
		}
		in = &inspecting{done: make(chan struct{})}
		i.open[queue] = in
		i.tasks.Go(func() {
			got := i.declare(conn, queue)
			i.mu.Lock()
			delete(i.open, queue)
			i.mu.Unlock()
			in.got = got
			close(in.done)
		})
	}
	i.mu.Unlock()
	select {
	case <-in.done:
		return in.got
	case <-ctx.Done():
		return Inspection{Err: ctx.Err()}
	}
}

func (i *inspector) declare(conn *Conn, queue string) Inspection {
	i.turn <- struct{}{}
	defer func() { <-i.turn }()
	ctx := context.Background() // a broker that is slow to answer must not cost the connection
	if i.ch == nil || i.ch.IsClosed() {
		ch, err := conn.Open(ctx, ignore{})
		if err != nil {
			return Inspection{Err: err}
		}
		i.ch = ch
	}
	q, err := i.ch.DeclareQueue(ctx, QueueDeclaration{Name: queue, Durable: true, Passive: true})
	return Inspection{Consumers: q.Consumers, Messages: q.Messages, Err: err}
}

// ignore is the receiver of a channel that no message comes on.
type ignore struct{}

func (ignore) Deliver(*Message)             {}
func (ignore) Returned(*Message)            {}
func (ignore) Confirmed(uint64, bool, bool) {}
func (ignore) Cancelled(string)             {}
func (ignore) Closed(*transport.Exception)  {}
