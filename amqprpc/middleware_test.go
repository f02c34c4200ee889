package amqprpc_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/codec"
)

// trace is a log of steps in order.
type trace struct {
	mu    sync.Mutex
	steps []string
}

func (l *trace) add(step string) {
	l.mu.Lock()
	l.steps = append(l.steps, step)
	l.mu.Unlock()
}

func (l *trace) mark(name string) amqprpc.Middleware {
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			l.add(name)
			resp, err := next(ctx, req)
			l.add("/" + name)
			return resp, err
		}
	}
}

func TestMiddlewareOrder(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	var l trace
	_, stop := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) { l.add("handler"); return square(ctx, n) },
			amqprpc.WithMiddleware(l.mark("handler1"), l.mark("handler2")))
	}, amqprpc.WithMiddleware(l.mark("server1")), amqprpc.WithMiddleware(l.mark("server2")))
	cli := dial(t, url, amqprpc.WithMiddleware(l.mark("client")))
	_, err := amqprpc.Call[int, int](testContext(t), cli, queue, 2, amqprpc.WithMiddleware(l.mark("call")))
	require.NoError(t, err)
	stop()
	require.Equal(t, []string{
		"client", "call", "server1", "server2", "handler1", "handler2", "handler",
		"/handler2", "/handler1", "/server2", "/server1", "/call", "/client",
	}, l.steps)
}

// The middleware of both sides can read and change every part of a request and its response.
func TestMiddlewareSeesAndChanges(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	onServer := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			require.False(t, req.IsClient())
			require.Equal(t, queue, req.Queue())
			require.Equal(t, "bar", req.Header()["foo"])
			require.Equal(t, "application/json", req.ContentType())
			require.Equal(t, "3", string(req.Body()))
			require.NotNil(t, req.Delivery())
			require.Error(t, req.Delivery().Ack(false), "the copy cannot acknowledge")
			msg, err := req.Message()
			require.NoError(t, err)
			*msg.(*int)++
			amqprpc.ReplyHeader(ctx)["from"] = "middleware"
			resp, err := next(ctx, req)
			require.NoError(t, err)
			body, err := resp.Body()
			require.NoError(t, err)
			require.Equal(t, "16", string(body))
			out, err := resp.Message()
			require.NoError(t, err)
			require.Equal(t, 16, *out.(*int))
			resp.Header()["len"] = "2"
			return resp, nil
		}
	}
	onClient := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			require.True(t, req.IsClient())
			require.Nil(t, req.Delivery())
			require.Equal(t, 1, req.Attempt())
			require.Equal(t, amqprpc.KindUnary, req.Kind())
			_, inServer := amqprpc.RequestFromContext(ctx)
			require.False(t, inServer)
			req.Header()["foo"] = "bar"
			msg, err := req.Message()
			require.NoError(t, err)
			*msg.(*int)++
			require.Equal(t, "3", string(req.Body()), "encoded as changed")
			resp, err := next(ctx, req)
			require.NoError(t, err)
			require.Equal(t, amqprpc.Header{"from": "middleware", "len": "2"}, resp.Header())
			require.Equal(t, "application/json", resp.ContentType())
			body, err := resp.Body()
			require.NoError(t, err)
			require.Equal(t, "16", string(body))
			out, err := resp.Message()
			require.NoError(t, err)
			*out.(*int)++
			return resp, nil
		}
	}
	startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square, amqprpc.WithMiddleware(onServer)) })
	var h amqprpc.Header
	got, err := amqprpc.Call[int, int](testContext(t), dial(t, url), queue, 2, amqprpc.WithMiddleware(onClient), amqprpc.WithReplyHeader(&h))
	require.NoError(t, err)
	require.Equal(t, 17, got)
	require.Equal(t, amqprpc.Header{"from": "middleware", "len": "2"}, h)
}

func answering(resp func() *amqprpc.Response, err error) amqprpc.Middleware {
	return func(amqprpc.Invoker) amqprpc.Invoker {
		return func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) {
			if err != nil {
				return nil, err
			}
			return resp(), nil
		}
	}
}

