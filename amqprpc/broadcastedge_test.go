package amqprpc_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// Middleware surrounds the whole broadcast on the client, and each handler on the servers.
func TestAllMiddleware(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	instances(t, url, queue, 2, func(ctx context.Context, instance string, _ int) (string, error) {
		r, _ := amqprpc.RequestFromContext(ctx)
		amqprpc.ReplyHeader(ctx)["tenant"] = r.Header()["tenant"]
		return instance, nil
	})
	cli := dial(t, url)
	var seen atomic.Int64
	var again error
	mw := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			if req.Kind() != amqprpc.KindBroadcast || req.Kind().String() != "broadcast" {
				return nil, errors.New("the kind is " + req.Kind().String())
			}
			req.Header()["tenant"] = "t1"
			req.OnMessage(func(d amqprpc.Direction, msg any) error {
				if _, ok := msg.(*string); ok && d == amqprpc.MessageReceived {
					seen.Add(1)
				}
				return nil
			})
			resp, err := next(ctx, req)
			if err == nil && !resp.Stopped() {
				_, again = next(ctx, req)
			}
			return resp, err
		}
	}
	for a, err := range amqprpc.All[int, string](testContext(t), cli, queue, 1, patiently(), amqprpc.WithMiddleware(mw)) {
		require.NoError(t, err)
		require.Equal(t, "t1", a.Header["tenant"])
	}
	require.EqualValues(t, 2, seen.Load())
	require.ErrorIs(t, again, amqprpc.CodeFailedPrecondition)
	refuses := func(amqprpc.Invoker) amqprpc.Invoker {
		return func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) { panic("no") }
	}
	for _, err := range amqprpc.All[int, string](testContext(t), cli, queue, 1, amqprpc.WithMiddleware(refuses)) {
		require.ErrorIs(t, err, amqprpc.CodeInternal)
	}
}

// A client that is closed ends its broadcasts, and cancels their handlers.
func TestAllOnAClosedClient(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	started, ended := make(chan struct{}, 1), make(chan error, 1)
	instances(t, url, queue, 1, func(ctx context.Context, _ string, _ int) (string, error) {
		started <- struct{}{}
		<-ctx.Done()
		ended <- ctx.Err()
		return "", ctx.Err()
	})
	cli := dial(t, url)
	go func() { <-started; cli.Close() }()
	for _, err := range amqprpc.All[int, string](testContext(t), cli, queue, 1, patiently()) {
		require.ErrorIs(t, err, amqprpc.ErrClientClosed)
	}
	require.ErrorIs(t, <-ended, context.Canceled)
	for _, err := range amqprpc.All[int, string](testContext(t), cli, queue, 1) {
		require.ErrorIs(t, err, amqprpc.ErrClientClosed)
		require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
	}
}

// A user that may not write to the control exchange learns it at once, and its calls go on.
func TestBroadcastWithoutPermission(t *testing.T) {
	t.Parallel()
	broker := amqptest.NewBroker(amqptest.WithUser("all", "secret"), amqptest.WithUser("least", "secret"),
		amqptest.WithPermissions("least", `^amqprpc\.reply\.`, `^amq\.default$`, `^amqprpc\.reply\.`))
	t.Cleanup(func() { broker.Close() })
	queue := queueName(t)
	instances(t, "amqp://all:secret@"+broker.Addr()+"/", queue, 1, nameIt)
	log := &testLog{}
	cli := dial(t, "amqp://least:secret@"+broker.Addr()+"/", amqprpc.WithLogger(log.logger()))
	for range 3 {
		for _, err := range amqprpc.All[int, string](testContext(t), cli, queue, 1) {
			require.ErrorIs(t, err, amqprpc.CodePermissionDenied)
			require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
		}
		_, err := amqprpc.Call[int, string](testContext(t), cli, queue, 1)
		require.NoError(t, err)
	}
	require.Zero(t, cli.Stats().Reconnects)
	require.LessOrEqual(t, strings.Count(log.String(), "refuses control messages"), 1, log)

	// The answers to a client of direct reply-to come to a queue, which it may not declare.
	direct := dial(t, "amqp://least:secret@"+broker.Addr()+"/", amqprpc.WithReplyMode(amqprpc.ReplyDirect))
	for range 3 {
		for _, err := range amqprpc.All[int, string](testContext(t), direct, queue, 1) {
			require.ErrorIs(t, err, amqprpc.CodePermissionDenied)
			require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
		}
		_, err := amqprpc.Call[int, string](testContext(t), direct, queue, 1)
		require.NoError(t, err)
	}
	require.Zero(t, direct.Stats().Reconnects)

	// Nor does the queue keep the client from connecting again.
	broker.CutConnections()
	eventually(t, "it connects again", func() bool { return direct.Stats().Reconnects == 1 })
	_, err := amqprpc.Call[int, string](testContext(t), direct, queue, 1)
	require.NoError(t, err)
}
