package middleware_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
)

// jsonLog is a JSON log that a test reads line by line.
type jsonLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *jsonLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *jsonLog) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: level}))
}

// take returns the lines written so far and forgets them.
func (l *jsonLog) take(t *testing.T) []map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []map[string]any
	for line := range bytes.Lines(l.buf.Bytes()) {
		m := make(map[string]any)
		require.NoError(t, json.Unmarshal(line, &m))
		all = append(all, m)
	}
	l.buf.Reset()
	return all
}

// one waits for a single line.
func (l *jsonLog) one(t *testing.T) map[string]any {
	t.Helper()
	var got []map[string]any
	require.Eventually(t, func() bool {
		got = append(got, l.take(t)...)
		return len(got) > 0
	}, harness.Patience, time.Millisecond)
	require.Len(t, got, 1)
	return got[0]
}

func answer(_ context.Context, how string) (string, error) {
	switch how {
	case "":
		return "fine", nil
	case "panic":
		panic("as asked")
	case "callee":
		return "", amqprpc.NewError(amqprpc.CodeInternal, fmt.Errorf("no price: %w", amqprpc.Errorf(amqprpc.CodeNotFound, "no tea")))
	default:
		return "", amqprpc.Errorf(amqprpc.Code(how), "as asked")
	}
}

func TestLogging(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	var server, client jsonLog
	harness.Serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, "q", answer) },
		amqprpc.WithMiddleware(middleware.Logging(server.logger(slog.LevelDebug))))
	cli := harness.Dial(t, url, amqprpc.WithMiddleware(middleware.Logging(client.logger(slog.LevelDebug))))
	ctx := harness.Context(t)

	for _, tt := range []struct{ how, code, server, client, err, outcome, cause string }{
		{how: "", code: "ok", server: "INFO", client: "DEBUG"},
		{how: "not_found", code: "not_found", server: "INFO", client: "DEBUG", err: "not_found: as asked", outcome: "executed"},
		{how: "unavailable", code: "unavailable", server: "WARN", client: "WARN", err: "unavailable: as asked", outcome: "executed"},
		{how: "permission_denied", code: "permission_denied", server: "WARN", client: "INFO", err: "permission_denied: as asked", outcome: "executed"},
		{how: "internal", code: "internal", server: "ERROR", client: "WARN", err: "internal: as asked", outcome: "executed"},
		{how: "panic", code: "internal", server: "ERROR", client: "WARN", err: "internal: internal error", outcome: "executed", cause: "panic: as asked"},
		{how: "callee", code: "internal", server: "ERROR", client: "WARN", err: "internal: no price: no tea", outcome: "executed", cause: "no price: not_found: no tea"},
	} {
		t.Run(tt.code, func(t *testing.T) {
			_, err := amqprpc.Call[string, string](ctx, cli, "q", tt.how)
			require.Equal(t, tt.err == "", err == nil)
			c, s := client.one(t), server.one(t)
			for side, line := range map[string]map[string]any{"client": c, "server": s} {
				require.Equal(t, "rpc", line["msg"])
				require.Equal(t, side, line["side"])
				require.Equal(t, "unary", line["kind"])
				require.Equal(t, "q", line["queue"])
				require.Equal(t, tt.code, line["code"])
				require.EqualValues(t, 1, line["attempt"])
				require.Positive(t, line["duration"])
				require.NotContains(t, line, "redelivered")
			}
			require.Equal(t, tt.server, s["level"])
			require.Equal(t, tt.client, c["level"])
			require.Contains(t, s, "queue_time")
			require.NotContains(t, c, "queue_time", "a client does not know it")
			require.Equal(t, c["id"], s["id"])
			require.NotEmpty(t, c["id"])
			require.GreaterOrEqual(t, c["duration"], s["duration"])
			if tt.err == "" {
				require.NotContains(t, c, "error")
				require.NotContains(t, s, "error")
				require.NotContains(t, c, "outcome")
				return
			}
			require.Equal(t, tt.err, s["error"])
			require.Equal(t, "q: "+tt.err, c["error"])
			require.Equal(t, tt.outcome, c["outcome"])
			if tt.cause != "" {
				require.Equal(t, tt.cause, s["cause"])
			} else {
				require.NotContains(t, s, "cause")
			}
			require.NotContains(t, c, "cause")
			require.NotContains(t, s, "outcome")
		})
	}

	t.Run("notification", func(t *testing.T) {
		require.NoError(t, amqprpc.Notify(ctx, cli, "q", ""))
		require.Equal(t, "notification", client.one(t)["kind"])
		line := server.one(t)
		require.Equal(t, "notification", line["kind"])
		require.NotContains(t, line, "queue_time", "a notification does not tell")
	})
	t.Run("nobody", func(t *testing.T) {
		_, err := amqprpc.Call[string, string](ctx, cli, "nobody", "")
		line := client.one(t)
		require.Equal(t, "unavailable", line["code"])
		require.Equal(t, "not-executed", line["outcome"])
		require.Equal(t, err.Error(), line["error"])
	})
	t.Run("undecodable", func(t *testing.T) {
		_, err := amqprpc.Call[int, string](ctx, cli, "q", 1)
		require.ErrorIs(t, err, amqprpc.CodeInvalidArgument)
		require.Equal(t, "not-executed", client.one(t)["outcome"])
		require.Equal(t, "invalid_argument", server.one(t)["code"])
	})
}

