package amqprpc_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/codec"
	"github.com/bbebcec1/amqprpc-go/middleware"
)

// badError is an error whose methods panic, each where its flag says.
type badError struct{ text, unwrap, is, as bool }

type badText struct{}

func (badText) Error() string { panic(badText{}) }

func (e badError) Error() string {
	if e.text {
		panic("Error")
	}
	return "bad"
}

func (e badError) Unwrap() error {
	if e.unwrap {
		panic("Unwrap")
	}
	return nil
}

func (e badError) Is(error) bool {
	if e.is {
		panic("Is")
	}
	return false
}

func (e badError) As(any) bool {
	if e.as {
		panic(badText{})
	}
	return false
}

// bad is a message whose methods panic, each where it says.
type bad struct{ At string }

func (b bad) MarshalJSON() ([]byte, error) {
	if b.At == "marshal" {
		panic("MarshalJSON")
	}
	return []byte(`"` + b.At + `"`), nil
}

func (b *bad) UnmarshalJSON(data []byte) error {
	if b.At = string(data[1 : len(data)-1]); b.At == "unmarshal" {
		panic("UnmarshalJSON")
	}
	return nil
}

func (b bad) Validate() error {
	if b.At == "validate" {
		panic("Validate")
	}
	return nil
}

// badCodec panics where it says, and ends the goroutine if it says so.
type badCodec struct {
	codec.JSON
	marshal, unmarshal bool
}

func (c badCodec) ContentType() string { return "application/x-bad" }

func (c badCodec) Marshal(v any) ([]byte, error) {
	if c.marshal {
		panic("Marshal")
	}
	return c.JSON.Marshal(v)
}

func (c badCodec) Unmarshal(data []byte, v any) error {
	if c.unmarshal {
		panic("Unmarshal")
	}
	return c.JSON.Unmarshal(data, v)
}

// badLog is a log handler that panics.
type badLog struct{ n *atomic.Int64 }

func (l badLog) Enabled(context.Context, slog.Level) bool { return true }
func (l badLog) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l badLog) WithGroup(string) slog.Handler            { return l }
func (l badLog) Handle(context.Context, slog.Record) error {
	l.n.Add(1)
	panic("Handle")
}

func panicking(amqprpc.Invoker) amqprpc.Invoker {
	return func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) { panic(badText{}) }
}

func exiting(amqprpc.Invoker) amqprpc.Invoker {
	return func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) { runtime.Goexit(); return nil, nil }
}

func returning(err error) amqprpc.Middleware {
	return func(amqprpc.Invoker) amqprpc.Invoker {
		return func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) { return nil, err }
	}
}

