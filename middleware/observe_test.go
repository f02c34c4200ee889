package middleware_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
)

// Observe sees each end of a request, on both sides, and changes none.
func TestObserve(t *testing.T) {
	t.Parallel()
	type end struct {
		client, hasResponse, hasContext bool
		code                            amqprpc.Code
	}
	type key struct{}
	ends := make(chan end, 10)
	mark := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			return next(context.WithValue(ctx, key{}, true), req)
		}
	}
	observe := middleware.Observe(func(ctx context.Context, req *amqprpc.Request, resp *amqprpc.Response, err error, took time.Duration) {
		if took <= 0 {
			t.Error("it took no time")
		}
		ends <- end{req.IsClient(), resp != nil, ctx.Value(key{}) != nil, amqprpc.CodeOf(err)}
	})
	boom := func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			if msg, _ := req.Message(); *msg.(*string) == "middleware panics" {
				panic("as asked")
			}
			return next(ctx, req)
		}
	}
	url := amqptest.Start(t).URL()
	harness.Serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, "q", answer) }, amqprpc.WithMiddleware(mark, observe, boom))
	cli := harness.Dial(t, url, amqprpc.WithMiddleware(mark, observe))
	for how, code := range map[string]amqprpc.Code{
		"": amqprpc.CodeOK, "not_found": amqprpc.CodeNotFound, "panic": amqprpc.CodeInternal, "middleware panics": amqprpc.CodeInternal,
	} {
		_, err := amqprpc.Call[string, string](harness.Context(t), cli, "q", how)
		require.Equal(t, code, amqprpc.CodeOf(err), how)
		require.Equal(t, end{client: false, hasResponse: err == nil, hasContext: true, code: code}, <-ends, how)
		require.Equal(t, end{client: true, hasResponse: err == nil, hasContext: true, code: code}, <-ends, how)
	}
	require.PanicsWithValue(t, "middleware: Observe: f is nil", func() { middleware.Observe(nil) })
}
