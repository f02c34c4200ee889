package idempotency_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/compress"
	"github.com/bbebcec1/amqprpc-go/middleware/idempotency"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
)

// numbered is a handler that returns the number of its run.
type numbered struct{ runs atomic.Int32 }

func (n *numbered) handle(context.Context, int) (int32, error) { return n.runs.Add(1), nil }

// idempotent returns the middleware on a new store, as an option.
func idempotent(opts ...idempotency.Option) amqprpc.MiddlewareOption {
	return idempotentOn(idempotency.NewMemoryStore(100, time.Hour), opts...)
}

func idempotentOn(s idempotency.Store, opts ...idempotency.Option) amqprpc.MiddlewareOption {
	return amqprpc.WithMiddleware(idempotency.New(s, append([]idempotency.Option{idempotency.WithLogger(nil)}, opts...)...))
}

// rawCaller is a client on the bare driver, which sends any message.
type rawCaller struct {
	t       *testing.T
	ch      *amqp.Channel
	replyTo string
	replies <-chan amqp.Delivery
}

func newRawCaller(t *testing.T, url string) *rawCaller {
	t.Helper()
	conn, err := amqp.Dial(url)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	require.NoError(t, err)
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	require.NoError(t, err)
	replies, err := ch.Consume(q.Name, "", true, true, false, false, nil)
	require.NoError(t, err)
	return &rawCaller{t: t, ch: ch, replyTo: q.Name, replies: replies}
}

func (c *rawCaller) ask(queue string, m amqp.Publishing) amqp.Delivery {
	c.t.Helper()
	m.ReplyTo = c.replyTo
	require.NoError(c.t, c.ch.Publish("", queue, true, false, m))
	select {
	case d, ok := <-c.replies:
		require.True(c.t, ok, "the connection was lost")
		return d
	case <-time.After(harness.Patience):
		require.FailNow(c.t, "no reply")
		panic("unreachable")
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	again := errors.New("handler's own")
	for _, test := range []struct {
		name string
		err  func(run int) error
		runs int // after two calls
		opts []idempotency.Option
	}{
		{name: "none", err: func(int) error { return nil }, runs: 1},
		{name: "uncoded", err: func(run int) error { return fmt.Errorf("run %d: %w", run, again) }, runs: 1},
		{name: "a code alone", err: func(int) error { return amqprpc.CodeNotFound }, runs: 1},
		{name: "invalid_argument", err: coded(amqprpc.CodeInvalidArgument), runs: 1},
		{name: "already_exists", err: coded(amqprpc.CodeAlreadyExists), runs: 1},
		{name: "permission_denied", err: coded(amqprpc.CodePermissionDenied), runs: 1},
		{name: "unauthenticated", err: coded(amqprpc.CodeUnauthenticated), runs: 1},
		{name: "failed_precondition", err: coded(amqprpc.CodeFailedPrecondition), runs: 1},
		{name: "out_of_range", err: coded(amqprpc.CodeOutOfRange), runs: 1},
		{name: "unimplemented", err: coded(amqprpc.CodeUnimplemented), runs: 1},
		{name: "internal", err: coded(amqprpc.CodeInternal), runs: 1},
		{name: "data_loss", err: coded(amqprpc.CodeDataLoss), runs: 1},
		{name: "unknown", err: coded(amqprpc.CodeUnknown), runs: 1},
		{name: "unavailable", err: coded(amqprpc.CodeUnavailable), runs: 2},
		{name: "resource_exhausted", err: coded(amqprpc.CodeResourceExhausted), runs: 2},
		{name: "aborted", err: coded(amqprpc.CodeAborted), runs: 2},
		{name: "deadline_exceeded", err: coded(amqprpc.CodeDeadlineExceeded), runs: 2},
		{name: "canceled", err: coded(amqprpc.CodeCanceled), runs: 2},
		{name: "a context's, not its own", err: func(int) error { return context.DeadlineExceeded }, runs: 2},
		{name: "wrapped", err: func(run int) error { return fmt.Errorf("run %d: %w", run, coded(amqprpc.CodeAborted)(run)) }, runs: 2},
		{name: "wrapped answer", err: func(run int) error { return fmt.Errorf("run %d: %w", run, coded(amqprpc.CodeNotFound)(run)) }, runs: 1},
		{name: "panic", err: func(run int) error { panic(run) }, runs: 2},
		{name: "panic by option", err: func(run int) error { panic(run) }, runs: 1,
			opts: []idempotency.Option{idempotency.WithRememberedErrors(func(error) bool { return true })}},
		{name: "not found by option", err: coded(amqprpc.CodeNotFound), runs: 2,
			opts: []idempotency.Option{idempotency.WithRememberedErrors(func(err error) bool { return !errors.Is(err, amqprpc.CodeNotFound) })}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := amqptest.Start(t).URL()
			var runs atomic.Int32
			harness.Serve(t, url, func(s *amqprpc.Server) {
				amqprpc.Register(s, "q", func(ctx context.Context, _ int) (int, error) {
					run := int(runs.Add(1))
					amqprpc.ReplyHeader(ctx)["run"] = fmt.Sprint(run)
					return run, test.err(run)
				}, idempotent(test.opts...))
			})
			cli := harness.Dial(t, url)
			call := func() (int, amqprpc.Header, error) {
				var h amqprpc.Header
				n, err := amqprpc.Call[int, int](harness.Context(t), cli, "q", 1, amqprpc.WithCallID("id"), amqprpc.WithReplyHeader(&h))
				return n, h, err
			}
			n1, h1, err1 := call()
			n2, h2, err2 := call()
			require.EqualValues(t, test.runs, runs.Load())
			require.Equal(t, amqprpc.CodeOf(err1), amqprpc.CodeOf(err2))
			require.Equal(t, "1", h1["run"])
			require.Equal(t, fmt.Sprint(test.runs), h2["run"])
			if test.runs == 2 {
				return
			}
			require.Equal(t, n1, n2)
			if err1 != nil {
				require.EqualError(t, err2, err1.Error())
				require.Equal(t, amqprpc.OutcomeExecuted, amqprpc.OutcomeOf(err2), "the call has run, if not for this request")
				d1, had := amqprpc.Detail[int](err1, "run")
				d2, has := amqprpc.Detail[int](err2, "run")
				require.Equal(t, had, has)
				require.Equal(t, d1, d2)
			}
		})
	}
}