// What the user's code does wrong on a server ends its request, as an internal error,
// and nothing else, though log handler and state callback panic as well.
func TestServerSurvivesTheUsersCode(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	failures := map[string]error{
		"nil error":         (*amqprpc.Error)(nil),
		"text":              badError{text: true},
		"unwrap":            badError{unwrap: true},
		"is":                badError{is: true},
		"as":                badError{as: true},
		"joined":            errors.Join(io.EOF, badError{as: true}),
		"wrapped nil error": &wrapped{(*amqprpc.Error)(nil)},
		"panicking text":    badText{},
	}
	middlewares := map[string]amqprpc.Middleware{
		"panic": panicking, "exit": exiting,
		"no invoker": func(amqprpc.Invoker) amqprpc.Invoker { return nil },
		"nothing":    returning(nil),
	}
	for name, err := range failures {
		middlewares[name] = returning(err)
	}
	var logged atomic.Int64
	var called atomic.Int64
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(_ context.Context, b bad) (bad, error) {
			switch b.At {
			case "panic":
				panic(badText{})
			case "exit":
				runtime.Goexit()
			case "answer":
				return bad{"marshal"}, nil
			case "detail":
				return b, amqprpc.Errorf(amqprpc.CodeNotFound, "no").WithDetail("d", bad{"marshal"})
			}
			return b, failures[b.At]
		}, amqprpc.WithMiddleware(middleware.Validate()))
		for name, mw := range middlewares {
			amqprpc.Register(s, queue+"."+name, square, amqprpc.WithMiddleware(mw))
		}
		for name, c := range map[string]badCodec{"marshal": {marshal: true}, "unmarshal": {unmarshal: true}} {
			amqprpc.Register(s, queue+".codec."+name, square, amqprpc.WithAcceptedCodecs(c))
		}
	},
		amqprpc.WithLogger(slog.New(badLog{&logged})),
		amqprpc.WithStateCallback(func(amqprpc.State) { called.Add(1); panic("state") }),
		amqprpc.WithMiddleware(middleware.Logging(slog.New(badLog{&logged}))))
	cli := dial(t, url)
	internal := func(name string, err error) {
		t.Helper()
		code := amqprpc.CodeOf(err)
		if name == "unmarshal" && code == amqprpc.CodeInvalidArgument {
			return // the codec of the package makes an error of the panic itself
		}
		if name == "wrapped nil error" { // nothing panics
			require.Equal(t, amqprpc.CodeUnknown, code, "%s: %v", name, err)
			return
		}
		require.Equal(t, amqprpc.CodeInternal, code, "%s: %v", name, err)
	}
	for _, at := range []string{"panic", "exit", "answer", "detail", "unmarshal", "validate"} {
		_, err := amqprpc.Call[bad, bad](testContext(t), cli, queue, bad{at})
		internal(at, err)
	}
	for at := range failures {
		_, err := amqprpc.Call[bad, bad](testContext(t), cli, queue, bad{at})
		internal(at, err)
		require.Equal(t, amqprpc.OutcomeExecuted, amqprpc.OutcomeOf(err), at)
	}
	for name := range middlewares {
		_, err := amqprpc.Call[int, int](testContext(t), cli, queue+"."+name, 1)
		internal(name, err)
	}
	for _, name := range []string{"marshal", "unmarshal"} {
		_, err := amqprpc.Call[int, int](testContext(t), cli, queue+".codec."+name, 1, amqprpc.WithCodec(badCodec{}))
		internal(name, err)
	}
	got, err := amqprpc.Call[bad, bad](testContext(t), cli, queue, bad{"fine"})
	require.NoError(t, err)
	require.Equal(t, "fine", got.At)
	require.Zero(t, srv.Stats().Reconnects+srv.Stats().Redelivered)
	require.NotZero(t, logged.Load())
	require.NotZero(t, called.Load())
}

type wrapped struct{ error }

func (w *wrapped) Error() string { return "wrapped" }
func (w *wrapped) Unwrap() error { return w.error }

