package faultsuite

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// heartbeat is the heartbeat of the scenarios. It is the default of amqprpc.
const heartbeat = 5 * time.Second

// stage is a broker with one server and one client, in a synctest bubble.
type stage struct {
	t      *testing.T
	broker *amqptest.Broker
	wire   *wire // the client's
	client *amqprpc.Client

	started chan int // the attempt of each execution that has started
	release chan struct{}
	let     func() // lets executions end
	runs    atomic.Int64
}

const stageQueue = "stage"

// onStage runs a scene with a handler that waits until it is released.
func onStage(t *testing.T, handler []amqprpc.HandlerOption, client []amqprpc.ClientOption, scene func(*testing.T, *stage), broker ...amqptest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{
			t: t, broker: amqptest.Start(t, append(broker, amqptest.WithoutListener(), amqptest.WithHeartbeat(heartbeat))...),
			started: make(chan int, 1000), release: make(chan struct{}),
		}
		s.let = sync.OnceFunc(func() { close(s.release) })
		stop := s.serve("server", handler...)
		defer stop()
		defer s.let()
		s.wire = &wire{dial: s.broker.Dial}
		opts := append([]amqprpc.ClientOption{
			amqprpc.WithLogger(nil), amqprpc.WithDialer(s.wire.Dial), amqprpc.WithConnectionName("client"), amqprpc.WithTimeout(10 * time.Minute),
		}, client...)
		cli, err := amqprpc.Dial(t.Context(), s.broker.URL(), opts...)
		require.NoError(t, err)
		s.client = cli
		defer func() {
			assert.NoError(t, cli.Close())
			assert.Zero(t, cli.Stats().Pending)
		}()
		scene(t, s)
	})
}

// serve makes and starts a server. The result stops it.
func (s *stage) serve(name string, opts ...amqprpc.HandlerOption) func() {
	srv := amqprpc.NewServer(s.broker.URL(), amqprpc.WithLogger(nil), amqprpc.WithDialer(s.broker.Dial), amqprpc.WithConnectionName(name))
	amqprpc.Register(srv, stageQueue, func(ctx context.Context, n int) (int, error) {
		r, _ := amqprpc.RequestFromContext(ctx)
		s.runs.Add(1)
		s.started <- r.Attempt()
		select {
		case <-s.release:
			return n * n, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}, opts...)
	return s.start(srv)
}

// start starts a server. The result stops it.
func (s *stage) start(srv *amqprpc.Server) func() {
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	<-srv.Ready()
	return func() {
		cancel()
		if err := <-served; err != nil { // possible if the scene cut its connection, or let a drain run long
			assert.Regexp(s.t, "the connection was lost|the drain limit of", err.Error())
		}
	}
}

func (s *stage) call(opts ...amqprpc.CallOption) *amqprpc.Future[int] {
	return amqprpc.Go[int, int](context.Background(), s.client, stageQueue, 9, opts...)
}

// answered checks that a call succeeds.
func (s *stage) answered(f *amqprpc.Future[int]) {
	s.t.Helper()
	got, err := f.Await(context.Background())
	require.NoError(s.t, err)
	require.Equal(s.t, 81, got)
}

// fails checks that a call fails in time, with a code and an outcome.
func (s *stage) fails(f *amqprpc.Future[int], code amqprpc.Code, outcome amqprpc.Outcome, within time.Duration) {
	s.t.Helper()
	began := time.Now()
	_, err := f.Await(context.Background())
	require.ErrorIs(s.t, err, code)
	require.Equal(s.t, outcome, amqprpc.OutcomeOf(err), "%v", err)
	require.LessOrEqual(s.t, time.Since(began), within, "%v", err)
}

func (s *stage) tamper(f amqptest.Fate) {
	s.broker.Tamper(func(amqptest.Message) amqptest.Fate { return f })
}
