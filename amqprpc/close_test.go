package amqprpc_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// closeBound is how long Close waits at most, give or take a moment.
const closeBound = 5*time.Second + 10*time.Millisecond

// closing is a broker, a server and a client in a synctest bubble. The handler waits for
// the end of its ctx.
func closing(t *testing.T, opts func(cli func() *amqprpc.Client) []amqprpc.ClientOption, test func(b *amqptest.Broker, cli *amqprpc.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := amqptest.Start(t, amqptest.WithoutListener())
		dialer := amqprpc.WithDialer(b.Dial)
		serving, stop := context.WithCancel(t.Context())
		srv := amqprpc.NewServer(b.URL(), amqprpc.WithLogger(nil), dialer)
		amqprpc.Register(srv, "q", func(ctx context.Context, n int) (int, error) { <-ctx.Done(); return n, ctx.Err() },
			amqprpc.WithHandlerTimeout(10*time.Minute))
		served := make(chan error, 1)
		go func() { served <- srv.Serve(serving) }()
		<-srv.Ready()
		var cli *amqprpc.Client
		all := append([]amqprpc.ClientOption{amqprpc.WithLogger(nil), dialer}, opts(func() *amqprpc.Client { return cli })...)
		var err error
		cli, err = amqprpc.Dial(t.Context(), b.URL(), all...)
		require.NoError(t, err)
		test(b, cli)
		began := time.Now()
		require.NoError(t, cli.Close())
		require.LessOrEqual(t, time.Since(began), closeBound)
		stop()
		<-served
	})
}

// logHandler calls f with each message.
type logHandler func(string)

func (h logHandler) Enabled(context.Context, slog.Level) bool      { return true }
func (h logHandler) Handle(_ context.Context, r slog.Record) error { h(r.Message); return nil }
func (h logHandler) WithAttrs([]slog.Attr) slog.Handler            { return h }
func (h logHandler) WithGroup(string) slog.Handler                 { return h }

// Close returns, wherever it is called from.
func TestCloseFromCallbacks(t *testing.T) {
	t.Parallel()
	t.Run("state callback", func(t *testing.T) {
		t.Parallel()
		var closed chan time.Duration
		closing(t, func(cli func() *amqprpc.Client) []amqprpc.ClientOption {
			closed = make(chan time.Duration, 10) // in the bubble
			return []amqprpc.ClientOption{amqprpc.WithStateCallback(func(s amqprpc.State) {
				if s == amqprpc.StateDisconnected {
					began := time.Now()
					cli().Close()
					closed <- time.Since(began)
				}
			})}
		}, func(b *amqptest.Broker, _ *amqprpc.Client) {
			b.CutConnections()
			require.LessOrEqual(t, <-closed, closeBound)
		})
	})
	t.Run("log handler", func(t *testing.T) {
		t.Parallel()
		var closed chan time.Duration
		closing(t, func(cli func() *amqprpc.Client) []amqprpc.ClientOption {
			closed = make(chan time.Duration, 10) // in the bubble
			return []amqprpc.ClientOption{amqprpc.WithLogger(slog.New(logHandler(func(text string) {
				if strings.Contains(text, "not connected any more") {
					began := time.Now()
					cli().Close()
					closed <- time.Since(began)
				}
			})))}
		}, func(b *amqptest.Broker, _ *amqprpc.Client) {
			b.CutConnections()
			require.LessOrEqual(t, <-closed, closeBound)
		})
	})
	t.Run("middleware of a Go call", func(t *testing.T) {
		t.Parallel()
		var closed chan time.Duration
		closing(t, func(cli func() *amqprpc.Client) []amqprpc.ClientOption {
			closed = make(chan time.Duration, 10) // in the bubble
			return []amqprpc.ClientOption{amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker {
				return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
					began := time.Now()
					cli().Close()
					closed <- time.Since(began)
					return next(ctx, req)
				}
			})}
		}, func(_ *amqptest.Broker, cli *amqprpc.Client) {
			f := amqprpc.Go[int, int](context.Background(), cli, "q", 1)
			require.LessOrEqual(t, <-closed, closeBound)
			_, err := f.Await(context.Background())
			require.ErrorIs(t, err, amqprpc.ErrClientClosed)
		})
	})
}

