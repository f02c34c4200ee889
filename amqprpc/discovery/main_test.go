package discovery_test

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/discovery"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq"
)

// node is the real broker that AMQPRPC_RABBITMQ selects, or nil for the in-process broker.
var node *rabbitmq.Node

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(rabbitmq.Main(m, func(n *rabbitmq.Node) { node = n }))
}

// patience limits each wait for something that must happen.
const patience = 20 * time.Second

// brokerURL returns the URL of a broker for one test: a new in-process broker, or the
// package's real broker.
func brokerURL(t testing.TB) string {
	t.Helper()
	require.Equal(t, os.Getenv(rabbitmq.EnvVersion) != "", node != nil, rabbitmq.EnvVersion)
	if node != nil {
		return node.URL()
	}
	b := amqptest.NewBroker()
	t.Cleanup(func() { b.Close() })
	return b.URL()
}

// unique returns a name that only this test uses, because all tests share a real broker.
func unique(t testing.TB) string { return t.Name() + "." + uuid.NewString()[:8] }

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	return ctx
}

func dial(t testing.TB, url string, opts ...amqprpc.ClientOption) *amqprpc.Client {
	t.Helper()
	cli, err := amqprpc.Dial(testContext(t), url, append([]amqprpc.ClientOption{amqprpc.WithLogger(nil)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, cli.Close())
		require.Zero(t, cli.Stats().Pending, "questions left pending")
	})
	return cli
}

// serve starts a server. stop ends it, as the end of the test does.
func serve(t testing.TB, url string, register func(*amqprpc.Server), opts ...amqprpc.ServerOption) (srv *amqprpc.Server, stop func()) {
	t.Helper()
	srv = amqprpc.NewServer(url, append([]amqprpc.ServerOption{amqprpc.WithLogger(nil)}, opts...)...)
	register(srv)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-served)
	})
	t.Cleanup(stop)
	return srv, stop
}

// found waits until all servers can be found.
func found(t testing.TB, cli *amqprpc.Client, servers ...*amqprpc.Server) {
	t.Helper()
	for _, s := range servers {
		require.Eventually(t, func() bool {
			for range discovery.Instances(testContext(t), cli, discovery.OfInstance(s.Instance())) {
				return true
			}
			return false
		}, patience, 5*time.Millisecond, "the server cannot be found")
	}
}

func square(_ context.Context, n int) (int, error) { return n * n, nil }
