package middleware

import (
	"context"
	"runtime/debug"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// hedging is one call that may be attempted twice. The first attempt runs on the goroutine of
// the call. The goroutine of a timer makes the second one.
type hedging struct {
	hedge *hedge
	queue *hedgedQueue
	next  amqprpc.Invoker
	first *amqprpc.Request
	began time.Time

	stopFirst context.CancelFunc

	mu         sync.Mutex
	firstEnded bool
	made       bool               // the second attempt
	stop       context.CancelFunc // ends what the timer's goroutine does; nil before it does something

	// The end of the second attempt, which belongs to the timer's goroutine until done is closed.
	done chan struct{}
	resp *amqprpc.Response
	err  error
}

func (h *hedging) run(ctx context.Context, delay time.Duration) (*amqprpc.Response, error) {
	clone := h.first.Clone()
	first, stopFirst := context.WithCancel(ctx)
	defer stopFirst()
	h.stopFirst, h.done = stopFirst, make(chan struct{})
	timer := time.AfterFunc(delay, func() { h.second(ctx, clone) })
	decided := true // if middleware panics
	defer func() {
		if h.end(decided); !timer.Stop() {
			<-h.done
		}
	}()
	resp, err := h.next(first, h.first)
	h.queue.latency.add(time.Since(h.began), !isDecided(err))
	decided = isDecided(err)
	if timer.Stop() {
		close(h.done)
		return resp, err
	}
	if h.end(decided); !h.wait() {
		return resp, err
	}
	secondWon := !decided && isDecided(h.err)
	if h.hedge.observe != nil {
		h.hedge.observe(ctx, h.first, secondWon)
	}
	if secondWon || isPanic(h.err) {
		return h.resp, h.err
	}
	return resp, err
}

// end says that the first attempt has ended. It ends the second one, too, if the call is
// decided. A second attempt that is not made yet would be a retry, and is not made.
func (h *hedging) end(decided bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.firstEnded = true
	if h.stop != nil && (decided || !h.made) {
		h.stop()
	}
}

// wait waits for the timer's goroutine, and reports whether it made an attempt.
func (h *hedging) wait() bool {
	<-h.done
	return h.made
}

// second makes the second attempt, if it is likely to help and there is a token for it.
func (h *hedging) second(ctx context.Context, clone *amqprpc.Request) {
	defer close(h.done)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !h.may(func() { h.stop = cancel }) || !wouldRun(ctx, h.first) {
		return
	}
	if !h.queue.tokens.take() || !h.may(func() { h.made = true }) {
		return
	}
	h.err = amqprpc.Errorf(amqprpc.CodeInternal, "middleware ended its goroutine (runtime.Goexit) instead of returning")
	defer func() {
		if p := recover(); p != nil {
			h.err = amqprpc.NewError(amqprpc.CodeInternal, &amqprpc.PanicError{Value: p, Stack: debug.Stack()})
		}
		if isDecided(h.err) || isPanic(h.err) {
			h.stopFirst()
		}
	}()
	h.resp, h.err = h.next(ctx, clone)
}

// may runs f unless the first attempt has ended.
func (h *hedging) may(f func()) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.firstEnded {
		f()
	}
	return !h.firstEnded
}

// wouldRun reports whether a further request would reach a handler at once.
func wouldRun(ctx context.Context, first *amqprpc.Request) bool {
	waiting, consumers, ok := first.InspectQueue(ctx)
	if !ok {
		return ctx.Err() == nil && first.HasStarted()
	}
	return waiting == 0 && consumers > 0
}
