package amqprpc_test

import (
	"context"
	"errors"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// A second call under the same id (WithCallID) is a separate call for its client. It gets its
// own answer and not the answer of the first call.
func TestCallIDOfAnEarlierCall(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (string, error) {
			r, _ := amqprpc.RequestFromContext(ctx)
			return r.ID(), nil
		})
	})
	cli := dial(t, url)
	id, err := amqprpc.Call[int, string](testContext(t), cli, queue, 1)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(testContext(t), 5*time.Second)
	defer cancel()
	again, err := amqprpc.Call[int, string](ctx, cli, queue, 1, amqprpc.WithCallID(id))
	require.NoError(t, err)
	require.Equal(t, id, again)
	require.Zero(t, cli.Stats().LateReplies)
}

// Heartbeats of an ended attempt do not count for the next attempt, whose handler has not
// started.
func TestLivenessOfTheNextAttempt(t *testing.T) {
	t.Parallel()
	const sign = 100 * time.Millisecond
	url, queue := brokerURL(t), queueName(t)
	retry := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			resp, err := next(ctx, req)
			if errors.Is(err, amqprpc.CodeUnavailable) {
				return next(ctx, req)
			}
			return resp, err
		}
	}
	server := newPeer(t, url)
	_, err := server.ch.QueueDeclare(queue, true, false, false, false, nil)
	require.NoError(t, err)
	requests, err := server.ch.Consume(queue, "", true, false, false, false, nil)
	require.NoError(t, err)
	f := amqprpc.Go[int, int](testContext(t), dial(t, url), queue, 3, amqprpc.WithLiveness(sign), amqprpc.WithMiddleware(retry))
	first := <-requests
	require.NoError(t, server.ch.Publish("", first.ReplyTo, false, false, amqp.Publishing{
		CorrelationId: first.CorrelationId, Headers: amqp.Table{"rpc-heartbeat": int64(sign / time.Millisecond)},
	}))
	second := <-requests // the client assumes that the server of the first attempt is dead
	select {
	case <-f.Done():
		_, err := f.Await(testContext(t))
		require.NoError(t, err, "the second attempt waits in the queue")
	case <-time.After(5 * sign):
	}
	require.NoError(t, server.ch.Publish("", second.ReplyTo, false, false, amqp.Publishing{CorrelationId: second.CorrelationId, Body: []byte("9")}))
	got, err := f.Await(testContext(t))
	require.NoError(t, err)
	require.Equal(t, 9, got)
}

// A bounced request is not a heartbeat, even if the call asks for heartbeats.
func TestBounceWithLiveness(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	peer := newPeer(t, url)
	require.NoError(t, peer.ch.ExchangeDeclare("amqprpc.bounce", "headers", true, false, false, false, nil))
	_, err := peer.ch.QueueDeclare(queue, true, false, false, false, amqp.Table{
		"x-dead-letter-exchange": "amqprpc.bounce", "x-message-ttl": 50, "x-expires": 60_000,
	})
	require.NoError(t, err)
	_, err = amqprpc.Call[int, int](testContext(t), dial(t, url, amqprpc.WithBounce()), queue, 1, amqprpc.WithLiveness(time.Minute), amqprpc.WithTimeout(5*time.Second))
	require.ErrorContains(t, err, "came back from the queue")
}

// A request that a consumer rejects comes back to its caller.
func TestBounceOfARejectedRequest(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	peer := newPeer(t, url)
	require.NoError(t, peer.ch.ExchangeDeclare("amqprpc.bounce", "headers", true, false, false, false, nil))
	_, err := peer.ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-dead-letter-exchange": "amqprpc.bounce", "x-expires": 60_000})
	require.NoError(t, err)
	requests, err := peer.ch.Consume(queue, "", false, false, false, false, nil)
	require.NoError(t, err)
	f := amqprpc.Go[int, int](testContext(t), dial(t, url, amqprpc.WithBounce()), queue, 1)
	request := <-requests
	require.NoError(t, request.Reject(false))
	_, err = f.Await(testContext(t))
	require.ErrorIs(t, err, amqprpc.CodeAborted)
	require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
}

// Middleware may pass a ctx without the call's ctx as parent. The call still ends at its
// deadline, and does not spin until then.
func TestMiddlewareThatDropsTheDeadline(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	_, err := newPeer(t, url).ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-expires": 60_000})
	require.NoError(t, err)
	detach := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			return next(context.WithoutCancel(ctx), req)
		}
	}
	cli := dial(t, url)
	f := amqprpc.Go[int, int](testContext(t), cli, queue, 1, amqprpc.WithTimeout(200*time.Millisecond), amqprpc.WithMiddleware(detach))
	ctx, cancel := context.WithTimeout(testContext(t), 5*time.Second)
	defer cancel()
	_, err = f.Await(ctx)
	require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded)
	require.NoError(t, ctx.Err(), "the call outlived its deadline")
}

// A panic of middleware becomes the error of its call, and leaves no pending call.
func TestPanicOfClientMiddleware(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) })
	cli := dial(t, url)
	explode := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			next(ctx, req)
			panic("boom")
		}
	}
	_, err := amqprpc.Call[int, int](testContext(t), cli, queue, 1, amqprpc.WithMiddleware(explode))
	require.ErrorIs(t, err, amqprpc.CodeInternal)
	require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
	p, ok := errors.AsType[*amqprpc.PanicError](err)
	require.True(t, ok)
	require.Equal(t, "boom", p.Value)
	require.Contains(t, string(p.Stack), "attempt_test.go")
	require.Zero(t, cli.Stats().Pending)
}

