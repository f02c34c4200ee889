package amqprpc_test

import (
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// foreignServer is a bare consumer of a queue that a test answers with.
func foreignServer(t *testing.T, url, queue string) (*peer, <-chan amqp.Delivery) {
	t.Helper()
	p := newPeer(t, url)
	_, requests := p.own(queue)
	return p, requests
}

// beat sends a heartbeat that announces the next one.
func (p *peer) beat(to amqp.Delivery, next time.Duration) {
	p.t.Helper()
	require.NoError(p.t, p.ch.Publish("", to.ReplyTo, true, false, amqp.Publishing{
		CorrelationId: to.CorrelationId, Headers: amqp.Table{"rpc-heartbeat": next.Milliseconds()},
	}))
}

func (p *peer) answer(to amqp.Delivery, body string) {
	p.t.Helper()
	require.NoError(p.t, p.ch.Publish("", to.ReplyTo, true, false, amqp.Publishing{CorrelationId: to.CorrelationId, Body: []byte(body)}))
}

// A client waits for three times the interval that a heartbeat announces, not for three
// times the interval that it asked for.
func TestHeartbeatAnnouncesTheNextOne(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	p, requests := foreignServer(t, url, queue)
	cli := dial(t, url)
	const announced = 900 * time.Millisecond
	slow := amqprpc.Go[int, int](testContext(t), cli, queue, 3, amqprpc.WithLiveness(100*time.Millisecond))
	r := <-requests
	p.beat(r, announced)
	select {
	case <-slow.Done():
		_, err := slow.Await(testContext(t))
		require.NoError(t, err, "given up before the next heartbeat was due")
	case <-time.After(2 * announced):
	}
	p.answer(r, "9")
	got, err := slow.Await(testContext(t))
	require.NoError(t, err)
	require.Equal(t, 9, got)

	silent := amqprpc.Go[int, int](testContext(t), cli, queue, 3, amqprpc.WithLiveness(time.Hour))
	began := time.Now()
	p.beat(<-requests, 100*time.Millisecond)
	_, err = silent.Await(testContext(t))
	require.ErrorIs(t, err, amqprpc.CodeUnavailable)
	require.GreaterOrEqual(t, time.Since(began), 300*time.Millisecond)
	require.Less(t, time.Since(began), patience)
}

// An idempotent call whose server has fallen silent is sent again.
func TestSilentServerOfAnIdempotentCall(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	p, requests := foreignServer(t, url, queue)
	cli := dial(t, url)
	f := amqprpc.Go[int, int](testContext(t), cli, queue, 3, amqprpc.WithLiveness(100*time.Millisecond), amqprpc.WithIdempotent())
	var id string
	for attempt := range 3 {
		r := <-requests
		if attempt == 0 {
			id = r.MessageId
		} else {
			require.EqualValues(t, attempt+1, r.Headers["rpc-attempt"])
		}
		require.Equal(t, id, r.MessageId)
		if attempt < 2 {
			p.beat(r, 100*time.Millisecond)
			continue
		}
		p.answer(r, "9")
	}
	got, err := f.Await(testContext(t))
	require.NoError(t, err)
	require.Equal(t, 9, got)
	require.EqualValues(t, 2, cli.Stats().Resent)
}
