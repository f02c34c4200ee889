package messaging

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// Up and Down alternate with what happens; the first attempt after a loss comes at
// once, and further ones are spaced.
func TestSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broker := amqptest.Start(t, amqptest.WithoutListener())
		var events []string
		note := func(format string, args ...any) { events = append(events, fmt.Sprintf(format, args...)) }
		s := newSession(t, broker)
		s.Up = func(again bool) { note("up %v", again) }
		var pauses []time.Duration
		s.Down = func(err error, wasUp bool, retryIn time.Duration) {
			note("down %v", wasUp)
			pauses = append(pauses, retryIn)
			if err == nil {
				t.Error("down without a reason")
			}
		}
		s.Blocked = func(active bool, _ string) { note("blocked %v", active) }
		var why error
		stop := run(t, func(ctx context.Context) {
			err := s.Run(ctx, func(work context.Context, conn *Conn, up func()) error {
				up()
				<-work.Done()
				why = context.Cause(work)
				return why
			})
			if err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		require.Equal(t, []string{"up false"}, events)

		broker.CutConnections()
		synctest.Wait()
		require.Equal(t, []string{"up false", "down true", "up true"}, events)
		require.Equal(t, []time.Duration{0}, pauses)
		require.ErrorContains(t, why, "the connection was lost")

		events, pauses = nil, nil
		broker.RefuseConnections()
		broker.CutConnections()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, "down true", events[0])
		require.Greater(t, len(pauses), 6)
		require.Less(t, len(pauses), 30)
		for i, p := range pauses {
			require.Equal(t, fmt.Sprintf("down %v", i == 0), events[i])
			require.LessOrEqual(t, p, backoffMost)
		}
		require.GreaterOrEqual(t, pauses[len(pauses)-1], backoffMost/2)
		require.NoError(t, broker.AcceptConnections())
		time.Sleep(backoffMost)
		synctest.Wait()
		require.Equal(t, "up true", events[len(events)-1])
		stop()
	})
}

// A permanent error ends Run where Fatal says so, and is another failure elsewhere.
func TestSessionPermanentErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broker := amqptest.Start(t, amqptest.WithoutListener())
		s := newSession(t, broker)
		failure := errors.New("no")
		fatal, downs, asked := false, 0, 0
		s.Fatal = func() bool { asked++; return fatal }
		s.Down = func(err error, wasUp bool, _ time.Duration) {
			require.False(t, wasUp)
			if downs++; downs == 3 {
				fatal = true
			}
		}
		use := func(context.Context, *Conn, func()) error { return Permanent(failure) }
		require.ErrorIs(t, s.Run(t.Context(), use), failure)
		require.Equal(t, 3, downs)
		require.Equal(t, 4, asked)

		passing := 0 // an error that is not permanent never ends it
		ctx, cancel := context.WithCancel(t.Context())
		require.NoError(t, s.Run(ctx, func(context.Context, *Conn, func()) error {
			if passing++; passing == 5 {
				cancel()
			}
			return failure
		}))
		require.Equal(t, 5, passing)
		synctest.Wait()
		require.Empty(t, broker.Connections())
	})
}

// The first connection finds out whether the user may publish, and no other.
func TestSessionProbe(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t, amqptest.WithPermissions("guest", ".*", "^$", ".*"))
	s := newSession(t, broker)
	s.Fatal = func() bool { return true }
	err := s.Run(t.Context(), func(context.Context, *Conn, func()) error { panic("it may not publish") })
	require.ErrorContains(t, err, "grant it write on amq.default")

	broker = amqptest.Start(t)
	record := broker.Record()
	s = newSession(t, broker)
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	require.NoError(t, s.Run(ctx, func(context.Context, *Conn, func()) error {
		if n++; n == 3 {
			cancel()
		}
		return errors.New("again")
	}))
	published := 0
	for _, e := range record.Events() {
		if e.Kind == amqptest.Published {
			require.Equal(t, "probe", e.Message.RoutingKey)
			published++
		}
	}
	require.Equal(t, 1, published)
}
