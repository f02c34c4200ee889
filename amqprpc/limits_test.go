package amqprpc_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/middleware"
	"github.com/bbebcec1/amqprpc-go/middleware/idempotency"
)

// limits are the values that an option is given: at its type's limits, and beside zero.
var (
	durations = []time.Duration{math.MinInt64, -1, 0, 1, time.Millisecond, 11 * 365 * 24 * time.Hour, math.MaxInt64 - 1, math.MaxInt64}
	beyond32  = int64(1) << 31 // no constant, so that this also compiles where an int has 32 bits
	counts    = []int{math.MinInt, -1, 0, 1, 1 << 16, int(beyond32), int(2*beyond32 + 1), math.MaxInt}
)

// atLimits is an option for each value.
func atLimits[T, O any](values []T, option func(T) O) []O {
	var all []O
	for _, v := range values {
		all = append(all, option(v))
	}
	return all
}

func echo(_ context.Context, n int) (int, error) { return n, nil }

// called makes a call that must succeed, or end for want of time.
func called(t *testing.T, what string, cli *amqprpc.Client, queue string, opts ...amqprpc.CallOption) {
	t.Helper()
	got, err := amqprpc.Call[int, int](testContext(t), cli, queue, 7, opts...)
	if err != nil {
		require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded, what)
		return
	}
	require.Equal(t, 7, got, what)
	require.Zero(t, cli.Stats().Reconnects, what)
}

func TestServerOptionsAtTheirLimits(t *testing.T) {
	t.Parallel()
	url := brokerURL(t)
	cli := dial(t, url)
	for name, opts := range map[string][]amqprpc.ServerOption{
		"WithHeartbeat":      atLimits(durations, func(d time.Duration) amqprpc.ServerOption { return amqprpc.WithHeartbeat(d) }),
		"WithDrainTimeout":   atLimits(durations, amqprpc.WithDrainTimeout),
		"WithClockSkew":      atLimits(durations, amqprpc.WithClockSkew),
		"WithMaxMessageSize": atLimits(counts, func(n int) amqprpc.ServerOption { return amqprpc.WithMaxMessageSize(n) }),
		"WithConnectionName": {amqprpc.WithConnectionName(strings.Repeat("\xffé", 200_000)), amqprpc.WithConnectionName("\x00\n")},
		"WithMiddleware": atLimits(durations, func(d time.Duration) amqprpc.ServerOption {
			store := idempotency.NewMemoryStore(int(d), d)
			return amqprpc.WithMiddleware(middleware.Timeout(d), idempotency.New(store, idempotency.WithLease(d), idempotency.WithStoreTimeout(d)))
		}),
	} {
		for i, o := range opts {
			queue := fmt.Sprint(queueName(t), name, i)
			_, stop := serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, echo) }, o)
			called(t, queue, cli, queue)
			err := stop()
			if name == "WithDrainTimeout" && amqprpc.CodeOf(err) == amqprpc.CodeDeadlineExceeded {
				continue // the shortest drain may end before the broker has taken the answer
			}
			require.NoError(t, err, queue)
		}
	}
}

func TestHandlerOptionsAtTheirLimits(t *testing.T) {
	t.Parallel()
	url, stem := brokerURL(t), queueName(t)
	cli := dial(t, url)
	queues := make(map[string]amqprpc.HandlerOption)
	add := func(name string, opts []amqprpc.HandlerOption) {
		for i, o := range opts {
			queues[fmt.Sprint(stem, name, i)] = o
		}
	}
	queue := func(set func(*amqprpc.Queue, time.Duration)) []amqprpc.HandlerOption {
		return atLimits(durations, func(d time.Duration) amqprpc.HandlerOption {
			var q amqprpc.Queue
			set(&q, d)
			return amqprpc.WithQueue(q)
		})
	}
	add("WithHandlerTimeout", atLimits(durations, func(d time.Duration) amqprpc.HandlerOption { return amqprpc.WithHandlerTimeout(d) }))
	add("WithConcurrency", atLimits(counts, amqprpc.WithConcurrency))
	add("WithPrefetch", atLimits(counts, amqprpc.WithPrefetch))
	add("WithMaxDeliveries", atLimits(counts, amqprpc.WithMaxDeliveries))
	add("Expires", queue(func(q *amqprpc.Queue, d time.Duration) { q.Expires = d }))
	add("MessageTTL", queue(func(q *amqprpc.Queue, d time.Duration) { q.MessageTTL = d }))
	add("MaxLength", queue(func(q *amqprpc.Queue, d time.Duration) { q.MaxLength = int(d) }))
	add("MaxLengthBytes", queue(func(q *amqprpc.Queue, d time.Duration) { q.MaxLengthBytes = int64(d) }))
	add("MaxPriority", queue(func(q *amqprpc.Queue, d time.Duration) { q.MaxPriority = int(d) }))
	add("DeliveryLimit", queue(func(q *amqprpc.Queue, d time.Duration) { q.Type, q.DeliveryLimit = "quorum", int(d) }))
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		for name, o := range queues {
			amqprpc.Register(s, name, echo, o)
		}
	})
	for name := range queues {
		called(t, name, cli, name, amqprpc.WithTimeout(2*time.Second))
	}
	require.Zero(t, srv.Stats().Reconnects)
}

