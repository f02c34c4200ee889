// Package harness runs servers and clients for the tests of the middleware.
package harness

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
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
