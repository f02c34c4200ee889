package messaging

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// Server is what a server has on the broker: the consumers of its queues, and the
// writer of its replies.
type Server struct {
	Consumers []*Consumer
	Replies   *ReplyWriter
	// DrainTimeout bounds a drain.
	DrainTimeout time.Duration
	// Draining is called when a drain begins.
	Draining func()
	// Instance is the mailbox for control messages; nil is none. It is opened once
	// Ready is closed.
	Instance *Mailbox
	Ready    <-chan struct{}
	Base     context.Context // of what must not end with the session
	Log      *slog.Logger

	connections int64
	drained     error // what the drain left
	overran     bool  // because the drain took too long
}

// Use serves all queues on a connection, until ctx ends; see [Session.Run]. When
// closing is done, which is the ctx of the session, it drains: it takes no more
// requests, and lets those that it has be answered, for as long as DrainTimeout
// allows.
func (s *Server) Use(ctx, closing context.Context, conn *Conn, up func()) error {
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	for _, c := range s.Consumers {
		c.begin()
	}
	up()
	var serving, tasks sync.WaitGroup
	for _, c := range s.Consumers {
		serving.Go(func() {
			if err := c.serve(work, conn, &tasks); err != nil {
				stop(err)
			}
		})
	}
	control := make(chan struct{})
	tasks.Go(func() {
		defer close(control)
		if s.Instance != nil {
			s.receiveControl(work, s.Base, conn)
		}
	})
	<-work.Done()
	if closing.Err() == nil {
		s.drop(conn)
		serving.Wait()
		tasks.Wait()
		return context.Cause(work)
	}
	s.drained = s.drain(conn, &serving)
	if s.Instance != nil {
		farewell, done := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		select {
		case <-control: // nobody else uses the mailbox now
			s.Instance.delete(farewell)
		case <-farewell.Done():
		}
		done()
	}
	conn.Close(closeTimeout)
	s.drop(conn)
	tasks.Wait()
	return nil
}

// Drained returns what the drain has left undone.
func (s *Server) Drained() error { return s.drained }

// Overran reports whether that is for want of time.
func (s *Server) Overran() bool { return s.overran }

// drop gives the connection up: what is being handled will be delivered again.
func (s *Server) drop(conn *Conn) {
	for _, c := range s.Consumers {
		c.drop()
	}
	conn.Abort()
}

// drain cancels the consumers, and waits until what they have got is answered.
func (s *Server) drain(conn *Conn, serving *sync.WaitGroup) error {
	limit, cancel := context.WithTimeout(context.Background(), s.DrainTimeout)
	defer cancel()
	s.Draining()
	var before []*subscription // lost before the drain, which is not to blame for them
	for _, c := range s.Consumers {
		for _, sub := range c.subscriptions() {
			if sub.lost() {
				before = append(before, sub)
			}
		}
	}
	stopped := make(chan struct{})
	go func() { serving.Wait(); close(stopped) }()
	select {
	case <-stopped:
	case <-limit.Done():
		s.drop(conn)
		<-stopped
	}
	var subs []*subscription
	for _, c := range s.Consumers {
		subs = append(subs, c.subscriptions()...)
	}
	var draining sync.WaitGroup
	for _, sub := range subs {
		draining.Go(func() { sub.drain(limit) })
	}
	finished := make(chan struct{})
	go func() { draining.Wait(); close(finished) }()
	lost := false
	select {
	case <-finished:
	case <-conn.Lost():
		lost = true
		s.drop(conn)
		<-finished
	}
	left := 0
	for _, sub := range subs {
		if !slices.Contains(before, sub) {
			left += int(sub.left.Load())
		}
	}
	for _, c := range s.Consumers {
		if !lost { // else all are lost, and counted already
			left += c.owed()
		}
	}
	switch {
	case left == 0:
		return nil
	case lost && limit.Err() == nil:
		return fmt.Errorf("the connection was lost while draining: %d requests are not answered; what is not at most once will be delivered again", left)
	default:
		s.overran = true
		return fmt.Errorf("the drain limit of %v passed: %d requests were handed back; what is not at most once will be delivered again", s.DrainTimeout, left)
	}
}

// drain ends the consumer, and waits until all that it got is answered, and what the
// channel owes for an earlier one.
func (s *subscription) drain(limit context.Context) {
	s.ch.Cancel(limit, protocol.ConsumerTag)
	for s.consumer.owed() > 0 && !s.lost() && limit.Err() == nil {
		sleep(limit, owedPause)
	}
	s.deafen()
	select {
	case <-s.drained:
		// The broker answers the close after all that came before it.
		s.ch.Close(limit)
	case <-s.ctx.Done():
	case <-limit.Done():
	}
}

// Stop ends the workers and the reply writer. It waits for both, but for handlers
// that still run after the grace; it reports whether there are none.
func (s *Server) Stop(grace time.Duration) bool {
	patience := time.NewTimer(grace)
	defer patience.Stop()
	ended := true
	for _, c := range s.Consumers {
		done := c.workers.stop()
		if !ended {
			continue
		}
		select {
		case <-done:
		case <-patience.C:
			ended = false
		}
	}
	s.Replies.stop()
	return ended
}
