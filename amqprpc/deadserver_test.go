package amqprpc_test

import (
	"context"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// A server dies with a request and no other server runs. The call ends at its deadline, and
// the request is back in the queue.
func TestCallOfADeadServerEndsAtItsDeadline(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	conn, err := amqp.Dial(url)
	require.NoError(t, err)
	defer conn.Close()
	ch, err := conn.Channel()
	require.NoError(t, err)
	_, err = ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-expires": int32(60_000)})
	require.NoError(t, err)
	requests, err := ch.Consume(queue, "", false, false, false, false, nil)
	require.NoError(t, err)

	call := amqprpc.Go[int, int](testContext(t), dial(t, url), queue, 3, amqprpc.WithTimeout(2*time.Second))
	require.NotEmpty(t, (<-requests).ReplyTo)
	require.NoError(t, conn.Close())
	_, err = call.Await(testContext(t))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "0 consumers and 1 message waiting")
	require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
}
