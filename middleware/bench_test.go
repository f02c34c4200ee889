package middleware_test

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
)

// The price of a line, and of a line that is not written.
func BenchmarkLogging(b *testing.B) {
	done := amqprpc.NewResponse("fine")
	for name, level := range map[string]slog.Level{"written": slog.LevelDebug, "below the level": slog.LevelInfo} {
		b.Run(name, func(b *testing.B) {
			log := slog.New(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{Level: level}))
			invoke := middleware.Logging(log)(func(context.Context, *amqprpc.Request) (*amqprpc.Response, error) { return done, nil })
			harness.Inside(b, amqptest.Start(b).URL(), "q", "client", func(ctx context.Context, req *amqprpc.Request) {
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
	harness.Inside(b, amqptest.Start(b).URL(), "q", "client", func(_ context.Context, req *amqprpc.Request) {
		b.ReportAllocs()
		for b.Loop() {
			cache.Get(req, nil)
		}
	})
}
