package amqprpc_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// streamSeen is what middleware has seen of a stream.
type streamSeen struct {
	kind           amqprpc.Kind
	code           amqprpc.Code
	stopped        bool
	took           time.Duration
	sent, received int64
	messages       map[amqprpc.Direction]int
}

// watches returns middleware that reports each stream when it has ended.
func watches() (amqprpc.MiddlewareOption, <-chan streamSeen) {
	seen := make(chan streamSeen, 10)
	return amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			start := time.Now()
			s := streamSeen{kind: req.Kind(), messages: map[amqprpc.Direction]int{}}
			req.OnMessage(func(d amqprpc.Direction, msg any) error {
				if _, ok := msg.(*int); !ok {
					return amqprpc.Errorf(amqprpc.CodeInternal, "a message is a %T", msg)
				}
				s.messages[d]++
				return nil
			})
			resp, err := next(ctx, req)
			s.code, s.took = amqprpc.CodeOf(err), time.Since(start)
			s.stopped = resp != nil && resp.Stopped()
			s.sent, s.received = req.MessagesSent(), req.MessagesReceived()
			seen <- s
			return resp, err
		}
	}), seen
}

// The middleware of both sides is around a whole stream: it sees its end, its error, its
// duration and each of its messages.
func TestMiddlewareAroundStreams(t *testing.T) {
	t.Parallel()
	url, name := brokerURL(t), queueName(t)
	counts, sums, talks := countTo(name+".count"), sumOf(name+".sum"), doubles(name+".double")
	onServer, server := watches()
	onClient, client := watches()
	const pause = 30 * time.Millisecond
	startServer(t, url, func(s *amqprpc.Server) {
		counts.Register(s, func(ctx context.Context, n int, out *amqprpc.Sender[int]) error {
			time.Sleep(pause)
			if err := count(ctx, n, out); err != nil {
				return err
			}
			if n == 3 {
				return amqprpc.Errorf(amqprpc.CodeNotFound, "there is no fourth")
			}
			return nil
		})
		sums.Register(s, sum)
		talks.Register(s, double)
	}, onServer)
	cli := dial(t, url, onClient)
	ctx := testContext(t)
	const sent, received = amqprpc.MessageSent, amqprpc.MessageReceived
	both := func(want streamSeen) {
		t.Helper()
		c, s := <-client, <-server
		for _, got := range []*streamSeen{&c, &s} {
			if want.kind == amqprpc.KindServerStream {
				require.GreaterOrEqual(t, got.took, pause)
			}
			got.took = 0
			require.EqualValues(t, got.messages[sent], got.sent)
			require.EqualValues(t, got.messages[received], got.received)
		}
		require.Equal(t, want, c)
		require.Equal(t, c.kind, s.kind)
		require.Equal(t, c.code, s.code)
		require.Equal(t, c.sent, s.received)
		require.Equal(t, c.received, s.sent)
	}

	drained(t, counts.Call(ctx, cli, 5))
	both(streamSeen{kind: amqprpc.KindServerStream, code: amqprpc.CodeOK, received: 5, messages: map[amqprpc.Direction]int{received: 5}})
	var last error
	for _, err := range counts.Call(ctx, cli, 3) {
		last = err
	}
	require.ErrorIs(t, last, amqprpc.CodeNotFound)
	both(streamSeen{kind: amqprpc.KindServerStream, code: amqprpc.CodeNotFound, received: 3, messages: map[amqprpc.Direction]int{received: 3}})
	_, err := sums.Call(ctx, cli, amqprpc.Items(slices.Values([]int{1, 2, 3})))
	require.NoError(t, err)
	both(streamSeen{kind: amqprpc.KindClientStream, code: amqprpc.CodeOK, sent: 3, messages: map[amqprpc.Direction]int{sent: 3}})
	conv, err := talks.Open(ctx, cli)
	require.NoError(t, err)
	require.NoError(t, conv.Send(1))
	_, err = conv.Recv()
	require.NoError(t, err)
	require.NoError(t, conv.CloseSend())
	_, err = conv.Recv()
	require.ErrorIs(t, err, io.EOF)
	both(streamSeen{kind: amqprpc.KindBidiStream, code: amqprpc.CodeOK, sent: 1, received: 1, messages: map[amqprpc.Direction]int{sent: 1, received: 1}})

	for range counts.Call(ctx, cli, 1_000_000) {
		break
	}
	c, s := <-client, <-server
	require.Equal(t, amqprpc.CodeOK, c.code, "a break is no error")
	require.True(t, c.stopped)
	require.Equal(t, amqprpc.CodeCanceled, s.code)
	require.False(t, s.stopped)
}

