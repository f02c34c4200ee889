package idempotency

import (
	"context"
	"sync"
	"time"
)

// renewal renews a claim while its handler runs. Most handlers return before the first
// renewal is due, so a renewal is a timer and not a goroutine.
type renewal struct {
	*execution
	ctx    context.Context
	cancel context.CancelFunc
	lose   context.CancelCauseFunc // called if another owner has the claim

	mu      sync.Mutex // held while a renewal runs
	stopped bool
	timer   *time.Timer
}

// keep renews the claim until stop is called on the renewal.
func (x *execution) keep(ctx context.Context, lose context.CancelCauseFunc) *renewal {
	r := &renewal{execution: x, lose: lose}
	r.ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timer = time.AfterFunc(x.lease/3, r.renew)
	return r
}

func (r *renewal) renew() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return
	}
	if r.once() {
		r.timer.Reset(r.lease / 3)
	}
}

// once renews the claim once, and reports whether to go on. It goes on after a panic of
// the store or of the log, which no request's goroutine recovers here.
func (r *renewal) once() (goOn bool) {
	goOn = true
	defer func() { recover() }()
	e, err := r.begin(r.ctx)
	switch {
	case r.ctx.Err() != nil:
		return false
	case err != nil:
		r.log.WarnContext(r.ctx, "amqprpc: idempotency: the store fails", "operation", "renew",
			"queue", r.req.Queue(), "id", r.req.ID(), "error", err)
	case e.State != Claimed:
		r.lose(ErrClaimLost)
		return false
	}
	return true
}

// stop ends the renewal. After it returns, no renewal runs.
func (r *renewal) stop() {
	r.cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	r.timer.Stop()
}