// Close ends the ctx of each call, with its cause, wherever the call is.
func TestCloseEndsTheContextsOfCalls(t *testing.T) {
	t.Parallel()
	backsOff := func(ctx context.Context) error {
		select {
		case <-time.After(15 * time.Second):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for name, m := range map[string]func(next amqprpc.Invoker) amqprpc.Invoker{
		"before the wire": func(next amqprpc.Invoker) amqprpc.Invoker {
			return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
				if err := backsOff(ctx); err != nil {
					return nil, err
				}
				return next(ctx, req)
			}
		},
		"in a context of its own": func(next amqprpc.Invoker) amqprpc.Invoker {
			return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
				ctx, cancel := context.WithTimeout(ctx, time.Minute)
				defer cancel()
				return next(ctx, req)
			}
		},
		"after an attempt": func(next amqprpc.Invoker) amqprpc.Invoker {
			return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
				resp, err := next(ctx, req)
				for err != nil {
					if cause := backsOff(ctx); cause != nil {
						return nil, cause
					}
					resp, err = next(ctx, req)
				}
				return resp, err
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			closing(t, func(func() *amqprpc.Client) []amqprpc.ClientOption {
				return []amqprpc.ClientOption{amqprpc.WithMiddleware(m)}
			}, func(_ *amqptest.Broker, cli *amqprpc.Client) {
				f := amqprpc.Go[int, int](context.Background(), cli, "q", 1, amqprpc.WithTimeout(5*time.Minute))
				var call error
				var calling sync.WaitGroup
				calling.Go(func() {
					_, call = amqprpc.Call[int, int](context.Background(), cli, "q", 1, amqprpc.WithTimeout(5*time.Minute))
				})
				synctest.Wait()
				began := time.Now()
				require.NoError(t, cli.Close())
				calling.Wait()
				require.Less(t, time.Since(began), time.Second, "nothing waits for the back-off")
				_, err := f.Await(context.Background())
				for _, err := range []error{err, call} {
					require.ErrorIs(t, err, amqprpc.ErrClientClosed)
					if name == "in a context of its own" {
						require.ErrorIs(t, err, amqprpc.CodeCanceled)
					}
				}
			})
		})
	}
}

// Middleware that heeds no context holds Close up for a bounded time.
func TestCloseBoundsItsWait(t *testing.T) {
	t.Parallel()
	closing(t, func(func() *amqprpc.Client) []amqprpc.ClientOption {
		return []amqprpc.ClientOption{amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker {
			return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
				time.Sleep(time.Minute)
				return next(ctx, req)
			}
		})}
	}, func(_ *amqptest.Broker, cli *amqprpc.Client) {
		f := amqprpc.Go[int, int](context.Background(), cli, "q", 1)
		synctest.Wait()
		began := time.Now()
		require.NoError(t, cli.Close())
		require.LessOrEqual(t, time.Since(began), closeBound)
		_, err := f.Await(context.Background())
		require.ErrorIs(t, err, amqprpc.ErrClientClosed)
	})
}

// A server's callbacks and its log handler may use the server, and end it.
func TestServerCallbacksUseTheServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := amqptest.Start(t, amqptest.WithoutListener())
		serving, stop := context.WithCancel(t.Context())
		defer stop()
		var srv *amqprpc.Server
		use := func() {
			if srv == nil {
				return
			}
			srv.Stats()
			srv.Ready()
			require.Error(t, srv.Serve(serving), "it serves already")
			require.Panics(t, func() { amqprpc.Register(srv, "late", square) })
		}
		srv = amqprpc.NewServer(b.URL(), amqprpc.WithDialer(b.Dial),
			amqprpc.WithLogger(slog.New(logHandler(func(string) { use() }))),
			amqprpc.WithStateCallback(func(s amqprpc.State) {
				use()
				if s == amqprpc.StateDisconnected {
					stop()
				}
			}))
		amqprpc.Register(srv, "q", square)
		served := make(chan error, 1)
		go func() { served <- srv.Serve(serving) }()
		<-srv.Ready()
		b.CutConnections()
		require.NoError(t, <-served)
	})
}

// A write to a peer that takes nothing is given up soon after Close. Without Close it may
// take two heartbeats.
func TestCloseWithAStuckWrite(t *testing.T) {
	t.Parallel()
	closing(t, func(func() *amqprpc.Client) []amqprpc.ClientOption {
		return []amqprpc.ClientOption{amqprpc.WithHeartbeat(time.Minute)}
	}, func(b *amqptest.Broker, cli *amqprpc.Client) {
		b.Freeze(amqptest.BothWays)
		f := amqprpc.Go[string, int](context.Background(), cli, "q", strings.Repeat("x", 8<<20))
		synctest.Wait()
		began := time.Now()
		require.NoError(t, cli.Close())
		require.LessOrEqual(t, time.Since(began), 3*time.Second)
		_, err := f.Await(context.Background())
		require.ErrorIs(t, err, amqprpc.ErrClientClosed)
		b.Thaw()
	})
}
