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
		if err := s.receive(ctx, base, conn); err != nil {
			s.Log.Warn("amqprpc: the server cannot be reached by control messages, so that cancels do not reach it and it serves no streams; grant the permissions or use WithoutControl", "error", fmt.Errorf("control: %w", err))
			s.Mailless(err)
			return
		}
		sleep(ctx, wait.next())
	}
}

// receive keeps the instance's mailbox open for once. The error is a refusal that another
// attempt does not cure.
func (s *Server) receive(ctx, base context.Context, conn *Conn) error {
	s.connections++
	open, ended := context.WithCancelCause(ctx)
	defer ended(nil)
	setup, cancel := context.WithTimeout(base, SetupTimeout)
	defer cancel()
	err := s.Instance.open(setup, conn, s.connections, ended)
	if err != nil {
		switch Code(err) {
		case CodeAccessRefused, CodeNotAllowed, CodePreconditionFailed:
			return err
		default:
			return nil
		}
	}
	s.Reachable(s.Instance.Address())
	s.Streams.use(open, conn)
	<-open.Done()
	s.Unreachable()
	s.Streams.leave()
	s.Instance.close()
	if ctx.Err() == nil && !conn.IsClosed() {
		s.Instance.box.ch.Close(base) // a connection has only so many channels
	}
	return nil
}
