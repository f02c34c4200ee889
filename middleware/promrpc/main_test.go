package promrpc_test

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

func startBroker(t testing.TB) string {
	t.Helper()
	b := amqptest.NewBroker()
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b.URL()
}

// startServer serves until the test ends or stop is called. When stop has returned, all
// requests have been handled.
func startServer(t testing.TB, url string, register func(*amqprpc.Server), opts ...amqprpc.ServerOption) (srv *amqprpc.Server, stop func()) {
	t.Helper()
	srv = amqprpc.NewServer(url, append([]amqprpc.ServerOption{amqprpc.WithLogger(nil)}, opts...)...)
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
	case <-time.After(patience):
		require.FailNow(t, "the server is not ready")
	}
	return srv, stop
}

func dial(t testing.TB, url string, opts ...amqprpc.ClientOption) *amqprpc.Client {
	t.Helper()
	cli, err := amqprpc.Dial(testContext(t), url, append([]amqprpc.ClientOption{amqprpc.WithLogger(nil)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cli.Close()) })
	return cli
}

// answer is a handler that succeeds, or fails with the code that it is asked for.
func answer(_ context.Context, how string) (string, error) {
	switch how {
	case "":
		return "fine", nil
	case "panic":
		panic("as asked")
	default:
		return "", amqprpc.Errorf(amqprpc.Code(how), "as asked")
	}
}
