package messaging

import (
	"context"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/transport"
)

func newDialer(t *testing.T, broker *amqptest.Broker) *Dialer {
	t.Helper()
	d, err := NewDialer(Config{
		URLs: []string{broker.URL()}, Name: "test", Heartbeat: 10 * time.Second, Timeout: SetupTimeout,
		Dial: func(network, addr string) (net.Conn, error) { return broker.Dial(network, addr) },
	})
	require.NoError(t, err)
	return d
}

func connect(t *testing.T, broker *amqptest.Broker) *Conn {
	t.Helper()
	c, err := newDialer(t, broker).Dial(t.Context(), transport.Watcher{})
	require.NoError(t, err)
	t.Cleanup(c.Abort)
	return c
}

func newSession(t *testing.T, broker *amqptest.Broker) *Session {
	return &Session{
		Dialer: newDialer(t, broker), Probe: "probe",
		Fatal:   func() bool { return false },
		Up:      func(bool) {},
		Down:    func(error, bool, time.Duration) {},
		Blocked: func(bool, string) {},
	}
}

// run runs f until the test or the returned function stops it. stop returns once f has.
func run(t *testing.T, f func(ctx context.Context)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); f(ctx) }()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return stop
}

// publish publishes messages on a channel of their own, and waits until they are
// queued.
func publish(t *testing.T, conn *Conn, queue string, bodies ...string) {
	t.Helper()
	confirmed := make(confirmReceiver, 1000)
	ch, err := conn.Open(t.Context(), confirmed)
	require.NoError(t, err)
	require.NoError(t, ch.Confirm(t.Context()))
	var frames []byte
	for _, body := range bodies {
		frames = ch.AppendPublish(frames, &Publishing{Key: queue, Properties: []byte{0, 0}, Body: []byte(body)})
	}
	require.NoError(t, ch.Write(frames))
	for last := uint64(0); last < uint64(len(bodies)); {
		c := next(t, confirmed)
		require.True(t, c.ack)
		last = max(last, c.tag)
	}
}

// confirmReceiver receives confirms.
type confirmReceiver chan confirm

func (confirmReceiver) Deliver(*Message)                         {}
func (confirmReceiver) Returned(*Message)                        {}
func (confirmReceiver) Closed(*transport.Exception)              {}
func (confirmReceiver) Cancelled(string)                         {}
func (c confirmReceiver) Confirmed(tag uint64, _ bool, ack bool) { c <- confirm{tag, ack} }

// request is Work that hands itself over.
type request struct {
	Delivery
	body string
	to   chan *request
	done chan struct{} // closed to let Handle return
}

func (r *request) Handle() { r.to <- r; <-r.done }

// finish finishes a request with a reply, and its handler with it.
func (r *request) finish(done Done) {
	r.Finish(done)
	close(r.done)
}

// served is a server of one queue, whose requests the test handles.
type served struct {
	*Server
	consumer *Consumer
	requests chan *request
	ready    chan struct{} // receives when the queue is consumed
	handled  atomic.Int64
	stop     func()
	unserved chan error
}

func serve(t *testing.T, broker *amqptest.Broker, queue string) *served {
	t.Helper()
	s := &served{requests: make(chan *request, 100), ready: make(chan struct{}, 100), unserved: make(chan error, 100)}
	w := &ReplyWriter{MaxBody: bodies(1 << 20), Handled: &s.handled, Returned: func(int) {}, InHand: func() bool { return true }}
	base, cancel := context.WithCancel(context.Background())
	s.consumer = &Consumer{
		Queue: queue, Prefetch: 10, Concurrency: 10, Replies: w, Base: base,
		Declare: func(ctx context.Context, ch *Channel) error {
			_, err := ch.DeclareQueue(ctx, QueueDeclaration{Name: queue, Durable: true})
			return err
		},
		Accept: func(m *Message, _ *protocol.Interner) Work {
			if string(m.Body) == "reject" {
				return nil
			}
			return &request{body: string(m.Body), to: s.requests, done: make(chan struct{})}
		},
		Served:   func() { s.ready <- struct{}{} },
		Unserved: func(err error, _ bool, _ time.Duration) { s.unserved <- err },
		Fatal:    func() bool { return false },
	}
	s.consumer.Init()
	w.Start()
	s.Server = &Server{Consumers: []*Consumer{s.consumer}, Replies: w, Base: base, DrainTimeout: patience, Draining: func() {}, Farewell: func(context.Context) {}}
	session := newSession(t, broker)
	stop := run(t, func(ctx context.Context) {
		session.Run(ctx, func(work context.Context, conn *Conn, up func()) error { return s.Use(work, ctx, conn, up) })
		cancel()
		s.Stop(patience)
	})
	s.stop = stop
	next(t, s.ready)
	return s
}

// replies consumes a queue of the test's own, and returns the bodies that come.
func replies(t *testing.T, conn *Conn, queue string) <-chan string {
	t.Helper()
	got := make(bodyReceiver, 100)
	ch, err := conn.Open(t.Context(), got)
	require.NoError(t, err)
	_, err = ch.DeclareQueue(t.Context(), QueueDeclaration{Name: queue})
	require.NoError(t, err)
	require.NoError(t, ch.Consume(t.Context(), queue, "test", true, 0))
	return got
}

// bodyReceiver receives the bodies of deliveries.
type bodyReceiver chan string

func (b bodyReceiver) Deliver(m *Message)         { b <- string(m.Body) }
func (bodyReceiver) Returned(*Message)            {}
func (bodyReceiver) Cancelled(string)             {}
func (bodyReceiver) Closed(*transport.Exception)  {}
func (bodyReceiver) Confirmed(uint64, bool, bool) {}

var silent = slog.New(slog.DiscardHandler)

// bodies is a limit of bodies.
func bodies(n int) *atomic.Int64 {
	limit := new(atomic.Int64)
	limit.Store(int64(n))
	return limit
}
