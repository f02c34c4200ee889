package middleware_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
)

// labelled returns middleware that sends the labels of each finished call to a channel.
func labelled(methods ...string) (amqprpc.Middleware, <-chan middleware.Labels) {
	seen := make(chan middleware.Labels, 100)
	cache := middleware.NewLabelCache(func(l middleware.Labels) middleware.Labels { return l }, methods...)
	return func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			resp, err := next(ctx, req)
			seen <- cache.Get(req, err)
			return resp, err
		}
	}, seen
}

func TestLabels(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	onServer, server := labelled()
	onClient, client := labelled("declared")
	harness.Serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, "q", answer) }, amqprpc.WithMiddleware(onServer))
	cli := harness.Dial(t, url, amqprpc.WithMiddleware(onClient))
	call := func(queue, how string, opts ...amqprpc.CallOption) {
		_, _ = amqprpc.Call[string, string](harness.Context(t), cli, queue, how, opts...)
	}
	const unary, notification = amqprpc.KindUnary, amqprpc.KindNotification

	call("q", "forbidden") // no code of amqprpc's: it becomes unknown
	require.Equal(t, middleware.Labels{Client: true, Method: "q", Kind: unary, Code: "unknown", ErrorType: "unknown", Outcome: "executed"}, <-client)
	require.Equal(t, middleware.Labels{Method: "q", Kind: unary, Code: "unknown", ErrorType: "unknown"}, <-server)

	call("q", "")
	require.Equal(t, middleware.Labels{Client: true, Method: "q", Kind: unary, Code: "ok"}, <-client)
	require.Equal(t, middleware.Labels{Method: "q", Kind: unary, Code: "ok"}, <-server)

	call("q", "not_found")
	require.Equal(t, middleware.Labels{Client: true, Method: "q", Kind: unary, Code: "not_found", ErrorType: "not_found", Outcome: "executed"}, <-client)
	require.Equal(t, middleware.Labels{Method: "q", Kind: unary, Code: "not_found"}, <-server, "not the server's failure")

	require.NoError(t, amqprpc.Notify(harness.Context(t), cli, "q", ""))
	require.Equal(t, middleware.Labels{Client: true, Method: "q", Kind: notification, Code: "ok"}, <-client)
	require.Equal(t, middleware.Labels{Method: "q", Kind: notification, Code: "ok"}, <-server)

	// Nobody serves these. Only the declared one has a name of its own.
	none := middleware.Labels{Client: true, Method: middleware.OtherMethod, Kind: unary, Code: "unavailable", ErrorType: "unavailable", Outcome: "not-executed"}
	for i := range 3 {
		call(fmt.Sprint("nobody.", i), "")
		require.Equal(t, none, <-client)
	}
	call("declared", "")
	none.Method = "declared"
	require.Equal(t, none, <-client)

	// A queue that was recognised stays so.
	call("q", "", amqprpc.WithHeader("rpc-mine", ""))
	require.Equal(t, middleware.Labels{Client: true, Method: "q", Kind: unary, Code: "invalid_argument", ErrorType: "invalid_argument", Outcome: "not-sent"}, <-client)
}

// There are never more than MaxMethods methods.
func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	many := make([]string, middleware.MaxMethods-1)
	for i := range many {
		many[i] = fmt.Sprint("method.", i)
	}
	mw, client := labelled(many...)
	harness.Serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, "last", answer)
		amqprpc.Register(s, "one.more", answer)
	})
	cli := harness.Dial(t, url, amqprpc.WithMiddleware(mw))
	for range 2 {
		for queue, want := range map[string]string{"last": "last", "one.more": middleware.OtherMethod} {
			if want == middleware.OtherMethod {
				_, err := amqprpc.Call[string, string](harness.Context(t), cli, "last", "")
				require.NoError(t, err)
				<-client
			}
			_, err := amqprpc.Call[string, string](harness.Context(t), cli, queue, "")
			require.NoError(t, err)
			require.Equal(t, want, (<-client).Method)
		}
	}
}

// Calls that end at the same time share their values, which are made once for each labels.
func TestLabelsAreMadeOnce(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	queues := []string{"a", "b", "c"}
	harness.Serve(t, url, func(s *amqprpc.Server) {
		for _, q := range queues {
			amqprpc.Register(s, q, answer)
		}
	})
	var mu sync.Mutex
	made := make(map[middleware.Labels]int)
	cache := middleware.NewLabelCache(func(l middleware.Labels) middleware.Labels {
		mu.Lock()
		defer mu.Unlock()
		made[l]++
		return l
	})
	cli := harness.Dial(t, url, amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			resp, err := next(ctx, req)
			l := cache.Get(req, err)
			if l.Method != req.Queue() || l.Code != amqprpc.CodeOf(err) {
				t.Errorf("%v for a call to %s that ended with %v", l, req.Queue(), err)
			}
			return resp, err
		}
	}))
	hows := []string{"", "not_found", "internal", "unavailable"}
	var calls []*amqprpc.Future[string]
	for i := range 600 {
		calls = append(calls, amqprpc.Go[string, string](harness.Context(t), cli, queues[i%len(queues)], hows[i%len(hows)]))
	}
	for _, f := range calls {
		<-f.Done()
	}
	require.Len(t, made, len(queues)*len(hows))
	for l, n := range made {
		require.Equal(t, 1, n, "%v", l)
	}
}

// Looking up labels costs no allocation, and the value is made once for each. The test does
// not run in parallel, because it counts allocations.
func TestLabelCacheAllocations(t *testing.T) {
	made := 0
	cache := middleware.NewLabelCache(func(l middleware.Labels) *middleware.Labels { made++; return &l })
	failure := amqprpc.Errorf(amqprpc.CodeNotFound, "no")
	harness.Inside(t, amqptest.Start(t).URL(), "q", "client", func(_ context.Context, req *amqprpc.Request) {
		require.Zero(t, testing.AllocsPerRun(1000, func() {
			cache.Get(req, nil)
			cache.Get(req, failure)
		}))
	})
	require.Equal(t, 2, made)
}
