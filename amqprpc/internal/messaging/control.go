package messaging

import (
	"context"
	"fmt"
)

// receiveControl keeps the instance's mailbox open until ctx is done. It waits for
// the queues first, so that they are served without it.
func (s *Server) receiveControl(ctx context.Context, base context.Context, conn *Conn) {
	select {
	case <-s.Ready:
	case <-ctx.Done():
		return
	}
	var wait backoff
	for ctx.Err() == nil && !conn.IsClosed() {
		s.connections++
		open, ended := context.WithCancelCause(ctx)
		setup, cancel := context.WithTimeout(base, SetupTimeout)
		err := s.Instance.open(setup, conn, s.connections, ended)
		cancel()
		if err == nil {
			s.Reachable(s.Instance.Address())
			s.Streams.use(open, conn)
			<-open.Done()
			err = context.Cause(open)
			s.Unreachable()
			s.Streams.leave()
			s.Instance.close()
			if ctx.Err() == nil {
				s.Instance.box.ch.Close(base) // a connection has only so many channels
			}
		}
		ended(nil)
		if ctx.Err() != nil || conn.IsClosed() {
			return
		}
		switch Code(err) {
		case CodeAccessRefused, CodeNotAllowed, CodePreconditionFailed:
			s.Log.Warn("amqprpc: the server cannot be reached by control messages, so that cancels do not reach it and it serves no streams; grant the permissions or use WithoutControl", "error", fmt.Errorf("control: %w", err))
			s.Mailless(err)
			return
		}
		sleep(ctx, wait.next())
	}
}
