package amqprpc_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq"
)

// node is the real broker that AMQPRPC_RABBITMQ selects, or nil for the in-process broker.
var node *rabbitmq.Node

func TestMain(m *testing.M) {
	flag.Parse()
	// On a node, tests wait more than they compute.
	if f := flag.Lookup("test.parallel"); os.Getenv(rabbitmq.EnvVersion) != "" && f.Value.String() == fmt.Sprint(runtime.GOMAXPROCS(0)) {
		_ = f.Value.Set("4")
	}
	goleak.VerifyTestMain(rabbitmq.Main(m, func(n *rabbitmq.Node) { node = n }))
}

// patience limits each wait for something that must happen.
const patience = 20 * time.Second

// testContext ends when the test ends or after patience.
func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	return ctx
}

// queueName returns a queue name that only this test uses, because all tests share a real
// broker.
func queueName(t testing.TB) string {
	return strings.NewReplacer("/", ".", " ", "_").Replace(t.Name()) + "." + uuid.NewString()[:8]
}

// testLog is a log that a test can read.
type testLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *testLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *testLog) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// startServer serves until the test ends, then asserts a clean drain.
func startServer(t testing.TB, url string, register func(*amqprpc.Server), opts ...amqprpc.ServerOption) (*amqprpc.Server, func()) {
	t.Helper()
	srv, stop := serve(t, url, register, opts...)
	var once sync.Once
	clean := func() { once.Do(func() { require.NoError(t, stop(), "Serve") }) }
	t.Cleanup(clean)
	return srv, clean
}

// serve starts a server. stop ends the server and returns Serve's error.
func serve(t testing.TB, url string, register func(*amqprpc.Server), opts ...amqprpc.ServerOption) (*amqprpc.Server, func() error) {
	t.Helper()
	opts = append([]amqprpc.ServerOption{amqprpc.WithLogger(nil)}, opts...)
	srv := amqprpc.NewServer(url, opts...)
	register(srv)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	stop := sync.OnceValue(func() error {
		cancel()
		return <-served
	})
	t.Cleanup(func() { stop() })
	select {
	case <-srv.Ready():
	case err := <-served:
		served <- err
		require.NoError(t, err, "Serve ended before it was ready")
	case <-time.After(patience):
		require.FailNow(t, "the server is not ready")
	}
	return srv, stop
}

// dial connects a client. No call of the client may be pending when the test ends.
func dial(t testing.TB, url string, opts ...amqprpc.ClientOption) *amqprpc.Client {
	t.Helper()
	opts = append([]amqprpc.ClientOption{amqprpc.WithLogger(nil)}, opts...)
	cli, err := amqprpc.Dial(testContext(t), url, opts...)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, cli.Close())
		require.Zero(t, cli.Stats().Pending, "calls left pending")
	})
	return cli
}

// observedConn counts the bytes written to a connection. The test may also write to it.
type observedConn struct {
	net.Conn
	mu     sync.Mutex
	writes atomic.Int64
}

func (c *observedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.writes.Add(1)
	return c.Conn.Write(p)
}

// observed returns an option for such connections, and a pointer to the newest one.
func observed() (*atomic.Pointer[observedConn], amqprpc.ConnOption) {
	conn := new(atomic.Pointer[observedConn])
	return conn, amqprpc.WithDialer(func(network, addr string) (net.Conn, error) {
		c, err := net.Dial(network, addr)
		if err != nil {
			return nil, err
		}
		conn.Store(&observedConn{Conn: c})
		return conn.Load(), nil
	})
}

// peer is a plain AMQP client that acts as a foreign caller or a foreign server.
type peer struct {
	t       *testing.T
	conn    *amqp.Connection
	ch      *amqp.Channel
	replyTo string
	replies <-chan amqp.Delivery
}

func newPeer(t *testing.T, url string) *peer {
	t.Helper()
	conn, err := amqp.Dial(url)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	p := &peer{t: t, conn: conn}
	p.ch, err = conn.Channel()
	require.NoError(t, err)
	p.replyTo, p.replies = p.own("")
	return p
}

// own declares an exclusive queue and consumes it. If name is empty, the broker chooses the
// name.
func (p *peer) own(name string) (string, <-chan amqp.Delivery) {
	p.t.Helper()
	q, err := p.ch.QueueDeclare(name, false, true, true, false, nil)
	require.NoError(p.t, err)
	deliveries, err := p.ch.Consume(q.Name, "", true, true, false, false, nil)
	require.NoError(p.t, err)
	return q.Name, deliveries
}

// send publishes a request unchanged. It only sets an empty reply_to.
func (p *peer) send(queue string, m amqp.Publishing) {
	p.t.Helper()
	if m.ReplyTo == "" {
		m.ReplyTo = p.replyTo
	}
	require.NoError(p.t, p.ch.Publish("", queue, true, false, m))
}

func (p *peer) reply() amqp.Delivery {
	p.t.Helper()
	select {
	case d, ok := <-p.replies:
		require.True(p.t, ok, "the peer's connection was lost")
		return d
	case <-time.After(patience):
		require.FailNow(p.t, "no reply")
		panic("unreachable")
	}
}

func (p *peer) ask(queue string, m amqp.Publishing) amqp.Delivery {
	p.t.Helper()
	p.send(queue, m)
	return p.reply()
}

func square(_ context.Context, n int) (int, error) { return n * n, nil }

// counting is a handler that counts its runs for each request.
type counting struct {
	mu   sync.Mutex
	runs map[string]int
}

func (c *counting) ran(id string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.runs == nil {
		c.runs = make(map[string]int)
	}
	c.runs[id]++
	return c.runs[id]
}

func (c *counting) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, r := range c.runs {
		n += r
	}
	return n
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, patience, 2*time.Millisecond, what)
}
