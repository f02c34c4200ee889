package amqprpc_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/codec"
)

func TestCall(t *testing.T) {
	t.Parallel()
	for _, mode := range []amqprpc.ReplyMode{amqprpc.ReplyResumable, amqprpc.ReplyExclusive, amqprpc.ReplyDirect} {
		for _, confirms := range []bool{true, false} {
			t.Run(fmt.Sprintf("mode=%d/confirms=%v", mode, confirms), func(t *testing.T) {
				t.Parallel()
				url, queue := brokerURL(t), queueName(t)
				var notified = make(chan int, 1)
				startServer(t, url, func(s *amqprpc.Server) {
					amqprpc.Register(s, queue, square)
					amqprpc.Register(s, queue+".n", func(_ context.Context, n int) (amqprpc.None, error) { notified <- n; return amqprpc.None{}, nil })
				})
				opts := []amqprpc.ClientOption{amqprpc.WithReplyMode(mode)}
				if !confirms {
					opts = append(opts, amqprpc.WithoutConfirms())
				}
				cli := dial(t, url, opts...)
				ctx := testContext(t)
				var wg sync.WaitGroup
				for i := range 100 {
					wg.Go(func() {
						got, err := amqprpc.Call[int, int](ctx, cli, queue, i)
						assert.NoError(t, err)
						assert.Equal(t, i*i, got)
					})
				}
				wg.Wait()
				require.NoError(t, amqprpc.Notify(ctx, cli, queue+".n", 7))
				require.Equal(t, 7, <-notified)
				_, err := amqprpc.Call[int, int](ctx, cli, queue+".nobody", 1)
				require.ErrorIs(t, err, amqprpc.CodeUnavailable)
				require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
				err = amqprpc.Notify(ctx, cli, queue+".nobody", 1)
				require.ErrorIs(t, err, amqprpc.CodeUnavailable)
				require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
				require.Contains(t, err.Error(), queue+".nobody")
				require.EqualValues(t, 2, cli.Stats().Returned)
				require.Zero(t, cli.Stats().UnknownReplies+cli.Stats().LateReplies+cli.Stats().RepeatedReplies)
			})
		}
	}
}

type user struct {
	Name string            `json:"name"`
	Age  int8              `json:"age,omitempty"`
	Tags map[string]string `json:"tags,omitempty"`
}

func TestCallCodecs(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	types := make(chan string, 4)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, u user) (*user, error) {
			r, _ := amqprpc.RequestFromContext(ctx)
			types <- r.ContentType()
			u.Age++
			return &u, nil
		})
	})
	in := user{Name: "Ada", Age: 36, Tags: map[string]string{"k": "v"}}
	want := in
	want.Age++
	ctx := testContext(t)
	for _, c := range []codec.Codec{codec.JSON{}, codec.MsgPack{}} {
		cli := dial(t, url, amqprpc.WithCodec(c))
		got, err := amqprpc.Call[user, *user](ctx, cli, queue, in)
		require.NoError(t, err)
		require.Equal(t, &want, got)
		require.Equal(t, c.ContentType(), <-types)
	}
	cli := dial(t, url)
	got, err := amqprpc.Call[user, user](ctx, cli, queue, in, amqprpc.WithCodec(codec.MsgPack{}))
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, "application/msgpack", <-types)
}

func TestCallNone(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(context.Context, amqprpc.None) (amqprpc.None, error) { return amqprpc.None{}, nil })
	})
	cli := dial(t, url)
	for _, c := range []codec.Codec{codec.JSON{}, codec.MsgPack{}} {
		_, err := amqprpc.Call[amqprpc.None, amqprpc.None](testContext(t), cli, queue, amqprpc.None{}, amqprpc.WithCodec(c))
		require.NoError(t, err)
	}
	// A caller with response type None ignores the answer.
	_, err := amqprpc.Call[string, amqprpc.None](testContext(t), cli, queue, "anything")
	require.NoError(t, err)
}

func TestMethodAndFuture(t *testing.T) {
	t.Parallel()
	url := brokerURL(t)
	sq := amqprpc.Method[int, int](queueName(t))
	release := make(chan struct{})
	startServer(t, url, func(s *amqprpc.Server) {
		sq.Register(s, func(ctx context.Context, n int) (int, error) {
			if n == 0 {
				<-release
			}
			return square(ctx, n)
		})
	})
	cli, ctx := dial(t, url), testContext(t)
	got, err := sq.Call(ctx, cli, 5)
	require.NoError(t, err)
	require.Equal(t, 25, got)

	slow, quick := sq.Go(ctx, cli, 0), sq.Go(ctx, cli, 6)
	got, err = quick.Await(ctx)
	require.NoError(t, err)
	require.Equal(t, 36, got)
	select {
	case <-slow.Done():
		require.Fail(t, "the slow call is done")
	default:
	}
	short, cancel := context.WithCancel(ctx)
	cancel()
	_, err = slow.Await(short)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, amqprpc.CodeCanceled)
	close(release)
	<-slow.Done()
	got, err = slow.Await(short)
	require.NoError(t, err, "an answer that is there needs no ctx")
	require.Zero(t, got)
	require.NoError(t, sq.Notify(ctx, cli, 3))
}

