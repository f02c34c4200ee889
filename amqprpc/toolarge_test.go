package amqprpc_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq"
)

const brokerLimit = 1 << 20

// limitedBroker is a broker of the tests' own that takes messages of up to brokerLimit.
func limitedBroker(t *testing.T) string {
	t.Helper()
	version := os.Getenv(rabbitmq.EnvVersion) // asked here, it counts for go test's cache of results
	if version == "" {
		return amqptest.Start(t, amqptest.WithMaxMessageSize(brokerLimit)).URL()
	}
	n, err := rabbitmq.Start(testContext(t), rabbitmq.Config{
		Version: version, Conf: []string{fmt.Sprintf("max_message_size = %d", brokerLimit)},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Stop()) })
	return n.URL()
}

func length(_ context.Context, s string) (int, error) { return len(s), nil }

// The tests share one broker, because a node of their own takes seconds to boot.
func TestLargerThanTheBrokerAllows(t *testing.T) {
	t.Parallel()
	url := limitedBroker(t)
	t.Run("Request", func(t *testing.T) { testTooLargeRequest(t, url) })
	t.Run("Notification", func(t *testing.T) { testTooLargeNotification(t, url) })
	t.Run("Reply", func(t *testing.T) { testTooLargeReply(t, url) })
}

// A request that is larger than the broker allows ends its own call, at once and for good,
// though it is idempotent. Its neighbours notice nothing, but with direct reply-to.
func testTooLargeRequest(t *testing.T, url string) {
	t.Parallel()
	large := strings.Repeat("x", 3*brokerLimit)
	for name, opts := range map[string][]amqprpc.ClientOption{
		"resumable":   nil,
		"exclusive":   {amqprpc.WithReplyMode(amqprpc.ReplyExclusive)},
		"direct":      {amqprpc.WithReplyMode(amqprpc.ReplyDirect)},
		"unconfirmed": {amqprpc.WithoutConfirms()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			queue := queueName(t)
			release := make(chan struct{})
			var started atomic.Int64
			startServer(t, url, func(s *amqprpc.Server) {
				amqprpc.Register(s, queue, length)
				amqprpc.Register(s, queue+".slow", func(_ context.Context, n int) (int, error) {
					started.Add(1)
					<-release
					return n, nil
				}, amqprpc.WithAtMostOnce())
			})
			cli := dial(t, url, opts...)
			// Notifications, and direct calls after the first channel, have no room for a
			// neighbour: the broker confirms nothing of what came just before.
			var neighbours []*amqprpc.Future[int]
			if name != "direct" {
				for i := range 20 {
					neighbours = append(neighbours, amqprpc.Go[int, int](testContext(t), cli, queue+".slow", i))
				}
				eventually(t, "the neighbours run", func() bool { return started.Load() == 20 })
			}
			var all []*amqprpc.Future[int]
			refused := func(f *amqprpc.Future[int]) {
				_, err := f.Await(testContext(t))
				require.ErrorIs(t, err, amqprpc.CodeResourceExhausted)
				require.ErrorContains(t, err, "1048576")
				require.NotEqual(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
			}
			call := func(s string, opts ...amqprpc.CallOption) *amqprpc.Future[int] {
				return amqprpc.Go[string, int](testContext(t), cli, queue, s, opts...)
			}
			began := time.Now()
			beside := func() {
				if name == "resumable" || name == "exclusive" {
					for range 50 {
						all = append(all, call("abc"))
					}
				}
			}
			beside()
			first := call(large, amqprpc.WithIdempotent())
			beside()
			refused(first)
			refused(call(large, amqprpc.WithIdempotent()))
			refused(call(large))
			require.ErrorIs(t, amqprpc.Notify(testContext(t), cli, queue, large), amqprpc.CodeResourceExhausted)
			require.Less(t, time.Since(began), patience/2)
			close(release)
			for i, f := range neighbours {
				got, err := f.Await(testContext(t))
				require.NoError(t, err)
				require.Equal(t, i, got)
			}
			for _, f := range all {
				got, err := f.Await(testContext(t))
				require.NoError(t, err)
				require.Equal(t, 3, got)
			}
			got, err := call(large[:brokerLimit/2]).Await(testContext(t))
			require.NoError(t, err)
			require.Equal(t, brokerLimit/2, got)
			require.Zero(t, cli.Stats().Resent)
			if name == "direct" {
				require.LessOrEqual(t, cli.Stats().Reconnects, int64(1))
			} else {
				require.Zero(t, cli.Stats().Reconnects)
			}
		})
	}
}

// A notification alone is refused as a call is.
func testTooLargeNotification(t *testing.T, url string) {
	t.Parallel()
	queue := queueName(t)
	startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, length) })
	for _, opts := range [][]amqprpc.ClientOption{nil, {amqprpc.WithoutConfirms()}} {
		cli := dial(t, url, opts...)
		err := amqprpc.Notify(testContext(t), cli, queue, strings.Repeat("x", 2*brokerLimit), amqprpc.WithIdempotent())
		require.ErrorIs(t, err, amqprpc.CodeResourceExhausted)
		require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
		require.NoError(t, amqprpc.Notify(testContext(t), cli, queue, "x"))
		require.Zero(t, cli.Stats().Reconnects)
	}
}

// A reply that is larger than the broker allows costs its server a channel once. The
// caller gets an error, and so does the next one.
func testTooLargeReply(t *testing.T, url string) {
	t.Parallel()
	queue := queueName(t)
	var runs atomic.Int64
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		// Of a queue with a limit no request is sent back, so that nothing counts.
		amqprpc.Register(s, queue, func(_ context.Context, n int) (string, error) {
			runs.Add(1)
			return strings.Repeat("x", n), nil
		}, amqprpc.WithQueue(amqprpc.Queue{MaxLength: 100}))
	})
	cli := dial(t, url)
	for range 3 {
		_, err := amqprpc.Call[int, string](testContext(t), cli, queue, 2*brokerLimit)
		require.ErrorIs(t, err, amqprpc.CodeResourceExhausted)
		require.ErrorContains(t, err, "1048576")
		got, err := amqprpc.Call[int, string](testContext(t), cli, queue, 3)
		require.NoError(t, err)
		require.Equal(t, "xxx", got)
	}
	require.EqualValues(t, 7, runs.Load(), "one ran twice")
	require.Zero(t, srv.Stats().Reconnects)
}