// coded makes errors with a code, which carry the number of the run.
func coded(c amqprpc.Code) func(int) error {
	return func(run int) error { return amqprpc.Errorf(c, "run %d", run).WithDetail("run", run) }
}

// Middleware further out adds its metadata to each reply, also to a repetition's. The
// stored metadata is that of the handler and of middleware further in.
func TestMetadata(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	var asked atomic.Int32
	outer := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			amqprpc.ReplyHeader(ctx)["asked"] = fmt.Sprint(asked.Add(1))
			amqprpc.ReplyHeader(ctx)["both"] = "outer"
			resp, err := next(ctx, req)
			if err == nil {
				resp.Header()["after"] = fmt.Sprint(asked.Load())
			}
			return resp, err
		}
	}
	inner := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			resp, err := next(ctx, req)
			if err == nil {
				resp.Header()["inner"] = "from the response"
			}
			return resp, err
		}
	}
	harness.Serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", func(ctx context.Context, fail bool) (int, error) {
			amqprpc.ReplyHeader(ctx)["handler"] = "from the handler"
			amqprpc.ReplyHeader(ctx)["both"] = "handler"
			if fail {
				return 0, amqprpc.CodeNotFound
			}
			return 1, nil
		}, amqprpc.WithMiddleware(outer), idempotent(idempotency.WithReplayHeader("replayed")), amqprpc.WithMiddleware(inner))
	})
	cli := harness.Dial(t, url)
	call := func(fail bool) amqprpc.Header {
		var h amqprpc.Header
		_, err := amqprpc.Call[bool, int](harness.Context(t), cli, "q", fail, amqprpc.WithCallID(fmt.Sprint(fail)), amqprpc.WithReplyHeader(&h))
		require.Equal(t, fail, err != nil)
		return h
	}
	require.Equal(t, amqprpc.Header{"asked": "1", "after": "1", "both": "handler", "handler": "from the handler", "inner": "from the response"}, call(false))
	require.Equal(t, amqprpc.Header{"asked": "2", "after": "2", "both": "handler", "handler": "from the handler", "inner": "from the response", "replayed": "true"}, call(false))
	require.Equal(t, amqprpc.Header{"asked": "3", "both": "handler", "handler": "from the handler"}, call(true))
	require.Equal(t, amqprpc.Header{"asked": "4", "both": "handler", "handler": "from the handler", "replayed": "true"}, call(true))
}

type tenantKey struct{}

