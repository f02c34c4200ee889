package amqprpc

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// A caller that gives up on a call tells the servers of the queue, so that the
// handler's ctx ends or the request is dropped before it runs. A cancel is sent once
// and nobody waits for it: it may be lost, or come too late.

// cancelGather is how long further cancels are gathered after one was sent.
const cancelGather = 5 * time.Millisecond

// cancels are the cancels that a client is about to send.
type cancels struct {
	mu      sync.Mutex
	byQueue map[string]*protocol.Cancel
	sending bool
}

// add notes an attempt. It reports whether somebody has to begin to send.
func (c *cancels) add(queue, id string, ends time.Time) (begin bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byQueue == nil {
		c.byQueue = make(map[string]*protocol.Cancel)
	}
	known := c.byQueue[queue]
	if known == nil {
		known = &protocol.Cancel{}
		c.byQueue[queue] = known
	}
	known.IDs = append(known.IDs, id)
	known.Expires = max(known.Expires, time.Until(ends))
	begin = !c.sending
	c.sending = true
	return begin
}

// take returns what waits. If nothing does, whoever sends ends.
func (c *cancels) take() map[string]*protocol.Cancel {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.byQueue
	c.byQueue = nil
	c.sending = len(taken) > 0
	return taken
}

// giveUp tells the servers that nobody waits for an attempt any more, if one may have
// it.
func (c *Client) giveUp(a *attempt) {
	if c.cfg.conn.withoutControl || a.call.req.kind == KindNotification || !time.Now().Before(a.Ends()) ||
		!a.state.CompareAndSwap(attemptWritten, attemptGivenUp) {
		return
	}
	c.cancelAttempt(a.call.req.queue, a.id(), a.Ends())
}

// cancelAttempt tells the servers of a queue that nobody waits for an attempt any more.
func (c *Client) cancelAttempt(queue, id string, ends time.Time) {
	if c.cancels.add(queue, id, ends) {
		c.task(func() {
			for c.sendCancels(context.Background()) {
				select {
				case <-time.After(cancelGather):
				case <-c.closed:
				}
			}
		})
	}
}

// sendCancels sends what was gathered, and reports whether there was something.
func (c *Client) sendCancels(ctx context.Context) bool {
	taken := c.cancels.take()
	for queue, all := range taken {
		for ids := all.IDs; len(ids) > 0; {
			n := min(len(ids), protocol.MaxCancelled)
			some := protocol.Cancel{IDs: ids[:n], Expires: all.Expires}
			properties, body := some.Append(nil)
			c.broker.Control.Send(ctx, protocol.CancelKey(queue), properties, body)
			c.stats.cancelled.Add(int64(n))
			ids = ids[n:]
		}
	}
	return len(taken) > 0
}

// farewell cancels all that is in flight on a client that is closed.
func (c *Client) farewell(ctx context.Context) {
	for _, pc := range c.pending.all() {
		if a := pc.inFlight(); a != nil && !pc.isAnswered() {
			c.giveUp(a)
		}
	}
	for _, b := range c.broadcasts.all() {
		b.cancel()
	}
	c.sendCancels(ctx)
	c.streams.endAll(Errorf(CodeCanceled, "%w", ErrClientClosed))
	c.streams.flush(ctx)
}

// idSet are ids that are known until a time each: of attempts that were cancelled and are
// not here, or not yet. It is bounded: the oldest are forgotten. The zero value is ready.
type idSet struct {
	mu    sync.Mutex
	known *simplelru.LRU[string, time.Time] // until when; nil while there never was one
}

// idsMost bounds the ids of a set.
const idsMost = 1 << 14

func (c *idSet) add(id string, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		known, err := simplelru.NewLRU[string, time.Time](idsMost, nil)
		if err != nil {
			panic(err) // a size below one
		}
		c.known = known
	}
	c.known.Add(id, until)
}

func (c *idSet) remove(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known != nil {
		c.known.Remove(id)
	}
}

// has reports whether an id is known.
func (c *idSet) has(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		return false
	}
	now := time.Now()
	until, ok := c.known.Get(id)
	for { // so that it is empty in the end
		_, oldest, any := c.known.GetOldest()
		if !any {
			c.known = nil
			break
		}
		if now.Before(oldest) {
			break
		}
		c.known.RemoveOldest()
	}
	return ok && now.Before(until)
}

// receiveCancel ends the handlers of attempts that were cancelled, and remembers those
// that are not here. It is called on the goroutine that reads the connection.
func (e *endpoint) receiveCancel(m *messaging.Message) {
	c, err := protocol.ParseCancel(&m.Properties, m.Body)
	if err != nil {
		e.server.stats.badControl.Add(1)
		return
	}
	ids := make(map[string]bool, len(c.IDs))
	for _, id := range c.IDs {
		ids[id] = true
		e.cancelled.add(id, time.Now().Add(c.Expires)) // first: a worker may be about to take it
	}
	e.consumer.Each(func(w messaging.Work) {
		if in := w.(*inbound); ids[in.message.CorrelationID] {
			in.cancel()
			e.cancelled.remove(in.message.CorrelationID)
		}
	})
}

// cancel ends the handler's ctx, and has the request not answered.
func (in *inbound) cancel() {
	in.mu.Lock()
	in.cancelled = !in.answered
	in.mu.Unlock()
	in.ctx.end()
}

// WithoutControl turns control messages off. A server then declares no queue for them, and
// a client sends no cancels. If a caller gives up, its handler runs until its deadline. The
// server refuses streams with unimplemented, because it has no queue for their messages, and
// answers no questions of package discovery.
// Control messages need permissions, which docs/operations.md lists. If the permissions are
// missing, control messages are off as well, and the log says so.
func WithoutControl() ConnOption {
	return connOption(func(c *connConfig) { c.withoutControl = true })
}