func TestMiddlewareAnswersByItself(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	n := 36
	answers := map[string]func() *amqprpc.Response{
		"value":   func() *amqprpc.Response { return amqprpc.NewResponse(36) },
		"pointer": func() *amqprpc.Response { return amqprpc.NewResponse(&n) },
		"raw": func() *amqprpc.Response {
			return amqprpc.NewRawResponse("", []byte("36"), amqprpc.Header{"hit": "yes"})
		},
		"raw json":    func() *amqprpc.Response { return amqprpc.NewRawResponse("application/json", []byte("36"), nil) },
		"raw msgpack": func() *amqprpc.Response { return amqprpc.NewRawResponse("application/msgpack", []byte{36}, nil) },
	}
	startServer(t, url, func(s *amqprpc.Server) {
		for name, a := range answers {
			amqprpc.Register(s, queue+"."+name, square, amqprpc.WithMiddleware(answering(a, nil)))
		}
		amqprpc.Register(s, queue+".nothing", square, amqprpc.WithMiddleware(answering(func() *amqprpc.Response { return nil }, nil)))
		amqprpc.Register(s, queue+".other", square, amqprpc.WithMiddleware(answering(func() *amqprpc.Response { return amqprpc.NewResponse("text") }, nil)))
		amqprpc.Register(s, queue+".unencodable", square, amqprpc.WithMiddleware(sees(t, amqprpc.CodeInternal), answering(func() *amqprpc.Response { return amqprpc.NewResponse(make(chan int)) }, nil)))
		amqprpc.Register(s, queue+".panics", square, amqprpc.WithMiddleware(func(amqprpc.Invoker) amqprpc.Invoker {
			return func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) { panic("oh") }
		}))
	})
	cli, ctx := dial(t, url), testContext(t)
	for name, a := range answers {
		var h amqprpc.Header
		got, err := amqprpc.Call[int, int](ctx, cli, queue+"."+name, 2, amqprpc.WithReplyHeader(&h))
		require.NoError(t, err, name)
		require.Equal(t, 36, got, name)
		require.Equal(t, name == "raw", h["hit"] == "yes")
		// The same works on the client without a server.
		got, err = amqprpc.Call[int, int](ctx, cli, queue+".nobody", 2, amqprpc.WithMiddleware(answering(a, nil)))
		require.NoError(t, err, name)
		require.Equal(t, 36, got, name)
	}
	for _, q := range []string{".nothing", ".unencodable", ".panics", ".other"} {
		_, err := amqprpc.Call[int, int](ctx, cli, queue+q, 2)
		require.ErrorIs(t, err, amqprpc.CodeInternal, q)
	}
	_, err := amqprpc.Call[int, int](ctx, cli, queue, 2, amqprpc.WithMiddleware(answering(func() *amqprpc.Response { return nil }, nil)))
	require.ErrorIs(t, err, amqprpc.CodeInternal)
	_, err = amqprpc.Call[int, int](ctx, cli, queue, 2, amqprpc.WithMiddleware(answering(func() *amqprpc.Response { return amqprpc.NewResponse("x") }, nil)))
	require.ErrorIs(t, err, amqprpc.CodeInternal)
}

// sees checks that the inner chain returns an error with code.
func sees(t *testing.T, code amqprpc.Code) amqprpc.Middleware {
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			resp, err := next(ctx, req)
			if !errors.Is(err, code) {
				t.Errorf("middleware saw %v, not %s", err, code)
			}
			return resp, err
		}
	}
}