// What has been accepted cannot be opened again: its messages may have been seen.
func TestMiddlewareDoesNotRetryAStream(t *testing.T) {
	t.Parallel()
	url, method := brokerURL(t), countTo(queueName(t))
	var runs atomic.Int64
	fails := func(ctx context.Context, n int, out *amqprpc.Sender[int]) error {
		runs.Add(1)
		if err := count(ctx, n, out); err != nil {
			return err
		}
		return amqprpc.CodeUnavailable
	}
	twice := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			_, _ = next(ctx, req)
			return next(ctx, req)
		}
	}
	startServer(t, url, func(s *amqprpc.Server) {
		method.Register(s, fails)
		(method + ".twice").Register(s, fails, amqprpc.WithMiddleware(twice))
	})
	cli := dial(t, url)
	for _, tt := range []struct {
		name   string
		method countTo
		opts   []amqprpc.CallOption
	}{
		{"on the client", method, []amqprpc.CallOption{amqprpc.WithMiddleware(twice)}},
		{"on the server", method + ".twice", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before, n := runs.Load(), 0
			var last error
			for _, err := range tt.method.Call(testContext(t), cli, 2, tt.opts...) {
				if last = err; err == nil {
					n++
				}
			}
			require.Equal(t, 2, n, "the messages of one execution")
			require.ErrorIs(t, last, amqprpc.CodeFailedPrecondition)
			require.ErrorContains(t, last, "cannot be taken back")
			require.Equal(t, before+1, runs.Load())
		})
	}

	t.Run("before an accept", func(t *testing.T) {
		_, err := sumOf(queueName(t)).Open(testContext(t), cli, amqprpc.WithMiddleware(twice))
		require.ErrorIs(t, err, amqprpc.CodeUnavailable, "nobody is there, and a second attempt is one like the first")
	})
}

// Middleware that does not return normally ends the stream on both sides.
func TestMiddlewareThatBreaksAStream(t *testing.T) {
	t.Parallel()
	// spoils ends in its own way, after the stream or beside it.
	spoils := func(how func()) amqprpc.Middleware {
		return func(next amqprpc.Invoker) amqprpc.Invoker {
			return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
				if _, err := next(ctx, req); err == nil {
					how()
				}
				return nil, errors.New("the stream has not ended well")
			}
		}
	}
	before := func(how func()) amqprpc.Middleware {
		return func(amqprpc.Invoker) amqprpc.Invoker {
			return func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) {
				how()
				return nil, nil
			}
		}
	}
	for name, mw := range map[string]amqprpc.Middleware{
		"panic":         spoils(func() { panic("as asked") }),
		"panic before":  before(func() { panic("as asked") }),
		"Goexit":        spoils(runtime.Goexit),
		"Goexit before": before(runtime.Goexit),
		"neither":       before(func() {}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, plain := brokerURL(t), doubles(queueName(t))
			spoilt, ended := plain+".spoilt", make(chan struct{}, 10)
			handler := func(ctx context.Context, in *amqprpc.Receiver[int], out *amqprpc.Sender[int]) error {
				defer func() { ended <- struct{}{} }()
				return double(ctx, in, out)
			}
			server, _ := startServer(t, url, func(s *amqprpc.Server) {
				plain.Register(s, handler)
				spoilt.Register(s, handler, amqprpc.WithMiddleware(mw))
			}, amqprpc.WithLogger(nil))
			cli := dial(t, url)
			talk := func(method doubles, opts ...amqprpc.CallOption) error {
				conv, err := method.Open(testContext(t), cli, opts...)
				if err != nil {
					return err
				}
				defer conv.Close()
				if err = conv.Send(1); err == nil {
					err = conv.CloseSend()
				}
				for _, e := range conv.All() {
					err = errors.Join(err, e)
				}
				return err
			}
			require.ErrorIs(t, talk(spoilt), amqprpc.CodeInternal)
			require.ErrorIs(t, talk(plain, amqprpc.WithMiddleware(mw)), amqprpc.CodeInternal)
			require.NoError(t, talk(plain))
			eventually(t, "no handler runs", func() bool { return server.Stats().InFlight == 0 })
			require.Zero(t, cli.Stats().Pending)
			require.NotEmpty(t, ended)
		})
	}
}