// A repetition of a call may fail with not-sent or not-executed. The outcome stays unknown,
// because the earlier call may have run.
func TestOutcomeOfARepetition(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	peer := newPeer(t, url)
	_, err := peer.ch.QueueDeclare(queue, true, false, false, false, nil)
	require.NoError(t, err)
	twice := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			defer cancel()
			_, err := next(short, req)
			require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded)
			require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
			_, err = peer.ch.QueueDelete(queue, false, false, false)
			require.NoError(t, err)
			return next(ctx, req)
		}
	}
	cli := dial(t, url)
	_, err = amqprpc.Call[int, int](testContext(t), cli, queue, 1, amqprpc.WithMiddleware(twice))
	require.ErrorContains(t, err, "there is no such queue")
	require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err), "the first attempt may have run")
	_, err = amqprpc.Call[int, int](testContext(t), cli, queue, 1)
	require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
}

// Middleware learns of the attempts that the client made by itself, and of each attempt's
// correlation ID.
func TestAttemptsOfTheClient(t *testing.T) {
	t.Parallel()
	const sign = 100 * time.Millisecond
	url, queue := brokerURL(t), queueName(t)
	server := newPeer(t, url)
	_, err := server.ch.QueueDeclare(queue, true, false, false, false, nil)
	require.NoError(t, err)
	requests, err := server.ch.Consume(queue, "", true, false, false, false, nil)
	require.NoError(t, err)

	var attempts []amqprpc.Attempt
	var ids [2]string
	look := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			require.Empty(t, req.Attempts())
			ids[0] = req.CorrelationID()
			resp, err := next(ctx, req)
			attempts, ids[1] = req.Attempts(), req.CorrelationID()
			return resp, err
		}
	}
	began := time.Now()
	f := amqprpc.Go[int, int](testContext(t), dial(t, url), queue, 3,
		amqprpc.WithLiveness(sign), amqprpc.WithIdempotent(), amqprpc.WithMiddleware(look))
	first := <-requests
	require.NoError(t, server.ch.Publish("", first.ReplyTo, false, false, amqp.Publishing{
		CorrelationId: first.CorrelationId, Headers: amqp.Table{"rpc-heartbeat": int64(sign / time.Millisecond)},
	}))
	second := <-requests // the client assumes that the server of the first attempt is dead
	require.NoError(t, server.ch.Publish("", second.ReplyTo, false, false, amqp.Publishing{CorrelationId: second.CorrelationId, Body: []byte("9")}))
	got, err := f.Await(testContext(t))
	require.NoError(t, err)
	require.Equal(t, 9, got)

	require.Empty(t, ids[0], "no attempt was made yet")
	require.NotEqual(t, first.CorrelationId, ids[1])
	require.Len(t, attempts, 2)
	one, two := attempts[0], attempts[1]
	require.Equal(t, second.CorrelationId, ids[1])
	require.Equal(t, amqprpc.Attempt{Number: 1, End: one.End}, one)
	require.Equal(t, amqprpc.Attempt{Number: 2, Start: two.Start, Resent: true}, two)
	require.True(t, one.End.After(began) && !two.Start.Before(one.End) && two.Start.Before(time.Now()))
}

// Middleware sees the attempts of other middleware, with their errors. What is refused
// before it is sent is no attempt.
func TestAttemptsOfMiddleware(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			if r, _ := amqprpc.RequestFromContext(ctx); r.Attempt() < n {
				return 0, amqprpc.CodeUnavailable
			}
			return n, nil
		})
	})
	var attempts []amqprpc.Attempt
	look := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			resp, err := next(ctx, req)
			attempts = req.Attempts()
			return resp, err
		}
	}
	thrice := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (resp *amqprpc.Response, err error) {
			for range 3 {
				if resp, err = next(ctx, req); err == nil {
					break
				}
			}
			return resp, err
		}
	}
	cli := dial(t, url, amqprpc.WithMiddleware(look, thrice))
	call := func(n int, opts ...amqprpc.CallOption) error {
		_, err := amqprpc.Call[int, int](testContext(t), cli, queue, n, opts...)
		return err
	}

	require.NoError(t, call(1))
	require.Equal(t, []amqprpc.Attempt{{Number: 1}}, attempts)

	require.NoError(t, call(2))
	require.Len(t, attempts, 2)
	require.ErrorIs(t, attempts[0].Err, amqprpc.CodeUnavailable)
	require.False(t, attempts[0].End.IsZero())
	require.Equal(t, amqprpc.Attempt{Number: 2, Start: attempts[1].Start}, attempts[1])

	require.ErrorIs(t, call(9), amqprpc.CodeUnavailable)
	require.Len(t, attempts, 3)
	for i, a := range attempts {
		require.Equal(t, i+1, a.Number)
		require.ErrorIs(t, a.Err, amqprpc.CodeUnavailable)
		require.False(t, a.Resent)
		require.Equal(t, i == 0, a.Start.IsZero())
	}

	require.ErrorIs(t, call(1, amqprpc.WithHeader("rpc-mine", "")), amqprpc.CodeInvalidArgument)
	require.Empty(t, attempts)
}

// On a server the correlation ID is the message's, and no attempts are known.
func TestCorrelationIDOnServer(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	seen := make(chan string, 1)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			r, _ := amqprpc.RequestFromContext(ctx)
			require.Nil(t, r.Attempts())
			seen <- r.CorrelationID()
			return n, nil
		})
	})
	newPeer(t, url).ask(queue, amqp.Publishing{CorrelationId: "mine", ContentType: "application/json", Body: []byte("1")})
	require.Equal(t, "mine", <-seen)
}