// A client logs a refusal of inner middleware as not sent.
func TestLoggingRefusedOnClient(t *testing.T) {
	t.Parallel()
	var client jsonLog
	cli := harness.Dial(t, amqptest.Start(t).URL(), amqprpc.WithMiddleware(
		middleware.Logging(client.logger(slog.LevelDebug)), middleware.Validate()))
	_, err := amqprpc.Call[failing, any](harness.Context(t), cli, "q", failing{})
	require.ErrorIs(t, err, errFailing)
	line := client.one(t)
	require.Equal(t, "invalid_argument", line["code"])
	require.Equal(t, "not-sent", line["outcome"])
	require.Equal(t, err.Error(), line["error"])
}

// A retry by inner middleware counts as another attempt.
func TestLoggingAttempts(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	var server, client jsonLog
	fail := make(chan bool, 2)
	fail <- true
	fail <- false
	harness.Serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", func(context.Context, int) (int, error) {
			if <-fail {
				return 0, amqprpc.CodeUnavailable
			}
			return 1, nil
		})
	}, amqprpc.WithMiddleware(middleware.Logging(server.logger(slog.LevelInfo))))
	again := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			if resp, err := next(ctx, req); err == nil {
				return resp, nil
			}
			return next(ctx, req)
		}
	}
	cli := harness.Dial(t, url, amqprpc.WithMiddleware(middleware.Logging(client.logger(slog.LevelDebug)), again))
	_, err := amqprpc.Call[int, int](harness.Context(t), cli, "q", 1)
	require.NoError(t, err)
	c := client.one(t)
	require.EqualValues(t, 2, c["attempt"])
	var s []map[string]any
	require.Eventually(t, func() bool { s = append(s, server.take(t)...); return len(s) == 2 }, harness.Patience, time.Millisecond)
	require.EqualValues(t, []any{1.0, 2.0}, []any{s[0]["attempt"], s[1]["attempt"]})
	require.Equal(t, c["id"], s[0]["id"])
	require.Equal(t, c["id"], s[1]["id"])
}

func TestLoggingRedelivered(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()

	// This consumer takes the request and closes its connection without an ack.
	conn, err := amqp.Dial(url)
	require.NoError(t, err)
	ch, err := conn.Channel()
	require.NoError(t, err)
	_, err = ch.QueueDeclare("q", true, false, false, false, nil)
	require.NoError(t, err)
	taken, err := ch.Consume("q", "", false, false, false, false, nil)
	require.NoError(t, err)
	cli := harness.Dial(t, url)
	future := amqprpc.Go[string, string](harness.Context(t), cli, "q", "")
	<-taken
	require.NoError(t, conn.Close())

	var server jsonLog
	harness.Serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, "q", answer) },
		amqprpc.WithMiddleware(middleware.Logging(server.logger(slog.LevelInfo))))
	_, err = future.Await(harness.Context(t))
	require.NoError(t, err)
	require.Equal(t, true, server.one(t)["redelivered"])
}

func TestLoggingOptions(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	var log, quiet jsonLog
	harness.Serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, "q", answer) })
	cli := harness.Dial(t, url, amqprpc.WithMiddleware(
		middleware.Logging(nil),
		middleware.Logging(quiet.logger(slog.LevelError)),
		middleware.Logging(log.logger(slog.LevelInfo),
			middleware.WithLogLevel(func(code amqprpc.Code) slog.Level {
				if code == amqprpc.CodeOK {
					return slog.LevelDebug
				}
				return slog.LevelError
			}),
			middleware.WithLogAttrs(func(req *amqprpc.Request) []slog.Attr {
				return []slog.Attr{slog.String("tenant", req.Header()["tenant"])}
			}),
		),
	))
	ctx := harness.Context(t)
	_, err := amqprpc.Call[string, string](ctx, cli, "q", "")
	require.NoError(t, err)
	require.Empty(t, log.take(t), "success was to be logged at debug")
	_, err = amqprpc.Call[string, string](ctx, cli, "q", "not_found", amqprpc.WithHeader("tenant", "blue"))
	require.ErrorIs(t, err, amqprpc.CodeNotFound)
	line := log.one(t)
	require.Equal(t, "ERROR", line["level"])
	require.Equal(t, "blue", line["tenant"])
	require.Empty(t, quiet.take(t), "below the level of the logger")
}