func TestErrorsCrossTheWire(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	type limit struct{ Max int }
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(_ context.Context, kind string) (int, error) {
			switch kind {
			case "coded":
				return 0, amqprpc.Errorf(amqprpc.CodeOutOfRange, "too far: %w", errors.New("93")).WithDetail("limit", limit{92}).WithDetail("hint", "less")
			case "wrapped":
				return 0, fmt.Errorf("looking up: %w", amqprpc.NewError(amqprpc.CodeNotFound, errors.New("no user")).WithDetail("id", 7))
			case "code":
				return 0, amqprpc.CodeFailedPrecondition
			case "plain":
				return 0, errors.New("disk on fire")
			case "deadline":
				return 0, fmt.Errorf("upstream: %w", context.DeadlineExceeded)
			default:
				return 0, context.Canceled
			}
		})
	})
	cli := dial(t, url)
	for _, c := range []codec.Codec{codec.JSON{}, codec.MsgPack{}} {
		call := func(kind string) error {
			_, err := amqprpc.Call[string, int](testContext(t), cli, queue, kind, amqprpc.WithCodec(c))
			require.Error(t, err)
			require.True(t, amqprpc.IsRemote(err))
			require.Equal(t, amqprpc.OutcomeExecuted, amqprpc.OutcomeOf(err))
			require.False(t, errors.Is(err, context.DeadlineExceeded), "a remote error is no local deadline")
			return err
		}
		err := call("coded")
		require.ErrorIs(t, err, amqprpc.CodeOutOfRange)
		require.Equal(t, queue+": out_of_range: too far: 93", err.Error())
		l, ok := amqprpc.Detail[limit](err, "limit")
		require.True(t, ok)
		require.Equal(t, limit{92}, l)
		_, ok = amqprpc.Detail[int](err, "hint")
		require.False(t, ok, "a detail of another type")
		_, ok = amqprpc.Detail[int](err, "absent")
		require.False(t, ok)

		err = call("wrapped")
		require.ErrorIs(t, err, amqprpc.CodeNotFound)
		require.Contains(t, err.Error(), "looking up: ")
		require.Contains(t, err.Error(), "no user")
		id, ok := amqprpc.Detail[int](err, "id")
		require.True(t, ok)
		require.Equal(t, 7, id)

		require.ErrorIs(t, call("code"), amqprpc.CodeFailedPrecondition)
		err = call("plain")
		require.ErrorIs(t, err, amqprpc.CodeUnknown)
		require.Contains(t, err.Error(), "disk on fire")
		require.ErrorIs(t, call("deadline"), amqprpc.CodeDeadlineExceeded)
		require.ErrorIs(t, call("canceled"), amqprpc.CodeCanceled)
	}
}

// A handler may return the error of its own call. That error's outcome is not the outcome of
// the call that the handler answers.
func TestOutcomeIsNotPassedOn(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	inner := dial(t, url)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			return amqprpc.Call[int, int](ctx, inner, queue+".nobody", n)
		}, amqprpc.WithCalleeCodes(amqprpc.CodeUnavailable))
	})
	_, err := amqprpc.Call[int, int](testContext(t), dial(t, url), queue, 1)
	require.ErrorIs(t, err, amqprpc.CodeUnavailable)
	require.Equal(t, amqprpc.OutcomeExecuted, amqprpc.OutcomeOf(err))
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, fail bool) (string, error) {
			r, ok := amqprpc.RequestFromContext(ctx)
			if !ok {
				return "", errors.New("no request in ctx")
			}
			amqprpc.ReplyHeader(ctx)["took"] = "long"
			if fail {
				return "", amqprpc.CodeAborted
			}
			return r.ID() + " " + r.Header()["who"], nil
		})
	})
	cli, ctx := dial(t, url), testContext(t)
	var h amqprpc.Header
	got, err := amqprpc.Call[bool, string](ctx, cli, queue, false,
		amqprpc.WithHeader("who", "Grace"), amqprpc.WithReplyHeader(&h), amqprpc.WithCallID("call-1"))
	require.NoError(t, err)
	require.Equal(t, "call-1 Grace", got)
	require.Equal(t, amqprpc.Header{"took": "long"}, h)
	h = nil
	_, err = amqprpc.Call[bool, string](ctx, cli, queue, true, amqprpc.WithReplyHeader(&h))
	require.ErrorIs(t, err, amqprpc.CodeAborted)
	require.Equal(t, amqprpc.Header{"took": "long"}, h)
	_, err = amqprpc.Call[bool, string](ctx, cli, queue+".nobody", true, amqprpc.WithReplyHeader(&h))
	require.Error(t, err)
	require.Equal(t, amqprpc.Header{}, h)
}