func TestClientOptionsAtTheirLimits(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	srv, _ := startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, echo) })
	for name, opts := range map[string][]amqprpc.ClientOption{
		"WithHeartbeat":        atLimits(durations, func(d time.Duration) amqprpc.ClientOption { return amqprpc.WithHeartbeat(d) }),
		"WithMaxMessageSize":   atLimits(counts, func(n int) amqprpc.ClientOption { return amqprpc.WithMaxMessageSize(n) }),
		"WithTimeout":          atLimits(durations, func(d time.Duration) amqprpc.ClientOption { return amqprpc.WithTimeout(d) }),
		"WithLiveness":         atLimits(durations, func(d time.Duration) amqprpc.ClientOption { return amqprpc.WithLiveness(d) }),
		"WithReplyQueueExpiry": atLimits(durations, amqprpc.WithReplyQueueExpiry),
		"WithMaxPending":       atLimits(counts, amqprpc.WithMaxPending),
		"WithReplyMode":        atLimits(counts, func(n int) amqprpc.ClientOption { return amqprpc.WithReplyMode(amqprpc.ReplyMode(n)) }),
		"WithConnectionName":   {amqprpc.WithConnectionName(strings.Repeat("é", 200_000)), amqprpc.WithConnectionName("")},
	} {
		for i, o := range opts {
			cli := dial(t, url, o)
			called(t, fmt.Sprint(name, i), cli, queue)
			require.NoError(t, cli.Close())
		}
	}
	require.Zero(t, srv.Stats().Reconnects)
}

func TestCallsAtTheirLimits(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	srv, _ := startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, echo) })
	cli := dial(t, url)
	for i, d := range durations {
		what := fmt.Sprint("duration ", i)
		called(t, what, cli, queue, amqprpc.WithTimeout(d))
		called(t, what, cli, queue, amqprpc.WithLiveness(d), amqprpc.WithIdempotent())
		called(t, what, cli, queue, amqprpc.WithMiddleware(middleware.Timeout(d)))
		if d == 0 || d > time.Second {
			require.NoError(t, amqprpc.Notify(testContext(t), cli, queue, 7, amqprpc.WithExpiration(d)), what)
		}
	}
	now := time.Now()
	for _, deadline := range []time.Time{
		{}, time.Unix(0, 0), time.Unix(math.MinInt64/2, 0), now.Add(-time.Hour), now.AddDate(9, 0, 0), now.AddDate(11, 0, 0), now.AddDate(291, 0, 0),
		now.AddDate(293, 0, 0), now.AddDate(9000, 0, 0), time.Unix(math.MaxInt64/2, 0), time.UnixMilli(math.MaxInt64), time.Unix(1<<62, 0),
	} {
		ctx, cancel := context.WithDeadline(context.Background(), deadline)
		for _, opts := range [][]amqprpc.CallOption{nil, {amqprpc.WithIdempotent()}, {amqprpc.WithFailFast(), amqprpc.WithLiveness(time.Second)}} {
			got, err := amqprpc.Call[int, int](ctx, cli, queue, 7, opts...)
			if deadline.Before(now) {
				require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded, deadline)
				require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
				continue
			}
			require.NoError(t, err, deadline)
			require.Equal(t, 7, got)
		}
		cancel()
	}
	require.Zero(t, srv.Stats().Reconnects+cli.Stats().Reconnects+cli.Stats().Resent)
}

// A client does not send a request to a queue whose name the broker would not take, or
// would take for another's. A server says so.
func TestNamesThatNoQueueHas(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, echo) })
	cli := dial(t, url)
	for _, name := range []string{
		"", strings.Repeat("q", 256), "q\xff", "\xff", "q\n", "\nq", "q\r\n", "q\x00", "\x00", "q\x7f", "q\u0085", string([]byte{'q', 0xed, 0xa0, 0x80}),
		"amq.rabbitmq.reply-to", "amq.rabbitmq.reply-to.", "amq.rabbitmq.reply-to.x.y", "amq.rabbitmq.reply-to.g2dkAA.AAAAAAAAAAAAAAAAAAAAAA==",
	} {
		for _, opts := range [][]amqprpc.CallOption{nil, {amqprpc.WithFailFast()}, {amqprpc.WithIdempotent(), amqprpc.WithTimeout(time.Minute)}} {
			_, err := amqprpc.Call[int, int](testContext(t), cli, name, 1, opts...)
			require.ErrorIs(t, err, amqprpc.CodeInvalidArgument, "%q", name)
			require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
			require.ErrorIs(t, amqprpc.Notify(testContext(t), cli, name, 1, opts...), amqprpc.CodeInvalidArgument)
		}
		if name == "" || len(name) > 255 {
			continue // Register panics
		}
		srv := amqprpc.NewServer(url, amqprpc.WithLogger(nil))
		amqprpc.Register(srv, name, echo)
		require.ErrorIs(t, srv.Serve(testContext(t)), amqprpc.CodeInvalidArgument, "%q", name)
	}
	called(t, "afterwards", cli, queue)
	for _, id := range []string{"\xff", "\n", "\x00", strings.Repeat("i", 255)} {
		called(t, "an id", cli, queue, amqprpc.WithCallID(id))
		called(t, "a header", cli, queue, amqprpc.WithHeader(id, id))
	}
}
