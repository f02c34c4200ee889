package messaging

import (
	"context"
	"sync"
)

// declareAtOnce is how many queues are declared at the same time.
const declareAtOnce = 32

// declarer has queues declared, on channels for that alone: the broker closes the channel
// of a declaration that it refuses. A channel is used again as long as queues wait.
type declarer struct {
	conn *Conn
	base context.Context
	turn chan struct{} // has room for as many as may declare at once

	mu      sync.Mutex
	waiting int
	idle    []*Channel
}

func (d *declarer) init(conn *Conn, base context.Context, atOnce int) {
	d.conn, d.base, d.turn = conn, base, make(chan struct{}, atOnce)
}

// declare calls f with a channel, whose end it is if f fails. ctx bounds the wait for
// others; to give up in the middle costs the connection.
func (d *declarer) declare(ctx context.Context, f func(context.Context, *Channel) error) error {
	d.wait(1)
	select {
	case d.turn <- struct{}{}:
		d.wait(-1)
	case <-ctx.Done():
		d.wait(-1)
		return context.Cause(ctx)
	}
	defer func() { <-d.turn }()
	limit, cancel := context.WithTimeout(d.base, SetupTimeout)
	defer cancel()
	ch := d.take()
	if ch == nil {
		var err error
		if ch, err = d.conn.Open(limit, ignore{}); err != nil {
			return err
		}
	}
	err := f(limit, ch)
	for _, ch := range d.done(ch, err != nil) {
		if !d.conn.IsClosed() {
			ch.Close(limit)
		}
	}
	return err
}

func (d *declarer) wait(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting += n
}

func (d *declarer) take() *Channel {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.idle) == 0 {
		return nil
	}
	ch := d.idle[0]
	d.idle = d.idle[1:]
	return ch
}

// done keeps a channel for those that wait. It returns the channels to close.
func (d *declarer) done(ch *Channel, failed bool) (unused []*Channel) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case failed:
		return []*Channel{ch}
	case d.waiting > 0:
		d.idle = append(d.idle, ch)
		return nil
	default:
		unused, d.idle = append(d.idle, ch), nil
		return unused
	}
}
