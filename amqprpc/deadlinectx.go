package amqprpc

import (
	"context"
	"sync"
	"time"
)

// deadlineContext is a context with a deadline that costs next to nothing until
// somebody asks for its Done channel, which most handlers and calls never do.
type deadlineContext struct {
	parent   context.Context
	deadline time.Time       // zero is none
	life     context.Context // of the client; nil is for ever

	mu    sync.Mutex
	inner *innerContext // made by the first Done
	err   error         // what Err has returned
	ended bool
}

// innerContext is a context as the standard library makes them.
type innerContext struct {
	context.Context
	cancel context.CancelCauseFunc
	free   func() // releases what the context holds
}

// begin sets the context up: it ends with parent, or at the deadline, if there is one.
func (c *deadlineContext) begin(parent context.Context, deadline time.Time) {
	c.parent, c.deadline = parent, deadline
}

// end is what a CancelFunc is to other contexts.
func (c *deadlineContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.inner != nil {
		c.inner.free()
	}
}

// open makes the inner context. The lock is held.
func (c *deadlineContext) open() {
	if c.inner != nil {
		return
	}
	timed, stop := c.parent, func() {}
	if !c.deadline.IsZero() {
		timed, stop = context.WithDeadline(c.parent, c.deadline)
	}
	inner, cancel := context.WithCancelCause(timed)
	forget := func() bool { return true }
	if c.life != nil {
		forget = context.AfterFunc(c.life, func() { cancel(context.Cause(c.life)) })
	}
	c.inner = &innerContext{inner, cancel, func() { forget(); stop(); cancel(nil) }}
	if c.ended {
		c.inner.free()
	}
}

// Deadline implements context.Context.
func (c *deadlineContext) Deadline() (time.Time, bool) {
	return c.deadline, !c.deadline.IsZero()
}

// Done implements context.Context.
func (c *deadlineContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open()
	return c.inner.Done()
}

// Err implements context.Context.
func (c *deadlineContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = c.find()
	}
	return c.err
}

// find finds out whether the context has ended, and why.
func (c *deadlineContext) find() error {
	if c.inner != nil && c.inner.Err() != nil {
		return c.inner.Err()
	}
	// Not only where there is no inner context: one learns of its parent's end, and
	// of the deadline, a moment later than who waits for these.
	switch err := c.parent.Err(); {
	case err != nil:
		return err
	case c.ended, c.life != nil && c.life.Err() != nil:
		return context.Canceled
	case !c.deadline.IsZero() && !time.Now().Before(c.deadline):
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// Value implements context.Context.
func (c *deadlineContext) Value(key any) any {
	c.mu.Lock()
	if c.life != nil && c.life.Err() != nil { // the inner context knows the cause
		c.open()
		c.inner.cancel(context.Cause(c.life))
	}
	inner := c.inner
	c.mu.Unlock()
	if inner != nil {
		return inner.Value(key) // so that children attach to it without a goroutine
	}
	return c.parent.Value(key)
}