func TestMiddlewareRefuses(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	decoded := false
	guard := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			if req.Header()["token"] != "let me in" {
				return nil, amqprpc.Errorf(amqprpc.CodeUnauthenticated, "no token")
			}
			return next(ctx, req)
		}
	}
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, square, amqprpc.WithAcceptedCodecs(spyCodec{&decoded}), amqprpc.WithMiddleware(guard))
		amqprpc.Register(s, queue+".garbage", square, amqprpc.WithMiddleware(sees(t, amqprpc.CodeInvalidArgument)))
	})
	cli, ctx := dial(t, url), testContext(t)
	_, err := amqprpc.Call[int, int](ctx, cli, queue, 2)
	require.ErrorIs(t, err, amqprpc.CodeUnauthenticated)
	require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
	require.False(t, decoded, "refused before anything was decoded")
	_, err = amqprpc.Call[int, int](ctx, cli, queue, 2, amqprpc.WithHeader("token", "let me in"))
	require.NoError(t, err)
	require.True(t, decoded)
	_, err = amqprpc.Call[string, int](ctx, cli, queue+".garbage", "x")
	require.ErrorIs(t, err, amqprpc.CodeInvalidArgument)

	plain := errors.New("not today")
	// Middleware that answers instead of the handler may set the outcome.
	replay := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			e := amqprpc.NewError(amqprpc.CodeAborted, plain).WithOutcome(amqprpc.OutcomeExecuted)
			if req.Header()["run"] != "" {
				if resp, err := next(ctx, req); err == nil {
					return resp, nil
				}
				e = e.WithOutcome(amqprpc.OutcomeNotExecuted)
			}
			return nil, e
		}
	}
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue+".replay", func(context.Context, int) (int, error) { return 0, plain }, amqprpc.WithMiddleware(replay))
	})
	for _, run := range []string{"", "yes"} {
		_, err = amqprpc.Call[int, int](ctx, cli, queue+".replay", 2, amqprpc.WithHeader("run", run))
		require.ErrorIs(t, err, amqprpc.CodeAborted)
		require.Equal(t, amqprpc.OutcomeExecuted, amqprpc.OutcomeOf(err), "a handler that ran has run")
	}

	_, err = amqprpc.Call[int, int](ctx, cli, queue, 2, amqprpc.WithMiddleware(answering(nil, plain)))
	require.ErrorIs(t, err, plain)
	require.ErrorIs(t, err, amqprpc.CodeUnknown)
	require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err), "the chain never reached the wire")
	// An error of another call does not set the outcome of this call.
	other := func(amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, _ *amqprpc.Request) (*amqprpc.Response, error) {
			_, err := amqprpc.Call[string, int](ctx, cli, queue+".garbage", "x")
			return nil, err
		}
	}
	_, err = amqprpc.Call[int, int](ctx, cli, queue, 2, amqprpc.WithMiddleware(sees(t, amqprpc.CodeInvalidArgument), other))
	require.ErrorIs(t, err, amqprpc.CodeInvalidArgument)
	require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
	require.False(t, amqprpc.IsRemote(err))
	_, err = amqprpc.Call[int, int](ctx, cli, queue, 2, amqprpc.WithMiddleware(answering(nil, amqprpc.CodeAborted)))
	require.ErrorIs(t, err, amqprpc.CodeAborted)
	require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
}

type spyCodec struct{ decoded *bool }

func (spyCodec) ContentType() string           { return codec.JSON{}.ContentType() }
func (spyCodec) Marshal(v any) ([]byte, error) { return codec.JSON{}.Marshal(v) }
func (c spyCodec) Unmarshal(b []byte, v any) error {
	*c.decoded = true
	return codec.JSON{}.Unmarshal(b, v)
}

// If middleware calls next again, that is another attempt of the same call.
func TestMiddlewareRetries(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	type try struct {
		id      string
		attempt int
		corr    string
	}
	tries := make(chan try, 3)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			r, _ := amqprpc.RequestFromContext(ctx)
			tries <- try{r.ID(), r.Attempt(), r.Delivery().CorrelationId}
			if r.Attempt() < 3 {
				return 0, amqprpc.CodeAborted
			}
			return n, nil
		})
	})
	retry := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (resp *amqprpc.Response, err error) {
			for range 5 {
				if resp, err = next(ctx, req); !errors.Is(err, amqprpc.CodeAborted) {
					break
				}
			}
			return resp, err
		}
	}
	cli := dial(t, url, amqprpc.WithMiddleware(retry))
	got, err := amqprpc.Call[int, int](testContext(t), cli, queue, 7)
	require.NoError(t, err)
	require.Equal(t, 7, got)
	a, b, c := <-tries, <-tries, <-tries
	require.Equal(t, []int{1, 2, 3}, []int{a.attempt, b.attempt, c.attempt})
	require.Equal(t, a.id, b.id)
	require.Equal(t, a.id, c.id)
	require.NotEqual(t, a.corr, b.corr)
	require.NotEqual(t, b.corr, c.corr)
}
