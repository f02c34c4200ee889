package faultsuite

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// refusing makes the broker refuse the client's requests on channels that match. It
// returns the channels that it has seen.
func (s *stage) refusing(match func(channel uint16, seen []uint16) bool) func() []uint16 {
	var seen []uint16
	s.broker.Tamper(func(m amqptest.Message) amqptest.Fate {
		if m.Connection != "client" || m.RoutingKey != stageQueue {
			return amqptest.Fate{}
		}
		if len(seen) == 0 || seen[len(seen)-1] != m.Channel {
			seen = append(seen, m.Channel)
		}
		refused := match(m.Channel, seen)
		return amqptest.Fate{Nack: refused, Drop: refused}
	})
	return func() []uint16 {
		synctest.Wait()
		return seen
	}
}

// After the death of a leader, RabbitMQ 3.10 may refuse a queue on a channel for ever. The
// client replaces such a channel after a second. Calls that were sent on the old channel
// are still answered.
func TestChannelThatGoesOnRefusing(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]amqprpc.ReplyMode{
		"resumable": amqprpc.ReplyResumable, "exclusive": amqprpc.ReplyExclusive, "direct": amqprpc.ReplyDirect,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onStage(t, nil, []amqprpc.ClientOption{amqprpc.WithReplyMode(m)}, func(t *testing.T, s *stage) {
				record := s.broker.Record()
				before := s.call(amqprpc.WithTimeout(time.Minute))
				<-s.started
				synctest.Wait()
				seen := s.refusing(func(channel uint16, seen []uint16) bool { return channel == seen[0] })
				s.fails(s.call(), amqprpc.CodeUnavailable, amqprpc.OutcomeUnknown, 0)
				time.Sleep(500 * time.Millisecond)
				s.fails(s.call(), amqprpc.CodeUnavailable, amqprpc.OutcomeUnknown, 0)
				time.Sleep(501 * time.Millisecond) // no further refusal is necessary
				after := s.call()
				<-s.started
				s.let()
				s.answered(after)
				s.answered(before)
				require.Len(t, seen(), 2)
				time.Sleep(11 * time.Minute) // until the calls with direct replies have expired
				closed := 0
				for _, e := range record.Events() {
					if e.Kind == amqptest.ChannelClosed && e.Connection == "client" {
						require.Equal(t, seen()[0], e.Channel)
						closed++
					}
				}
				require.Equal(t, 1, closed, "of the client's channels the old one is closed")
				s.answered(s.call())
				require.Zero(t, s.client.Stats().Reconnects)
			})
		})
	}
}

// Without confirms for calls, only notifications are refused.
func TestChannelThatGoesOnRefusingNotifications(t *testing.T) {
	t.Parallel()
	onStage(t, nil, []amqprpc.ClientOption{amqprpc.WithoutConfirms()}, func(t *testing.T, s *stage) {
		s.let()
		notify := func() error { return amqprpc.Notify(context.Background(), s.client, stageQueue, 9) }
		require.NoError(t, notify())
		s.refusing(func(channel uint16, seen []uint16) bool { return channel == seen[0] })
		require.ErrorIs(t, notify(), amqprpc.CodeUnavailable)
		time.Sleep(1001 * time.Millisecond)
		require.NoError(t, notify())
		s.answered(s.call())
	})
}

// A full queue refuses messages on every channel. The client must not open one channel
// after another.
func TestQueueThatGoesOnRefusing(t *testing.T) {
	t.Parallel()
	onStage(t, nil, nil, func(t *testing.T, s *stage) {
		full := true
		seen := s.refusing(func(uint16, []uint16) bool { return full })
		for range 10 * time.Minute / time.Second {
			s.fails(s.call(), amqprpc.CodeUnavailable, amqprpc.OutcomeUnknown, 0)
			time.Sleep(time.Second)
		}
		require.LessOrEqual(t, len(seen()), 25)
		full = false
		s.let()
		s.answered(s.call())
	})
}

// A queue that is full from time to time refuses only some messages. The client must not
// replace its channel.
func TestQueueThatRefusesSome(t *testing.T) {
	t.Parallel()
	onStage(t, nil, nil, func(t *testing.T, s *stage) {
		calls := 0
		seen := s.refusing(func(uint16, []uint16) bool { calls++; return calls%2 == 1 })
		s.let()
		for range 100 {
			s.fails(s.call(), amqprpc.CodeUnavailable, amqprpc.OutcomeUnknown, 0)
			time.Sleep(300 * time.Millisecond)
			s.answered(s.call())
			time.Sleep(300 * time.Millisecond)
		}
		require.Len(t, seen(), 1)
	})
}
