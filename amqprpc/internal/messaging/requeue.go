package messaging

import (
	"context"
	"sync"
	"time"
)

// requeuePatience is how long the broker's confirm of a copy is waited for.
const requeuePatience = 5 * time.Second

// requeuer publishes copies of deliveries to the tail of their queue, one at a time
// and confirmed: a queue that a policy bounds may refuse what it had held before. It
// is a rare way, on a channel of its own.
type requeuer struct {
	once sync.Once
	turn chan struct{} // full while somebody publishes; it guards the rest
	conn *Conn
	ch   *Channel // opened when first wanted
	sent uint64   // messages on ch
	copy copyReceiver
}

// copyReceiver learns what becomes of a copy.
type copyReceiver struct {
	ignore
	returned chan struct{} // receives when the copy was returned, before its confirm
	answer   chan confirm
}

type confirm struct {
	tag uint64
	ack bool
}

func (r *copyReceiver) Returned(*Message) { signal(r.returned) }

func (r *copyReceiver) Confirmed(tag uint64, _, ack bool) {
	select {
	case r.answer <- confirm{tag, ack}:
	default:
	}
}

// publish publishes a copy, and reports whether it is certain to be in the queue.
func (r *requeuer) publish(ctx context.Context, conn *Conn, queue string, properties, body []byte) bool {
	if !r.take(ctx) {
		return false
	}
	defer func() { <-r.turn }()
	ctx, cancel := context.WithTimeout(ctx, requeuePatience)
	defer cancel()
	if ctx.Err() != nil || !r.open(conn) {
		return false
	}
	frames := r.ch.AppendPublish(nil, &Publishing{Key: queue, Mandatory: true, Properties: properties, Body: body})
	if r.ch.Write(frames) != nil {
		return false
	}
	r.sent++
	for {
		select {
		case c := <-r.copy.answer:
			if c.tag < r.sent {
				continue
			}
			select {
			case <-r.copy.returned:
				return false
			default:
				return c.ack
			}
		case <-r.ch.Closed():
			return false
		case <-ctx.Done():
			r.conn = nil // what is still to come on this channel is nobody's
			return false
		}
	}
}

// take waits for the turn to publish. It reports false if ctx ends first: whoever is before
// may wait for a slow broker.
func (r *requeuer) take(ctx context.Context) bool {
	r.once.Do(func() { r.turn = make(chan struct{}, 1) })
	select {
	case r.turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// open makes sure that there is a channel. It waits for the broker for as long as the
// connection lives: a broker that is slow must not cost the connection.
func (r *requeuer) open(conn *Conn) bool {
	if r.conn == conn && !r.ch.IsClosed() {
		return true
	}
	ctx := context.Background()
	if r.ch != nil {
		r.ch.Close(ctx) // if it is open: what is still to come on it is nobody's
	}
	r.conn, r.sent = nil, 0
	r.copy = copyReceiver{returned: make(chan struct{}, 1), answer: make(chan confirm, 4)}
	var err error
	if r.ch, err = conn.Open(ctx, &copyReceiver{returned: r.copy.returned, answer: r.copy.answer}); err != nil {
		return false
	}
	if r.ch.Confirm(ctx) != nil {
		return false
	}
	r.conn = conn
	return true
}
