package middleware_test

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
)

// insideClient runs f in the middleware of a client, once a call has succeeded.
func insideClient(tb testing.TB, f func(context.Context, *amqprpc.Request)) {
	tb.Helper()
	url := amqptest.Start(tb).URL()
	harness.Serve(tb, url, func(s *amqprpc.Server) { amqprpc.Register(s, "q", answer) })
	_, err := amqprpc.Call[string, string](harness.Context(tb), harness.Dial(tb, url), "q", "",
		amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker {
			return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
				resp, err := next(ctx, req)
				f(ctx, req)
				return resp, err
			}
		}))
	require.NoError(tb, err)
}

// The price of a line, and of a line that is not written.
func BenchmarkLogging(b *testing.B) {
	done := amqprpc.NewResponse("fine")
	for name, level := range map[string]slog.Level{"written": slog.LevelDebug, "below the level": slog.LevelInfo} {
		b.Run(name, func(b *testing.B) {
			log := slog.New(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{Level: level}))
			invoke := middleware.Logging(log)(func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) { return done, nil })
			insideClient(b, func(ctx context.Context, req *amqprpc.Request) {
				b.ReportAllocs()
				for b.Loop() {
					_, _ = invoke(ctx, req)
				}
			})
		})
	}
}

func BenchmarkLabelCache(b *testing.B) {
	cache := middleware.NewLabelCache(func(l middleware.Labels) *middleware.Labels { return &l }, "other")
	insideClient(b, func(_ context.Context, req *amqprpc.Request) {
		b.ReportAllocs()
		for b.Loop() {
			cache.Get(req, nil)
		}
	})
}