func TestCallEndsWithItsContext(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	started, release := make(chan context.Context, 4), make(chan struct{})
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, _ int) (int, error) {
			started <- ctx
			<-release
			return 1, nil
		})
	})
	cli := dial(t, url)
	t.Run("deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(testContext(t), 50*time.Millisecond)
		defer cancel()
		_, err := amqprpc.Call[int, int](ctx, cli, queue, 1)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded)
		require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
		require.False(t, amqprpc.IsRemote(err))
		handlers := <-started
		<-handlers.Done()
		require.ErrorIs(t, handlers.Err(), context.DeadlineExceeded, "the handler's ctx ends as well")
	})
	t.Run("option", func(t *testing.T) {
		_, err := amqprpc.Call[int, int](testContext(t), cli, queue, 1, amqprpc.WithTimeout(50*time.Millisecond))
		require.ErrorIs(t, err, amqprpc.CodeDeadlineExceeded)
		<-started
	})
	t.Run("cancel", func(t *testing.T) {
		ctx, cancel := context.WithCancel(testContext(t))
		go func() { <-started; cancel() }()
		_, err := amqprpc.Call[int, int](ctx, cli, queue, 1)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, amqprpc.CodeCanceled)
	})
	t.Run("before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(testContext(t))
		cancel()
		_, err := amqprpc.Call[int, int](ctx, cli, queue, 1)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
	})
	close(release)
	eventually(t, "the answers that came too late are counted", func() bool { return cli.Stats().LateReplies >= 1 })
	require.Zero(t, cli.Stats().Pending)
}

func TestClientTimeoutIsTheDefault(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	left := make(chan time.Duration, 1)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, _ int) (int, error) {
			d, ok := ctx.Deadline()
			if !ok {
				return 0, errors.New("no deadline")
			}
			left <- time.Until(d)
			return 0, nil
		})
	})
	cli := dial(t, url, amqprpc.WithTimeout(time.Hour))
	plain := context.Background()
	_, err := amqprpc.Call[int, int](plain, cli, queue, 1)
	require.NoError(t, err)
	require.Less(t, <-left, 26*time.Minute, "a handler is bounded, however patient its caller")
	_, err = amqprpc.Call[int, int](plain, cli, queue, 1, amqprpc.WithTimeout(10*time.Minute))
	require.NoError(t, err)
	require.InDelta(t, 10*time.Minute, <-left, float64(2*time.Second))
	_, err = amqprpc.Call[int, int](plain, dial(t, url), queue, 1)
	require.NoError(t, err)
	require.InDelta(t, 30*time.Second, <-left, float64(2*time.Second))
	require.NoError(t, amqprpc.Notify(plain, cli, queue, 1))
	require.InDelta(t, 25*time.Minute, <-left, float64(5*time.Second), "a notification has no deadline but the handler's")
	require.NoError(t, amqprpc.Notify(plain, cli, queue, 1, amqprpc.WithTimeout(time.Minute)))
	require.InDelta(t, 25*time.Minute, <-left, float64(5*time.Second), "WithTimeout bounds Notify, not its request")
	require.NoError(t, amqprpc.Notify(plain, cli, queue, 1, amqprpc.WithExpiration(time.Minute)))
	require.InDelta(t, time.Minute, <-left, float64(2*time.Second))
}

func TestClientClose(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	started, release := make(chan struct{}), make(chan struct{})
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(context.Context, int) (int, error) {
			close(started)
			<-release
			return 1, nil
		})
	})
	defer close(release)
	cli := dial(t, url)
	f := amqprpc.Go[int, int](testContext(t), cli, queue, 1)
	<-started
	begin := time.Now()
	require.NoError(t, cli.Close())
	require.Less(t, time.Since(begin), patience/2)
	_, err := f.Await(testContext(t))
	require.ErrorIs(t, err, amqprpc.ErrClientClosed)
	require.ErrorIs(t, err, amqprpc.CodeCanceled)
	require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
	_, err = amqprpc.Call[int, int](testContext(t), cli, queue, 1)
	require.ErrorIs(t, err, amqprpc.ErrClientClosed)
	require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
	_, err = amqprpc.Go[int, int](testContext(t), cli, queue, 1).Await(testContext(t))
	require.ErrorIs(t, err, amqprpc.ErrClientClosed)
	require.NoError(t, cli.Close())
}