// Logging also logs a panic of middleware.
func TestLoggingPanic(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	var server, client jsonLog
	boom := func(amqprpc.Invoker) amqprpc.Invoker {
		return func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) { panic("boom") }
	}
	harness.Serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, "q", answer) },
		amqprpc.WithMiddleware(middleware.Logging(server.logger(slog.LevelInfo)), boom))
	cli := harness.Dial(t, url, amqprpc.WithMiddleware(middleware.Logging(client.logger(slog.LevelInfo))))
	_, err := amqprpc.Call[string, string](harness.Context(t), cli, "q", "")
	require.ErrorIs(t, err, amqprpc.CodeInternal)
	require.Equal(t, "internal", server.one(t)["code"])
	client.one(t)
	_, err = amqprpc.Call[string, string](harness.Context(t), cli, "q", "", amqprpc.WithMiddleware(boom))
	require.ErrorContains(t, err, "boom")
	require.Equal(t, "WARN", client.one(t)["level"])
}

// A refusal that passes through two services is one line for each call.
func TestLoggingOneLineForEachCall(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	var all jsonLog // of all processes
	log := amqprpc.WithMiddleware(middleware.Logging(all.logger(slog.LevelInfo)))
	harness.Serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, "stock", answer) }, log)
	inside := harness.Dial(t, url, log)
	harness.Serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, "orders", func(ctx context.Context, how string) (string, error) {
			return amqprpc.Call[string, string](ctx, inside, "stock", how)
		}, amqprpc.WithCalleeCodes(amqprpc.CodeNotFound))
	}, log)
	cli := harness.Dial(t, url, log)
	for _, how := range []string{"", "not_found"} {
		_, err := amqprpc.Call[string, string](harness.Context(t), cli, "orders", how)
		require.Equal(t, how == "", err == nil)
		var lines []map[string]any
		require.Eventually(t, func() bool { lines = append(lines, all.take(t)...); return len(lines) >= 2 }, harness.Patience, time.Millisecond)
		require.Len(t, lines, 2)
		require.Equal(t, []any{"stock", "orders"}, []any{lines[0]["queue"], lines[1]["queue"]})
		for _, line := range lines {
			require.Equal(t, "server", line["side"])
			require.Equal(t, "INFO", line["level"])
		}
	}
}

type ctxKey struct{}

// Logging writes what outer middleware has put into the context.
func TestLoggingContext(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	var outer, inner jsonLog
	harness.Serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, "q", answer) })
	mark := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			return next(context.WithValue(ctx, ctxKey{}, "4bf9"), req)
		}
	}
	attrs := middleware.WithLogContext(func(ctx context.Context) []slog.Attr {
		if id, ok := ctx.Value(ctxKey{}).(string); ok {
			return []slog.Attr{slog.String("trace_id", id)}
		}
		return nil
	})
	cli := harness.Dial(t, url, amqprpc.WithMiddleware(
		middleware.Logging(outer.logger(slog.LevelDebug), attrs), mark,
		middleware.Logging(inner.logger(slog.LevelDebug), attrs)))
	_, err := amqprpc.Call[string, string](harness.Context(t), cli, "q", "")
	require.NoError(t, err)
	require.NotContains(t, outer.one(t), "trace_id")
	require.Equal(t, "4bf9", inner.one(t)["trace_id"])
}

func TestDefaultLogLevel(t *testing.T) {
	t.Parallel()
	const debug, info, warn, err = slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError
	for code, want := range map[amqprpc.Code]struct{ server, client slog.Level }{
		amqprpc.CodeOK:                 {info, debug},
		amqprpc.CodeCanceled:           {info, debug},
		amqprpc.CodeUnknown:            {err, info},
		amqprpc.CodeInvalidArgument:    {info, debug},
		amqprpc.CodeDeadlineExceeded:   {warn, info},
		amqprpc.CodeNotFound:           {info, debug},
		amqprpc.CodeAlreadyExists:      {info, debug},
		amqprpc.CodePermissionDenied:   {warn, info},
		amqprpc.CodeResourceExhausted:  {warn, debug},
		amqprpc.CodeFailedPrecondition: {warn, debug},
		amqprpc.CodeAborted:            {warn, debug},
		amqprpc.CodeOutOfRange:         {warn, debug},
		amqprpc.CodeUnimplemented:      {err, warn},
		amqprpc.CodeInternal:           {err, warn},
		amqprpc.CodeUnavailable:        {warn, warn},
		amqprpc.CodeDataLoss:           {err, warn},
		amqprpc.CodeUnauthenticated:    {info, info},
		"of a handler's own making":    {err, info},
	} {
		require.Equal(t, want.server, middleware.DefaultServerLogLevel(code), "code %q", code)
		require.Equal(t, want.client, middleware.DefaultClientLogLevel(code), "code %q", code)
	}
}
