package idempotency

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// The interval at which Begin is polled grows from pollFirst to pollMost.
const (
	pollFirst = 5 * time.Millisecond
	pollMost  = 250 * time.Millisecond
)

// execution finds the answer to one request: from its own handler, or from the store.
type execution struct {
	*config
	req   *amqprpc.Request
	next  amqprpc.Invoker
	key   string
	claim Claim
	own   *result // nil until the handler has run; it runs once per request
}

// result is what the rest of the chain returned.
type result struct {
	resp   *amqprpc.Response
	err    error
	answer *Answer // nil if it is not to be stored
}

// run calls Begin until there is an answer, or until it has the claim and runs the
// handler.
func (x *execution) run(ctx context.Context) (*amqprpc.Response, error) {
	for pause := pollFirst; ; pause = min(2*pause, pollMost) {
		e, err := x.begin(ctx)
		if err == nil && !x.anyBody && e.State != Claimed && contradicts(e.Fingerprint, x.claim.Fingerprint) {
			return nil, amqprpc.Errorf(amqprpc.CodeFailedPrecondition, "the call's id was used before, with another body")
		}
		switch {
		case err != nil:
			return x.withoutStore(ctx, err)
		case e.State == Done:
			return x.replay(ctx, e.Answer)
		case e.State == Claimed:
			if !x.runOrComplete(ctx) {
				return x.own.resp, x.own.err
			}
			x.log.WarnContext(ctx, "amqprpc: idempotency: the lease of a call ended while its handler ran; the handler may have run twice",
				"queue", x.req.Queue(), "id", x.req.ID(), "lease", x.lease)
			pause = pollFirst
		default:
			if err := x.wait(ctx, e.Changed, pause); err != nil {
				return x.gaveUp(err)
			}
		}
	}
}

// runOrComplete uses the claim: it runs the handler and stores the answer. If the
// handler has already run under a claim that was lost, only the answer is stored. lost
// is true if this claim is lost, too.
func (x *execution) runOrComplete(ctx context.Context) (lost bool) {
	switch {
	case x.own == nil:
		if lost = x.execute(ctx); lost {
			return true
		}
	case x.own.answer == nil:
		x.release(ctx)
	}
	return x.complete(ctx)
}

// begin calls the store's Begin.
func (x *execution) begin(ctx context.Context) (Entry, error) {
	ctx, cancel := x.bound(ctx)
	defer cancel()
	e, err := x.store.Begin(ctx, x.key, x.claim)
	if err == nil && (e.State < Claimed || e.State > Done) {
		err = fmt.Errorf("the store returned an entry of the state %d", e.State)
	}
	return e, err
}

// bound returns the context for one operation on the store.
func (x *execution) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if x.nonBlocking {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, x.storeTimeout)
}

// wait returns when the other execution may have ended, or after pause.
func (x *execution) wait(ctx context.Context, changed <-chan struct{}, pause time.Duration) error {
	if changed != nil {
		pause = pollMost // poll only for a claim that expires
	}
	t := time.NewTimer(pause/2 + rand.N(pause/2+1))
	defer t.Stop()
	select {
	case <-changed:
	case <-t.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return ctx.Err()
}

// gaveUp ends a request whose context has ended while another execution runs.
func (x *execution) gaveUp(err error) (*amqprpc.Response, error) {
	if x.own != nil {
		return x.own.resp, x.own.err
	}
	err = fmt.Errorf("the call runs already, and has no answer yet: %w", err)
	return nil, amqprpc.NewError(amqprpc.CodeOf(err), err).WithOutcome(amqprpc.OutcomeUnknown)
}

// withoutStore ends or runs a request after the store has failed.
func (x *execution) withoutStore(ctx context.Context, err error) (*amqprpc.Response, error) {
	if ctx.Err() != nil {
		x.release(ctx) // the store may have claimed the key before ctx ended
		if x.own != nil {
			return x.own.resp, x.own.err
		}
		return nil, fmt.Errorf("asking the store of answers: %w", ctx.Err())
	}
	x.log.ErrorContext(ctx, "amqprpc: idempotency: the store fails", "operation", "begin",
		"queue", x.req.Queue(), "id", x.req.ID(), "error", err, "fail_open", x.failOpen)
	switch {
	case x.own != nil:
		return x.own.resp, x.own.err
	case x.failOpen:
		return x.next(ctx, x.req)
	default:
		return nil, amqprpc.NewError(amqprpc.CodeUnavailable, storeError{err})
	}
}

// storeError hides the store's error text from the caller, because it may contain
// addresses.
type storeError struct{ cause error }

func (storeError) Error() string   { return "the store of answers fails; nothing was run" }
func (e storeError) Unwrap() error { return e.cause }

// execute runs the handler under the claim and renews the claim meanwhile. If the
// result is not stored, execute releases the claim. lost is true if the handler was
// cancelled because another owner holds the claim now.
func (x *execution) execute(ctx context.Context) (lost bool) {
	before := maps.Clone(amqprpc.ReplyHeader(ctx))
	running, cancel := context.WithCancelCause(ctx)
	keeping := x.keep(ctx, cancel)
	returned := false
	defer func() {
		keeping.stop()
		cancel(nil)
		if !returned { // middleware after this one has panicked
			x.release(ctx)
		}
	}()
	resp, err := x.next(running, x.req)
	returned = true
	keeping.stop()
	x.own = &result{resp: resp, err: err}
	if err != nil && (running.Err() != nil || !x.isAnswer(err)) {
		x.release(ctx)
		return ctx.Err() == nil && context.Cause(running) == ErrClaimLost
	}
	x.own.answer = x.answer(ctx, before)
	return false
}

// complete stores the answer, if there is one to store. lost is true if another owner
// has the claim or has stored an answer. The answer is stored even if ctx has ended,
// because a repetition is then likely.
func (x *execution) complete(ctx context.Context) (lost bool) {
	if x.own.answer == nil {
		return false
	}
	ctx, cancel := x.bound(context.WithoutCancel(ctx))
	defer cancel()
	err := x.store.Complete(ctx, x.key, x.claim, *x.own.answer)
	if err != nil && !errors.Is(err, ErrClaimLost) {
		x.log.ErrorContext(ctx, "amqprpc: idempotency: the store fails", "operation", "complete",
			"queue", x.req.Queue(), "id", x.req.ID(), "error", err)
		return false
	}
	return err != nil
}

func (x *execution) release(ctx context.Context) {
	ctx, cancel := x.bound(context.WithoutCancel(ctx))
	defer cancel()
	if err := x.store.Release(ctx, x.key, x.claim); err != nil {
		x.log.ErrorContext(ctx, "amqprpc: idempotency: the store fails", "operation", "release",
			"queue", x.req.Queue(), "id", x.req.ID(), "error", err)
	}
}
