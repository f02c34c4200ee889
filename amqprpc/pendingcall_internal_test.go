package amqprpc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
)

func newPendingCall() *pendingCall {
	return &pendingCall{client: &Client{clientState: &clientState{born: time.Now()}}, prefix: "p-", woken: make(chan struct{}, 1), req: Request{kind: KindUnary}}
}

// A result belongs to one attempt. A refusal of the first attempt, received before the second
// starts, prevents the second. The loss of a connection does not affect an attempt that ended
// earlier.
func TestResultBetweenAttempts(t *testing.T) {
	t.Parallel()
	refused := &reply{kind: replyError, about: "deadline_exceeded", outcome: OutcomeNotExecuted}
	pc := newPendingCall()
	first := pc.begin(nil, 0)
	require.NotNil(t, first)
	require.Equal(t, deliveredFirst, pc.deliver(1, refused))
	require.Nil(t, pc.begin(nil, 0), "the answer to the first is there: no second is made")
	<-pc.woken
	got, ok := pc.take()
	require.True(t, ok)
	require.Equal(t, *refused, got.reply)
	require.EqualValues(t, 1, pc.inFlight().n)

	second := pc.begin(nil, 0)
	require.EqualValues(t, 2, second.n)
	second.settle(localError(CodeUnavailable, OutcomeNotExecuted, "q", "there is no such queue"))
	<-pc.woken
	got, ok = pc.take()
	require.True(t, ok)
	require.Equal(t, OutcomeNotExecuted, got.err.outcome)
	pc.failed(localError(CodeUnavailable, OutcomeNotExecuted, "q", "there is no such queue"))
	second.settle(localError(CodeUnavailable, OutcomeUnknown, "q", "the connection was lost"))
	require.Nil(t, second.next(), "an attempt that has ended is not made again by itself")
	require.NotNil(t, pc.begin(nil, 0), "the second had ended: its connection's end is not news")
	require.Empty(t, pc.woken)
	require.False(t, pc.isAnswered())
}

// A reply to an earlier attempt counts if it proves an execution, and it counts once.
func TestRepliesToEarlierAttempts(t *testing.T) {
	t.Parallel()
	refused, result := &reply{kind: replyError, outcome: OutcomeNotExecuted}, &reply{}
	pc := newPendingCall()
	require.Equal(t, deliveredStale, pc.deliver(1, result), "nothing was sent")
	pc.begin(nil, 0)
	pc.begin(nil, 0)
	require.Equal(t, deliveredStale, pc.deliver(3, result), "nor a third")
	require.Equal(t, deliveredStale, pc.deliver(1, refused))
	require.Equal(t, deliveredStale, pc.deliver(1, &reply{kind: replyBounced}))
	late := &reply{kind: replyError, outcome: OutcomeExecuted, about: "deadline_exceeded"}
	require.Equal(t, deliveredStale, pc.deliver(1, late), "the second has time of its own")
	require.Equal(t, deliveredFirst, pc.deliver(1, result))
	require.Equal(t, deliveredRepeated, pc.deliver(1, result))
	require.Equal(t, deliveredRepeated, pc.deliver(2, result))
	pc.end()
	require.Equal(t, deliveredStale, pc.deliver(2, result))
	require.Empty(t, pc.woken)
}

// If an attempt has ended at its own limit, its handler may answer with deadline_exceeded. This
// answer does not end the next attempt.
func TestReplyOfAnAttemptThatIsOutOfTime(t *testing.T) {
	t.Parallel()
	late := &reply{kind: replyError, outcome: OutcomeExecuted, about: "deadline_exceeded"}
	pc := newPendingCall()
	pc.begin(nil, 0)
	pc.failed(localError(CodeDeadlineExceeded, OutcomeUnknown, "q", "the limit of the attempt"))
	require.Equal(t, deliveredStale, pc.deliver(1, late))
	require.NotNil(t, pc.begin(nil, 0))
	require.Equal(t, deliveredFirst, pc.deliver(2, late), "its own counts")
	require.NotNil(t, pc.begin(nil, 0), "but not for a third")
}