// knowTenant puts the tenant into the context, as authentication does with the caller.
func knowTenant(next amqprpc.Invoker) amqprpc.Invoker {
	return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
		return next(context.WithValue(ctx, tenantKey{}, req.Header()["tenant"]), req)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	n := new(numbered)
	harness.Serve(t, url, func(s *amqprpc.Server) {
		shared := idempotent()
		amqprpc.Register(s, "a", n.handle, shared)
		amqprpc.Register(s, "a:b", n.handle, shared)
		amqprpc.Register(s, "tenants", n.handle, amqprpc.WithMiddleware(knowTenant), idempotent(idempotency.WithKey(func(ctx context.Context, r *amqprpc.Request) string {
			tenant, _ := ctx.Value(tenantKey{}).(string)
			if tenant == "" {
				return ""
			}
			return tenant + "/" + r.ID()
		})))
	})
	one, other := newRawCaller(t, url), newRawCaller(t, url)
	json := func(id, correlation string) amqp.Publishing {
		return amqp.Publishing{ContentType: "application/json", Body: []byte("1"), MessageId: id, CorrelationId: correlation}
	}
	tenant := func(name string) amqp.Publishing {
		m := json("id", "c")
		m.Headers = amqp.Table{"tenant": name}
		return m
	}
	for _, test := range []struct {
		what  string
		from  *rawCaller
		queue string
		m     amqp.Publishing
		want  string
	}{
		{"first", one, "a", json("b:c", "1"), "1"},
		{"repeated", one, "a", json("b:c", "2"), "1"},
		{"repeated by another", other, "a", json("b:c", "1"), "1"},
		{"another queue", one, "a:b", json("c", "1"), "2"},
		{"a correlation id alone", one, "a", json("", "7"), "3"},
		{"repeated", one, "a", json("", "7"), "3"},
		{"the same of another caller", other, "a", json("", "7"), "4"},
		{"no id at all", one, "a", json("", ""), "5"},
		{"again", one, "a", json("", ""), "6"},
		{"a tenant's", one, "tenants", tenant("x"), "7"},
		{"another tenant's", one, "tenants", tenant("y"), "8"},
		{"the first's again", one, "tenants", tenant("x"), "7"},
		{"nobody's", one, "tenants", tenant(""), "9"},
		{"nobody's", one, "tenants", tenant(""), "10"},
	} {
		require.Equal(t, test.want, string(test.from.ask(test.queue, test.m).Body), test.what)
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	n := new(numbered)
	harness.Serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, "same", n.handle, idempotent())
		amqprpc.Register(s, "any", n.handle, idempotent(idempotency.WithAnyBody()))
	})
	c := newRawCaller(t, url)
	ask := func(queue, contentType, body string) (string, string) {
		d := c.ask(queue, amqp.Publishing{ContentType: contentType, Body: []byte(body), MessageId: "id"})
		code, _ := d.Headers["rpc-code"].(string)
		return code, string(d.Body)
	}
	for _, test := range []struct{ queue, contentType, body, code, want string }{
		{"same", "application/json", "one", "invalid_argument", ""}, // cannot be decoded, so it is not stored
		{"same", "application/json", "1", "", "1"},
		{"same", "Application/JSON; charset=utf-8", "1", "", "1"},
		{"same", "application/json", "2", "failed_precondition", ""},
		{"same", "application/json", "1", "", "1"},
		{"same", "application/msgpack", "\x01", "", "1"},
		{"same", "application/msgpack", "\x02", "failed_precondition", ""},
		{"same", "", "1", "", "1"},
		{"same", "", "2", "failed_precondition", ""},
		{"same", "application/msgpack", "1", "failed_precondition", ""}, // the number 49
		{"any", "application/json", "1", "", "2"},
		{"any", "application/json", "2", "", "2"},
	} {
		code, body := ask(test.queue, test.contentType, test.body)
		require.Equal(t, test.code, code, test)
		if code == "" {
			require.Equal(t, test.want, body, test)
		}
	}
}

// A call that is made again with another compression is the same call, and its caller gets the
// first answer as it accepts it.
func TestCompression(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	var handler numbered
	long := strings.Repeat("tea and ", 1000)
	harness.Serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", func(ctx context.Context, text string) (string, error) {
			n, err := handler.handle(ctx, len(text))
			return fmt.Sprint(n, long), err
		}, idempotent())
	})
	cli := harness.Dial(t, url)
	for _, e := range []compress.Encoding{nil, compress.Gzip{}, compress.Gzip{Level: 9}, nil} {
		got, err := amqprpc.Call[string, string](harness.Context(t), cli, "q", long, amqprpc.WithCallID("id"), amqprpc.WithCompression(e))
		require.NoError(t, err)
		require.Equal(t, "1"+long, got)
	}
	_, err := amqprpc.Call[string, string](harness.Context(t), cli, "q", long+"more", amqprpc.WithCallID("id"), amqprpc.WithCompression(compress.Gzip{}))
	require.ErrorIs(t, err, amqprpc.CodeFailedPrecondition)
}

