package messaging

import (
	"context"
	"fmt"
	"log/slog"
)

// ControlSender publishes control messages, on a channel of its own: the broker
// closes the channel if the exchange is missing or the user may not write to it, and
// that must not be the channel of the calls. It is safe for concurrent use.
type ControlSender struct {
	Exchange string
	Log      *slog.Logger

	turn chan struct{} // holds something while what follows is used, which may be for as long as the broker takes nothing
	conn *Conn         // nil while there is none
	ch   *Channel      // opened when first wanted
	off  bool          // the broker refuses control messages on this connection
}

func (s *ControlSender) init() { s.turn = make(chan struct{}, 1) }

// use makes conn the connection that messages go on; nil is none.
func (s *ControlSender) use(conn *Conn) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	s.conn, s.ch, s.off = conn, nil, false
}

// Send publishes a message, if there is a connection and the broker takes control
// messages. A message that no queue takes is dropped.
func (s *ControlSender) Send(ctx context.Context, key string, properties, body []byte) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return
	}
	if s.conn == nil || s.off {
		return
	}
	if s.ch != nil && s.ch.IsClosed() {
		if e := <-s.ch.Closed(); e != nil && !s.conn.IsClosed() {
			s.off = true
			s.Log.Warn("amqprpc: the broker refuses control messages; cancels reach no server until the next connection", "exchange", s.Exchange, "error", e)
			return
		}
	}
	if s.ch == nil {
		ch, err := s.conn.Open(ctx, ignore{})
		if err != nil {
			return // the connection's end
		}
		s.ch = ch
	}
	s.ch.Write(s.ch.AppendPublish(nil, &Publishing{Exchange: s.Exchange, Key: key, Properties: properties, Body: body}))
}

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
