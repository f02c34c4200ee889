package amqprpc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// serverEpoch is a server's time with one connection.
type serverEpoch struct {
	*serving
	link  *link
	mu    sync.Mutex
	lanes []*lane // all that were opened and may still complete requests
	over  bool    // the connection was given up
}

// run serves all queues on the connection, until it is lost or ctx is done; then
// it drains. The error says why the connection was lost or, if drained, what was
// left when the drain limit passed.
func (ep *serverEpoch) run(ctx context.Context) (drained bool, err error) {
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ep.tasks.Go(func() {
		for b := range ep.link.blocked {
			if b.Active {
				ep.cfg.conn.state(StateBlocked)
			} else {
				ep.cfg.conn.state(StateUnblocked)
			}
			ep.log.Warn("amqprpc: the broker has blocked or unblocked the connection", "blocked", b.Active, "reason", b.Reason)
		}
	})
	var queues sync.WaitGroup
	for _, q := range ep.queues {
		queues.Go(func() {
			if err := ep.serveQueue(work, q); err != nil {
				stop(err)
			}
		})
	}
	var cause error
	select {
	case e := <-ep.link.lost:
		cause = lostError(e)
		stop(cause)
	case <-work.Done():
		cause = context.Cause(work)
	}
	if ctx.Err() == nil {
		ep.drop()
		queues.Wait()
		return false, cause
	}
	err = ep.drain(&queues)
	ep.link.close(closeTimeout)
	ep.drop()
	return true, err
}

// drop gives the connection up: handlers are cancelled, and their requests will
// be delivered again.
func (ep *serverEpoch) drop() {
	ep.mu.Lock()
	ep.over = true
	for _, ln := range ep.lanes {
		ln.cancel()
	}
	ep.mu.Unlock()
	ep.link.abort()
	ep.link.conn.CloseDeadline(time.Now())
}

// serveQueue consumes one queue until ctx is done or the connection is lost. A
// channel that is closed, or a consumer that is cancelled, is made anew.
func (ep *serverEpoch) serveQueue(ctx context.Context, q *servedQueue) error {
	var wait backoff
	lanes := relay{ep: ep, queue: q, over: ctx.Done()}
	for ctx.Err() == nil {
		limit, cancel := context.WithTimeout(ep.base, connectTimeout)
		ln, err := lanes.open(limit)
		cancel()
		if err != nil {
			if ctx.Err() != nil || ep.link.conn.IsClosed() {
				return nil // and whoever watches the connection says why
			}
			if isPermanent(err) && !ep.isReady() {
				return err
			}
			pause := wait.next()
			ep.log.Warn("amqprpc: queue is not served", "queue", q.endpoint.queue, "error", err, "retry_in", pause)
			sleep(ctx, pause)
			continue
		}
		start := time.Now()
		ep.queueReady(q)
		if ln = lanes.follow(ctx, ln); ln == nil {
			return nil
		}
		if err = ln.end(); err != nil {
			ln.cancel()
			ln.ch.unlisten()
		} else {
			ep.tasks.Go(ln.retire)
			err = errors.New("the broker cancelled the consumer: the queue was deleted, or its node is gone")
		}
		if ctx.Err() != nil || ep.link.conn.IsClosed() {
			return nil
		}
		ep.log.Warn("amqprpc: queue is served anew", "queue", q.endpoint.queue, "error", err)
		if time.Since(start) > backoffMost {
			wait.reset()
		} else {
			sleep(ctx, wait.next())
		}
	}
	return nil
}

// add notes a lane, and forgets those that are done.
func (ep *serverEpoch) add(ln *lane) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	kept := ep.lanes[:0]
	for _, l := range ep.lanes {
		if isClosed(l.drained) {
			l.cancel()
		} else {
			kept = append(kept, l)
		}
	}
	ep.lanes = append(kept, ln)
	if ep.over {
		ln.cancel()
	}
}

// drain cancels the consumers, and lets what was prefetched be handled and
// answered, for as long as the drain limit allows.
func (ep *serverEpoch) drain(queues *sync.WaitGroup) error {
	limit, cancel := context.WithTimeout(context.Background(), ep.cfg.drainTimeout)
	defer cancel()
	ep.cfg.conn.state(StateDraining)
	ep.log.Info("amqprpc: server drains", "in_flight", ep.stats.inFlight.Load())
	stopped := make(chan struct{})
	go func() { queues.Wait(); close(stopped) }()
	select {
	case <-stopped:
	case <-limit.Done():
		ep.drop()
		<-stopped
	}
	ep.mu.Lock()
	lanes := ep.lanes
	ep.mu.Unlock()
	var done sync.WaitGroup
	for _, ln := range lanes {
		done.Go(func() {
			ep.link.do(limit, func() error { return ln.ch.Cancel(ln.tag(), false) })
			select {
			case <-ln.drained:
				// The broker answers the close after all that came before it.
				ep.link.do(limit, ln.close)
			case <-ln.ctx.Done():
			case <-limit.Done():
			}
		})
	}
	lost := false
	finished := make(chan struct{})
	go func() { done.Wait(); close(finished) }()
	select {
	case <-finished:
	case <-ep.link.lost:
		lost = true
		ep.drop()
		<-finished
	}
	left := 0
	for _, ln := range lanes {
		left += int(ln.left.Load())
	}
	switch {
	case left == 0:
		return nil
	case lost && limit.Err() == nil:
		return fmt.Errorf("the connection was lost while draining: %d requests are not answered; what is not at most once will be delivered again", left)
	default:
		return fmt.Errorf("the drain limit of %v passed: %d requests were handed back; what is not at most once will be delivered again", ep.cfg.drainTimeout, left)
	}
}
