// Package harness runs servers and clients for the tests of the middleware.
package harness

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// Patience limits each wait for something that must happen.
const Patience = 20 * time.Second

// Context returns a context that ends after Patience, or with the test.
func Context(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	t.Cleanup(cancel)
	return ctx
}

// Serve serves on url until stop is called or the test ends. The server must drain without an
// error.
func Serve(t testing.TB, url string, register func(*amqprpc.Server), opts ...amqprpc.ServerOption) (stop func()) {
	t.Helper()
	srv := amqprpc.NewServer(url, append([]amqprpc.ServerOption{amqprpc.WithLogger(nil)}, opts...)...)
	register(srv)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-served, "Serve")
	})
	t.Cleanup(stop)
	select {
	case <-srv.Ready():
	case err := <-served:
		served <- err
		require.NoError(t, err, "Serve ended before it was ready")
	case <-time.After(Patience):
		require.FailNow(t, "the server is not ready")
	}
	return stop
}

// Dial connects a client to url until the test ends. No call may be pending then.
func Dial(t testing.TB, url string, opts ...amqprpc.ClientOption) *amqprpc.Client {
	t.Helper()
	cli, err := amqprpc.Dial(Context(t), url, append([]amqprpc.ClientOption{amqprpc.WithLogger(nil)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, cli.Close())
		require.Zero(t, cli.Stats().Pending, "calls left pending")
	})
	return cli
}

// Inside runs f in the middleware of a "client" or of a "server", once a call has succeeded.
func Inside(t testing.TB, url, queue, side string, f func(context.Context, *amqprpc.Request)) {
	t.Helper()
	mw := amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			resp, err := next(ctx, req)
			f(ctx, req)
			return resp, err
		}
	})
	var onServer []amqprpc.ServerOption
	var onCall []amqprpc.CallOption
	if side == "server" {
		onServer = append(onServer, mw)
	} else {
		onCall = append(onCall, mw)
	}
	echo := func(_ context.Context, s string) (string, error) { return s, nil }
	Serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, echo) }, onServer...)
	_, err := amqprpc.Call[string, string](Context(t), Dial(t, url), queue, "", onCall...)
	require.NoError(t, err)
}

// InVirtualTime runs a test with a broker, a server and a client in a synctest bubble.
func InVirtualTime(t *testing.T, register func(*amqprpc.Server), f func(t *testing.T, cli *amqprpc.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		broker := amqptest.Start(t, amqptest.WithoutListener())
		Serve(t, broker.URL(), register, amqprpc.WithDialer(broker.Dial))
		f(t, Dial(t, broker.URL(), amqprpc.WithDialer(broker.Dial)))
	})
}