// What the user's code does wrong on a client ends its call, as an internal error, and
// nothing else.
func TestClientSurvivesTheUsersCode(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(_ context.Context, at string) (string, error) { return at, nil }, amqprpc.WithAcceptedCodecs(badCodec{}, codec.JSON{}))
	})
	var logged, called atomic.Int64
	cli := dial(t, url, amqprpc.WithLogger(slog.New(badLog{&logged})),
		amqprpc.WithStateCallback(func(amqprpc.State) { called.Add(1); panic("state") }),
		amqprpc.WithMiddleware(middleware.Logging(slog.New(badLog{&logged}))))
	for name, c := range map[string]struct {
		req  bad
		opt  amqprpc.CallOption
		sent bool
	}{
		"middleware":        {opt: amqprpc.WithMiddleware(panicking)},
		"no invoker":        {opt: amqprpc.WithMiddleware(func(amqprpc.Invoker) amqprpc.Invoker { return nil })},
		"middleware itself": {opt: amqprpc.WithMiddleware(func(amqprpc.Invoker) amqprpc.Invoker { panic("made") })},
		"nil error":         {opt: amqprpc.WithMiddleware(returning((*amqprpc.Error)(nil)))},
		"wrapped nil error": {opt: amqprpc.WithMiddleware(returning(&wrapped{(*amqprpc.Error)(nil)}))},
		"text":              {opt: amqprpc.WithMiddleware(returning(badError{text: true}))},
		"as":                {opt: amqprpc.WithMiddleware(returning(badError{as: true}))},
		"validate":          {req: bad{"validate"}, opt: amqprpc.WithMiddleware(middleware.Validate())},
		"marshal":           {req: bad{"marshal"}},
		"codec":             {opt: amqprpc.WithCodec(badCodec{marshal: true})},
		"codec of reply":    {opt: amqprpc.WithCodec(badCodec{unmarshal: true}), sent: true},
		"late middleware": {sent: true, opt: amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker {
			return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
				next(ctx, req)
				panic("late")
			}
		})},
	} {
		var opts []amqprpc.CallOption
		if c.opt != nil {
			opts = append(opts, c.opt)
		}
		want := amqprpc.OutcomeNotSent
		if c.sent {
			want = amqprpc.OutcomeUnknown
		}
		check := func(err error) {
			t.Helper()
			if name == "wrapped nil error" {
				require.Error(t, err)
				return
			}
			if name != "marshal" { // the codec of the package makes an error of the panic itself
				require.Equal(t, amqprpc.CodeInternal, amqprpc.CodeOf(err), "%s: %v", name, err)
			}
			require.Error(t, err, name)
			require.Equal(t, want, amqprpc.OutcomeOf(err), name)
		}
		_, err := amqprpc.Call[bad, bad](testContext(t), cli, queue, c.req, opts...)
		check(err)
		_, err = amqprpc.Go[bad, bad](testContext(t), cli, queue, c.req, opts...).Await(testContext(t))
		check(err)
		if !c.sent {
			check(amqprpc.Notify(testContext(t), cli, queue, c.req, opts...))
		}
	}
	_, err := amqprpc.Go[bad, bad](testContext(t), cli, queue, bad{}, amqprpc.WithMiddleware(exiting)).Await(testContext(t))
	require.ErrorIs(t, err, amqprpc.CodeInternal)
	got, err := amqprpc.Call[string, string](testContext(t), cli, queue, "fine")
	require.NoError(t, err)
	require.Equal(t, "fine", got)
	require.Zero(t, cli.Stats().Reconnects)
	require.NotZero(t, logged.Load())
	require.NotZero(t, called.Load())
}

// badConn panics from some time on.
type badConn struct {
	net.Conn
	bad *atomic.Bool
}

func (c badConn) Write(b []byte) (int, error) {
	if c.bad.Swap(false) {
		panic("Write")
	}
	return c.Conn.Write(b)
}

func (c badConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.bad.Swap(false) {
		panic("Read")
	}
	return n, err
}

// A dial function or a connection of the user's that panics is a connection that fails.
func TestConnectionSurvivesTheUsersCode(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	var fail, broken atomic.Bool
	dialer := amqprpc.WithDialer(func(network, addr string) (net.Conn, error) {
		if fail.Swap(false) {
			panic("dial")
		}
		conn, err := net.Dial(network, addr)
		return badConn{conn, &broken}, err
	})
	fail.Store(true)
	srv, _ := startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) }, dialer)
	cli := dial(t, url, dialer, amqprpc.WithIdempotent())
	for i := range 6 {
		broken.Store(true)
		got, err := amqprpc.Call[int, int](testContext(t), cli, queue, i)
		require.NoError(t, err)
		require.Equal(t, i*i, got)
	}
	require.NotZero(t, srv.Stats().Reconnects+cli.Stats().Reconnects)
}

// Middleware that returns while its step still runs harms no other call, and the step
// ends.
func TestMiddlewareThatDoesNotWait(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	w := newWaiting()
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			if n < 0 {
				return w.handle(ctx, n)
			}
			return n, nil
		}, amqprpc.WithHandlerTimeout(2*time.Second))
	})
	cli := dial(t, url)
	gone := errors.New("gone")
	left := make(chan error, 10)
	hasty := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			go func() {
				_, err := next(ctx, req)
				left <- err
			}()
			<-w.started
			return nil, gone
		}
	}
	for range cap(left) {
		_, err := amqprpc.Call[int, int](testContext(t), cli, queue, -1, amqprpc.WithMiddleware(hasty))
		require.ErrorIs(t, err, gone)
	}
	for n := range 200 {
		got, err := amqprpc.Call[int, int](testContext(t), cli, queue, n, amqprpc.WithTimeout(3*time.Second))
		require.NoError(t, err)
		require.Equal(t, n, got)
	}
	for range cap(left) {
		select {
		case err := <-left:
			require.Error(t, err)
		case <-time.After(patience):
			require.FailNow(t, "a step waits for ever")
		}
	}
}
