package messaging

import (
	"context"
	"log/slog"
	"sync"
	"time"
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
	// Streams publishes while the instance's mailbox is open. Reachable is called with the
	// mailbox's address when that is so, and Unreachable when it is not any more. Mailless is
	// called when the broker refuses the mailbox, so that there will be none.
	Streams     *StreamWriter
	Reachable   func(address string)
	Unreachable func()
	Mailless    func(err error)
	// Farewell is called before the connection of a server that has drained ends.
	Farewell func(ctx context.Context)
	Base     context.Context // of what must not end with the session
	Log      *slog.Logger

	inspector inspector

	connections int64
	drained     error // what the drain left
	overran     bool  // because the drain took too long
}

// Init makes the server ready.
func (s *Server) Init() { s.inspector.init() }

// Inspect inspects a queue, until ctx is done.
func (s *Server) Inspect(ctx context.Context, queue string) Inspection {
	return s.inspector.inspect(ctx, queue)
}

// Use serves all queues on a connection, until ctx ends; see [Session.Run]. When
// closing is done, which is the ctx of the session, it drains: it takes no more
// requests, and lets those that it has be answered, for as long as DrainTimeout
// allows.
func (s *Server) Use(ctx, closing context.Context, conn *Conn, up func()) error {
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	pool, err := newChannelPool(conn, s.Base, s.Replies, len(s.Consumers))
	if err != nil {
		return err
	}
	for _, c := range s.Consumers {
		c.begin()
	}
	s.inspector.use(conn)
	defer s.inspector.use(nil) // the connection has ended then
	up()
	var serving, tasks, trying sync.WaitGroup
	trying.Add(len(s.Consumers))
	for _, c := range s.Consumers {
		serving.Go(func() {
			if err := c.serve(work, pool, &tasks, sync.OnceFunc(trying.Done)); err != nil {
				stop(err)
			}
		})
	}
	control := make(chan struct{})
	reachable, unreachable := context.WithCancel(context.WithoutCancel(ctx)) // a drain waits for streams
	defer unreachable()
	tasks.Go(func() {
		defer close(control)
		trying.Wait() // what comes to the mailbox may be for these queues
		if s.Instance != nil {
			s.receiveControl(reachable, s.Base, conn)
		}
	})
	<-work.Done()
	if closing.Err() == nil {
		unreachable()
		s.drop(conn)
		serving.Wait()
		tasks.Wait()
		return context.Cause(work)
	}
	d := s.drain(conn, &serving)
	if s.Instance != nil {
		farewell, done := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		s.Farewell(farewell)
		unreachable()
		select {
		case <-control: // nobody else uses the mailbox now
			s.Instance.delete(farewell)
		case <-farewell.Done():
		}
		done()
	}
	if conn.Close(closeTimeout) && d.lost == nil {
		d.unsure = 0 // the broker answers after all that came before
	}
	s.drained, s.overran = d.err(s.DrainTimeout), d.overran
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