// An attempt is either written or abandoned, whichever comes first.
func TestAttemptIsAbandonedOrWritten(t *testing.T) {
	t.Parallel()
	pc := newPendingCall()
	a := pc.begin(nil, 0)
	require.True(t, a.Wanted())
	require.True(t, a.Claim(7, 0))
	require.EqualValues(t, 7, a.connection.Load())
	require.False(t, a.abandon())
	a.Unclaim()
	require.True(t, a.abandon())
	require.False(t, a.Claim(8, 0))
	given := pc.begin(nil, moment(time.Hour))
	require.True(t, given.Claim(8, 0))
	pc.client.closed = make(chan struct{})
	close(pc.client.closed) // no task sends the cancel
	pc.client.giveUp(given)
	given.Unclaim()
	require.False(t, given.Claim(9, 0), "given up before it was put back: it is not published")
	b := pc.begin(Header{"a": strings.Repeat("x", 5000)}, 0)
	require.False(t, a.Wanted(), "there is a later one")
	require.False(t, b.Claim(8, 4096), "its headers do not fit a frame")
	r, ok := pc.take()
	require.True(t, ok)
	require.ErrorIs(t, r.err, CodeResourceExhausted)
	require.Equal(t, OutcomeNotSent, r.err.outcome)
	pc.end()
	require.False(t, b.Wanted())
}

// Bodies may share memory, but an append to one does not change another. Long bodies share no
// memory.
func TestBodies(t *testing.T) {
	t.Parallel()
	var b bodies
	batch := make([]byte, 3*bodiesTogether)
	for i := range batch {
		batch[i] = byte(i)
	}
	var got [][]byte
	lengths := []int{0, 1, 2, 3, bodiesTogether, 5, bodiesTogether + 1, 10, bodiesTogether - 15, 1, 2}
	for _, n := range lengths {
		got = append(got, b.clone(batch[:n]))
	}
	for _, body := range got {
		_ = append(body, 0xff)
	}
	clear(batch)
	for i, n := range lengths {
		require.Len(t, got[i], n)
		for at, c := range got[i] {
			require.Equal(t, byte(at), c, "body %d", i)
		}
	}
}

func TestEnvelopeWithin(t *testing.T) {
	t.Parallel()
	e := Errorf(CodeAborted, "%s", strings.Repeat("\x01<é", 1000)).WithDetail("d", strings.Repeat("x", 1000))
	for _, limit := range []int{100, 500, 2000, 5000, 100_000} {
		body := envelopeWithin(e, limit)
		require.LessOrEqual(t, len(body), limit)
		var back Error
		require.NoError(t, back.UnmarshalJSON(body))
		require.Equal(t, CodeAborted, back.code)
	}
}

// If the user may not declare a reply queue, the error names the missing permission, and the
// client stops trying.
func TestExplainReplyQueue(t *testing.T) {
	t.Parallel()
	denied := fmt.Errorf("declare: %w", &amqp.Error{Code: amqp.AccessRefused, Server: true})
	err := explainReplyQueue(denied)
	require.True(t, messaging.IsPermanent(err))
	require.ErrorIs(t, err, denied)
	require.ErrorContains(t, err, "grant it configure and read")
	require.NoError(t, explainReplyQueue(nil))
	require.Equal(t, context.Canceled, explainReplyQueue(context.Canceled))
}

// A change of connection.blocked that is told while a connection ends says nothing of
// the next one.
func TestBlockedAtTheEndOfAConnection(t *testing.T) {
	t.Parallel()
	c, err := newClient("amqp://localhost", []ClientOption{WithLogger(nil)})
	require.NoError(t, err)
	c.session.Blocked(true, "low on memory")
	require.True(t, c.blocked.Load())
	c.session.Down(errors.New("the connection was lost"), true, 0)
	require.False(t, c.blocked.Load())
}