func TestNotifications(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	n := new(numbered)
	var handled atomic.Int32
	harness.Serve(t, url, func(s *amqprpc.Server) {
		count := func(next amqprpc.Invoker) amqprpc.Invoker {
			return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
				defer handled.Add(1)
				return next(ctx, req)
			}
		}
		amqprpc.Register(s, "q", n.handle, amqprpc.WithMiddleware(count), idempotent())
	})
	cli := harness.Dial(t, url)
	ctx := harness.Context(t)
	for range 3 {
		require.NoError(t, amqprpc.Notify(ctx, cli, "q", 1, amqprpc.WithCallID("n")))
	}
	require.Eventually(t, func() bool { return handled.Load() == 3 }, harness.Patience, time.Millisecond)
	require.EqualValues(t, 1, n.runs.Load())

	_, err := amqprpc.Call[int, int32](ctx, cli, "q", 1, amqprpc.WithCallID("n"))
	require.ErrorIs(t, err, amqprpc.CodeFailedPrecondition)
	require.ErrorContains(t, err, "for a notification")

	got, err := amqprpc.Call[int, int32](ctx, cli, "q", 1, amqprpc.WithCallID("c"))
	require.NoError(t, err)
	require.EqualValues(t, 2, got)
	require.NoError(t, amqprpc.Notify(ctx, cli, "q", 1, amqprpc.WithCallID("c")))
	require.Eventually(t, func() bool { return handled.Load() == 6 }, harness.Patience, time.Millisecond)
	require.EqualValues(t, 2, n.runs.Load())
}

// A panic of middleware further in releases the claim.
func TestPanicOfMiddleware(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	n := new(numbered)
	var calls atomic.Int32
	harness.Serve(t, url, func(s *amqprpc.Server) {
		panicky := func(next amqprpc.Invoker) amqprpc.Invoker {
			return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
				if calls.Add(1) == 1 {
					panic("the first time")
				}
				return next(ctx, req)
			}
		}
		amqprpc.Register(s, "q", n.handle, idempotent(), amqprpc.WithMiddleware(panicky))
	})
	cli := harness.Dial(t, url)
	_, err := amqprpc.Call[int, int32](harness.Context(t), cli, "q", 1, amqprpc.WithCallID("id"))
	require.ErrorIs(t, err, amqprpc.CodeInternal)
	start := time.Now()
	got, err := amqprpc.Call[int, int32](harness.Context(t), cli, "q", 1, amqprpc.WithCallID("id"))
	require.NoError(t, err)
	require.EqualValues(t, 1, got)
	require.Less(t, time.Since(start), 5*time.Second, "the claim was not given back")
}

// On a client the middleware does nothing.
func TestOnClient(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	n := new(numbered)
	harness.Serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, "q", n.handle) })
	cli := harness.Dial(t, url, idempotent())
	for want := range int32(2) {
		got, err := amqprpc.Call[int, int32](harness.Context(t), cli, "q", 1, amqprpc.WithCallID("id"))
		require.NoError(t, err)
		require.Equal(t, want+1, got)
	}
}

func TestWithoutStore(t *testing.T) {
	t.Parallel()
	require.PanicsWithValue(t, "idempotency: New: the store is nil", func() { idempotency.New(nil) })
}

// A stream cannot be answered from a store, so the middleware refuses it.
func TestStreamsAreRefused(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	const count amqprpc.ServerStream[int, int] = "count"
	const sum amqprpc.ClientStream[int, int] = "sum"
	const echo amqprpc.BidiStream[int, int] = "echo"
	var runs atomic.Int32
	harness.Serve(t, url, func(s *amqprpc.Server) {
		count.Register(s, func(context.Context, int, *amqprpc.Sender[int]) error { runs.Add(1); return nil }, idempotent())
		sum.Register(s, func(context.Context, *amqprpc.Receiver[int]) (int, error) { runs.Add(1); return 0, nil }, idempotent())
		echo.Register(s, func(context.Context, *amqprpc.Receiver[int], *amqprpc.Sender[int]) error { runs.Add(1); return nil }, idempotent())
	})
	cli := harness.Dial(t, url)
	refused := func(err error) {
		t.Helper()
		require.ErrorIs(t, err, amqprpc.CodeFailedPrecondition)
		require.ErrorContains(t, err, "idempotency middleware around a stream")
		require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
	}
	for _, err := range count.Call(harness.Context(t), cli, 1) {
		refused(err)
	}
	_, err := sum.Open(harness.Context(t), cli)
	refused(err)
	_, err = echo.Open(harness.Context(t), cli)
	refused(err)
	require.Zero(t, runs.Load())

	// On a client the middleware does nothing.
	free, streams := count+".free", 0
	harness.Serve(t, url, func(s *amqprpc.Server) {
		free.Register(s, func(_ context.Context, n int, out *amqprpc.Sender[int]) error { return out.Send(n) })
	})
	for n, err := range free.Call(harness.Context(t), cli, 7, idempotent()) {
		require.NoError(t, err)
		require.Equal(t, 7, n)
		streams++
	}
	require.Equal(t, 1, streams)
}
