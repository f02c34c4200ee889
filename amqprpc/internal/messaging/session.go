package messaging

import (
	"context"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/transport"
)

const (
	// SetupTimeout bounds one attempt to connect, and the setting up of what is used
	// on the connection.
	SetupTimeout = 10 * time.Second
	// closeTimeout bounds what is done in good order on a connection that ends.
	closeTimeout = 2 * time.Second
	// reconnectMost is the longest pause after a connection that worked. A peer whose
	// requests cost connections must not make a server wait for longer.
	reconnectMost = time.Second
)

// Session keeps a connection to the broker, for ever: a connection that is lost is
// made anew.
type Session struct {
	Dialer *Dialer
	// Probe is a routing key that no queue has. The first connection publishes a
	// message with it, to find out whether the user may publish.
	Probe string
	// UserID, if it is not empty, is the user_id that the user is going to publish with.
	// The probe tells whether the broker accepts it.
	UserID string
	// Fatal reports whether a permanent error ends Run now.
	Fatal func() bool
	// Up is called when a connection is set up; again says whether it is not the
	// first one.
	Up func(again bool)
	// Down is called when an attempt to connect has failed or, if wasUp, when a
	// connection was lost. The next attempt follows after retryIn.
	Down func(err error, wasUp bool, retryIn time.Duration)
	// Blocked is called when the broker takes no publishes for now, and when it
	// takes them again.
	Blocked func(active bool, reason string)

	probed, again bool
}

// Run keeps a connection until ctx is done, and has use work on it. use calls up
// when the connection is set up, and returns when its ctx ends, whose cause says
// why the connection was lost, or when the connection is of no more use. When ctx
// is done, use may end its work on the connection in good order before it returns.
// The error is a permanent one, where Fatal says so, else nil.
func (s *Session) Run(ctx context.Context, use func(ctx context.Context, conn *Conn, up func()) error) error {
	var wait backoff
	for ctx.Err() == nil {
		start, wasUp := time.Now(), false
		err := s.once(ctx, use, func() {
			wasUp = true
			s.Up(s.again)
			s.again = true
		})
		if ctx.Err() != nil {
			return nil
		}
		if IsPermanent(err) && s.Fatal() {
			return err
		}
		if wasUp {
			wait.lasted(time.Since(start))
		}
		pause := time.Duration(0)
		if wasUp && wait.failures == 0 {
			wait.failures++ // the first attempt after a loss comes at once
		} else {
			pause = wait.next()
		}
		if wasUp {
			pause = min(pause, reconnectMost) // the broker is not down
		}
		s.Down(err, wasUp, pause)
		sleep(ctx, pause)
	}
	return nil
}

// once is the time with one connection.
func (s *Session) once(ctx context.Context, use func(context.Context, *Conn, func()) error, up func()) error {
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	conn, err := s.Dialer.Dial(ctx, transport.Watcher{
		Blocked: func(b transport.Blocking) { s.Blocked(b.Active, b.Reason) },
		Lost:    stop,
	})
	if err != nil {
		return err
	}
	if err = s.probe(ctx, conn); err == nil {
		err = use(work, conn, up)
	}
	if ctx.Err() != nil {
		conn.Close(closeTimeout)
	} else {
		conn.Abort()
	}
	return err
}

func (s *Session) probe(ctx context.Context, conn *Conn) error {
	if s.probed {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, SetupTimeout)
	defer cancel()
	if err := conn.MayPublish(ctx, s.Probe, s.UserID); err != nil {
		return err
	}
	s.probed = true
	return nil
}
