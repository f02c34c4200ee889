package amqprpc

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// What is known of one attempt is not said of the next: a refusal of the first
// that comes while the second is about to begin keeps it from being sent, and the
// loss of a connection says nothing of an attempt that had ended before.
func TestResultBetweenAttempts(t *testing.T) {
	t.Parallel()
	refused := wireReply{headers: amqp.Table{headerCode: "deadline_exceeded", headerOutcome: "not-executed"}}
	oc := &outCall{woken: make(chan struct{}, 1), req: &Request{}}
	first := oc.begin("p-", nil, deadline{})
	require.NotNil(t, first)
	require.Equal(t, deliveredFirst, oc.deliver(1, refused))
	require.Nil(t, oc.begin("p-", nil, deadline{}), "the answer to the first is there: no second is made")
	<-oc.woken
	got, ok := oc.take()
	require.True(t, ok)
	require.Equal(t, refused, got.reply)
	require.Equal(t, 1, oc.inFlight().n)

	second := oc.begin("p-", nil, deadline{})
	require.Equal(t, 2, second.n)
	second.settle(localError(CodeUnavailable, OutcomeNotExecuted, "there is no such queue"))
	<-oc.woken
	got, ok = oc.take()
	require.True(t, ok)
	require.Equal(t, OutcomeNotExecuted, got.err.outcome)
	oc.failed(localError(CodeUnavailable, OutcomeNotExecuted, "there is no such queue"))
	second.settle(localError(CodeUnavailable, OutcomeUnknown, "the connection was lost"))
	require.Nil(t, second.next("p-"), "an attempt that has ended is not made again by itself")
	require.NotNil(t, oc.begin("p-", nil, deadline{}), "the second had ended: its connection's end is not news")
	require.Empty(t, oc.woken)
	require.False(t, oc.isAnswered())
}
