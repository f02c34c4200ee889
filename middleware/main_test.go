package middleware_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience limits each wait for something that must happen.
const patience = 20 * time.Second

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// startBroker starts a broker that runs until the test ends.
func startBroker(t testing.TB) string {
	t.Helper()
	b := amqptest.NewBroker()
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b.URL()
}

// startServer serves on url until stop is called or the test ends. The server must drain
// without an error.
func startServer(t testing.TB, url string, register func(*amqprpc.Server), opts ...amqprpc.ServerOption) (stop func()) {
	t.Helper()
	srv := amqprpc.NewServer(url, append([]amqprpc.ServerOption{amqprpc.WithLogger(nil)}, opts...)...)
	register(srv)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	ended := sync.OnceValue(func() error {
		cancel()
		return <-served
	})
	stop = func() { require.NoError(t, ended(), "Serve") }
	t.Cleanup(stop)
	select {
	case <-srv.Ready():
	case <-time.After(patience):
		require.FailNow(t, "the server is not ready")
	}
	return stop
}

func dial(t testing.TB, url string, opts ...amqprpc.ClientOption) *amqprpc.Client {
	t.Helper()
	cli, err := amqprpc.Dial(testContext(t), url, append([]amqprpc.ClientOption{amqprpc.WithLogger(nil)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, cli.Close())
		require.Zero(t, cli.Stats().Pending, "calls left pending")
	})
	return cli
}