func TestPendingLimit(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	started, release := make(chan struct{}, 2), make(chan struct{})
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(context.Context, int) (int, error) { started <- struct{}{}; <-release; return 1, nil })
	})
	cli, ctx := dial(t, url, amqprpc.WithMaxPending(2)), testContext(t)
	a, b := amqprpc.Go[int, int](ctx, cli, queue, 1), amqprpc.Go[int, int](ctx, cli, queue, 1)
	<-started
	<-started
	_, err := amqprpc.Call[int, int](ctx, cli, queue, 1)
	require.ErrorIs(t, err, amqprpc.CodeResourceExhausted)
	require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
	close(release)
	for _, f := range []*amqprpc.Future[int]{a, b} {
		_, err = f.Await(ctx)
		require.NoError(t, err)
	}
	_, err = amqprpc.Call[int, int](ctx, cli, queue, 1)
	require.NoError(t, err)
}

// The client refuses a message that would make the broker close the connection or a channel.
// The next call succeeds.
func TestOutboundLimits(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	long := strings.Repeat("x", 256)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(_ context.Context, s string) (int, error) { return len(s), nil })
	})
	cli := dial(t, url, amqprpc.WithMaxMessageSize(1000))
	for name, c := range map[string]struct {
		queue string
		req   string
		opt   amqprpc.CallOption
		code  amqprpc.Code
	}{
		"queue too long":       {long, "", amqprpc.WithHeader("a", "b"), amqprpc.CodeInvalidArgument},
		"queue empty":          {"", "", amqprpc.WithHeader("a", "b"), amqprpc.CodeInvalidArgument},
		"call id too long":     {queue, "", amqprpc.WithCallID(long), amqprpc.CodeInvalidArgument},
		"header name too long": {queue, "", amqprpc.WithHeader(long, "b"), amqprpc.CodeInvalidArgument},
		"header name empty":    {queue, "", amqprpc.WithHeader("", "b"), amqprpc.CodeInvalidArgument},
		"header reserved":      {queue, "", amqprpc.WithHeader("rpc-code", "b"), amqprpc.CodeInvalidArgument},
		"header CC":            {queue, "", amqprpc.WithHeader("CC", "b"), amqprpc.CodeInvalidArgument},
		"headers too large":    {queue, "", amqprpc.WithHeader("a", strings.Repeat("x", 8<<10)), amqprpc.CodeResourceExhausted},
		"body too large":       {queue, strings.Repeat("x", 1000), amqprpc.WithHeader("a", "b"), amqprpc.CodeResourceExhausted},
	} {
		_, err := amqprpc.Call[string, int](testContext(t), cli, c.queue, c.req, c.opt)
		require.ErrorIs(t, err, c.code, name)
		require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err), name)
		require.ErrorIs(t, amqprpc.Notify(testContext(t), cli, c.queue, c.req, c.opt), c.code, name)
		got, err := amqprpc.Call[string, int](testContext(t), cli, queue, "four")
		require.NoError(t, err, name)
		require.Equal(t, 4, got)
	}
	_, err := amqprpc.Call[chan int, int](testContext(t), cli, queue, nil)
	require.ErrorIs(t, err, amqprpc.CodeInvalidArgument, "a message that cannot be encoded")
	require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
	require.Zero(t, cli.Stats().Reconnects)
}

func TestRepliesThatDoNotDecode(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(context.Context, int) (string, error) { return "text", nil })
	})
	_, err := amqprpc.Call[int, int](testContext(t), dial(t, url), queue, 1)
	require.ErrorIs(t, err, amqprpc.CodeInternal)
	require.Equal(t, amqprpc.OutcomeExecuted, amqprpc.OutcomeOf(err))
	require.Contains(t, err.Error(), queue)
	_, err = amqprpc.Call[int, string](testContext(t), dial(t, url, amqprpc.WithMaxMessageSize(3)), queue, 1)
	require.ErrorIs(t, err, amqprpc.CodeResourceExhausted)
	require.Equal(t, amqprpc.OutcomeExecuted, amqprpc.OutcomeOf(err))
}
