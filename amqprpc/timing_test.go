package amqprpc_test

import (
	"context"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

func (t timings) total() time.Duration { return t.Sent + t.Queued + t.Handler + t.Back }

type timings struct{ amqprpc.Timing }

// The parts of a call make up the whole, and the server's are its own.
func TestTiming(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	const handles = 30 * time.Millisecond
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, fail bool) (int, error) {
			<-time.After(handles) // the duration of the handler is what is measured
			if fail {
				return 0, amqprpc.CodeNotFound
			}
			return 1, nil
		}, amqprpc.WithConcurrency(1))
	})
	cli := dial(t, url)
	for _, fail := range []bool{false, true} {
		var got timings
		began := time.Now()
		_, err := amqprpc.Call[bool, int](testContext(t), cli, queue, fail, amqprpc.WithTiming(&got.Timing))
		whole := time.Since(began)
		require.Equal(t, fail, err != nil)
		require.True(t, got.Known)
		require.GreaterOrEqual(t, got.Handler, handles-time.Millisecond)
		require.Positive(t, got.Sent)
		require.GreaterOrEqual(t, got.Back, time.Duration(0)) // the time in the queue is an estimate, and may take all of it
		require.LessOrEqual(t, got.total(), whole)
	}
	// Of two calls at once, one waits for the worker.
	var first, second timings
	f := amqprpc.Go[bool, int](testContext(t), cli, queue, false, amqprpc.WithTiming(&first.Timing))
	_, err := amqprpc.Call[bool, int](testContext(t), cli, queue, false, amqprpc.WithTiming(&second.Timing))
	require.NoError(t, err)
	_, err = f.Await(testContext(t))
	require.NoError(t, err)
	require.Greater(t, max(first.Queued, second.Queued), handles/3)
}

// Without an answer of a server that knows the option, only the client's part is known.
func TestTimingUnknown(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	cli := dial(t, url)
	var got timings
	_, err := amqprpc.Call[int, int](testContext(t), cli, queue, 1, amqprpc.WithTiming(&got.Timing))
	require.ErrorIs(t, err, amqprpc.CodeUnavailable)
	require.False(t, got.Known)
	require.Positive(t, got.Sent)
	require.Positive(t, got.Back)
	require.Zero(t, got.Queued)
	require.Zero(t, got.Handler)

	_, err = amqprpc.Call[int, int](testContext(t), cli, "\x00", 1, amqprpc.WithTiming(&got.Timing))
	require.ErrorIs(t, err, amqprpc.CodeInvalidArgument)
	require.Positive(t, got.Sent, "it was not sent: the whole call is before that")
	require.Zero(t, got.Back)

	p := newPeer(t, url)
	_, requests := p.own(queue)
	go func() {
		for d := range requests {
			_, asks := d.Headers["rpc-timing"]
			p.ch.Publish("", d.ReplyTo, false, false, amqp.Publishing{ContentType: "application/json", CorrelationId: d.CorrelationId, Body: []byte(map[bool]string{true: "1", false: "0"}[asks])})
		}
	}()
	n, err := amqprpc.Call[int, int](testContext(t), cli, queue, 1, amqprpc.WithTiming(&got.Timing))
	require.NoError(t, err)
	require.Equal(t, 1, n, "the request asks")
	require.False(t, got.Known)
	n, err = amqprpc.Call[int, int](testContext(t), cli, queue, 1)
	require.NoError(t, err)
	require.Zero(t, n, "the request does not ask")
}

// A server says its times only if it is asked, and refuses what asks for nothing known.
func TestTimingOnTheWire(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) })
	p := newPeer(t, url)
	ask := func(h amqp.Table) amqp.Table {
		return p.ask(queue, amqp.Publishing{CorrelationId: "1", Headers: h, Body: []byte("2")}).Headers
	}
	require.Empty(t, ask(nil))
	require.Empty(t, ask(amqp.Table{"rpc-timing": false}))
	h := ask(amqp.Table{"rpc-timing": true})
	require.Len(t, h, 2)
	require.IsType(t, int64(0), h["rpc-queue-time"])
	require.IsType(t, int64(0), h["rpc-handler-time"])
	require.Equal(t, "invalid_argument", ask(amqp.Table{"rpc-timing": "yes"})["rpc-code"])
}

// A reply with times that make no sense does no harm.
func TestTimingOfAHostileServer(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	cli, p := dial(t, url), newPeer(t, url)
	_, requests := p.own(queue)
	answers := []amqp.Table{
		{"rpc-queue-time": int64(-5), "rpc-handler-time": int64(1) << 62},
		{"rpc-queue-time": "x", "rpc-handler-time": nil},
		{"rpc-handler-time": int64(1) << 62, "rpc-queue-time": int64(1) << 62},
	}
	go func() {
		for _, h := range answers {
			d := <-requests
			p.ch.Publish("", d.ReplyTo, false, false, amqp.Publishing{ContentType: "application/json", CorrelationId: d.CorrelationId, Headers: h, Body: []byte("1")})
		}
	}()
	for range answers {
		var got timings
		began := time.Now()
		_, err := amqprpc.Call[int, int](testContext(t), cli, queue, 1, amqprpc.WithTiming(&got.Timing))
		require.NoError(t, err)
		require.True(t, got.Known)
		for _, part := range []time.Duration{got.Sent, got.Queued, got.Handler, got.Back} {
			require.GreaterOrEqual(t, part, time.Duration(0))
		}
		require.LessOrEqual(t, got.total(), time.Since(began))
	}
}
