package amqprpc_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// stateLog records the calls of a state callback.
type stateLog struct{ testLog }

func (l *stateLog) option() amqprpc.ConnOption {
	return amqprpc.WithStateCallback(func(s amqprpc.State) { l.Write([]byte(s.String() + ";")) })
}

// At each change of a queue, Status, the state callback and the log report the same.
func TestServerStatus(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	var log testLog
	var states stateLog
	ctx, stop := context.WithCancel(testContext(t))
	defer stop()
	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(log.logger()), amqprpc.WithConnectionName("shop"), states.option())
	require.ErrorContains(t, srv.Status().Err(), "Serve has not been called")
	release := make(chan struct{})
	started := make(chan struct{}, 1)
	amqprpc.Register(srv, "orders", func(context.Context, int) (int, error) { started <- struct{}{}; <-release; return 1, nil })
	amqprpc.Register(srv, "prices", square)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	<-srv.Ready()
	eventually(t, "healthy", func() bool { return srv.Status().Err() == nil })
	status := srv.Status()
	require.Equal(t, broker.Addr(), status.Connection.Broker)
	require.True(t, status.Connection.Connected)
	require.WithinDuration(t, time.Now(), status.Connection.Since, patience)
	require.Len(t, status.Queues, 2)
	require.Equal(t, "prices", status.Queues[1].Name)
	eventually(t, "states", func() bool { return states.String() == "connected;serving;" })

	// Another user deletes the queue and declares it with other arguments before the server
	// can.
	p := newPeer(t, broker.URL())
	_, err := p.ch.QueueDelete("prices", false, false, false)
	require.NoError(t, err)
	_, err = p.ch.QueueDeclare("prices", false, false, false, false, nil)
	require.NoError(t, err)
	eventually(t, "conflict", func() bool {
		q := srv.Status().Queues[1]
		return !q.Served && strings.Contains(q.Error, "it exists with other properties") && q.NextTry.After(q.Since)
	})
	require.True(t, srv.Status().Queues[0].Served)
	require.ErrorContains(t, srv.Status().Err(), "queue prices is not served: ")
	require.Contains(t, log.String(), `msg="amqprpc: queue is not served any more" connection=shop queue=prices`)
	require.Contains(t, log.String(), `msg="amqprpc: queue is not served" connection=shop queue=prices`)
	_, err = p.ch.QueueDelete("prices", false, false, false)
	require.NoError(t, err)
	eventually(t, "repaired", func() bool { return srv.Status().Err() == nil })
	require.Equal(t, 2, strings.Count(log.String(), `msg="amqprpc: queue is served" connection=shop queue=prices`))
	require.True(t, strings.HasPrefix(states.String(), "connected;serving;not serving;"), states.String())
	eventually(t, "states", func() bool { return strings.HasSuffix(states.String(), "not serving;serving;") })

	// The broker is gone for a while.
	broker.RefuseConnections()
	broker.CutConnections()
	eventually(t, "disconnected", func() bool { return !srv.Status().Connection.Connected && !srv.Status().Connection.NextTry.IsZero() })
	status = srv.Status()
	require.ErrorContains(t, status.Err(), "not connected: ")
	require.False(t, status.Queues[0].Served)
	require.NoError(t, broker.AcceptConnections())
	eventually(t, "connected again", func() bool { return srv.Status().Err() == nil })

	// The server drains while a handler runs.
	f := amqprpc.Go[int, int](testContext(t), dial(t, broker.URL()), "orders", 1)
	<-started
	require.EqualValues(t, 1, srv.Stats().Pending)
	stop()
	eventually(t, "drains", func() bool { return srv.Status().Draining })
	require.ErrorContains(t, srv.Status().Err(), "the server drains")
	close(release)
	_, err = f.Await(testContext(t))
	require.NoError(t, err)
	require.NoError(t, <-served)
	require.ErrorContains(t, srv.Status().Err(), "Serve has returned")
	require.Contains(t, log.String(), `msg="amqprpc: server has drained" connection=shop handled=1`)
	require.True(t, strings.HasSuffix(states.String(), "connected;serving;draining;"), states.String())
}

func TestClientStatus(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	var log testLog
	cli, err := amqprpc.NewClient(broker.URL(), amqprpc.WithLogger(log.logger()), amqprpc.WithConnectionName("web"))
	require.NoError(t, err)
	eventually(t, "connected", func() bool { return cli.Status().Err() == nil })
	status := cli.Status()
	require.True(t, strings.HasPrefix(status.ReplyQueue.Name, "amqprpc.reply."), status.ReplyQueue.Name)
	text, err := json.Marshal(status)
	require.NoError(t, err)
	require.Contains(t, string(text), `"connection":{"connected":true,"broker":"`+broker.Addr()+`","since":"`)
	require.NotContains(t, string(text), "next_try")

	broker.BlockPublishers("low on disk")
	_, err = amqprpc.Call[int, int](testContext(t), cli, "nobody", 1, amqprpc.WithTimeout(100*time.Millisecond))
	require.Error(t, err)
	eventually(t, "blocked", func() bool { return cli.Status().Connection.Blocked })
	require.ErrorContains(t, cli.Status().Err(), "low on disk")
	broker.UnblockPublishers()
	eventually(t, "unblocked", func() bool { return cli.Status().Err() == nil })

	p := newPeer(t, broker.URL())
	_, err = p.ch.QueueDelete(status.ReplyQueue.Name, false, false, false)
	require.NoError(t, err)
	eventually(t, "another reply queue", func() bool {
		s := cli.Status()
		return s.Err() == nil && s.ReplyQueue.Name != status.ReplyQueue.Name
	})
	require.Contains(t, log.String(), `msg="amqprpc: not connected any more" connection=web error="the broker cancelled the consumer of the reply queue: the queue is gone"`)
	require.Contains(t, log.String(), `reply_queue=`+cli.Status().ReplyQueue.Name)
	require.NoError(t, cli.Close())
	require.ErrorContains(t, cli.Status().Err(), "the client is closed")
}

// A client made before the broker starts connects when the broker has started.
func TestNewClientNeverWaits(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	broker.RefuseConnections()
	start := time.Now()
	cli, err := amqprpc.NewClient(broker.URL(), amqprpc.WithLogger(nil))
	require.NoError(t, err)
	defer cli.Close()
	require.Less(t, time.Since(start), time.Second)
	eventually(t, "not connected", func() bool { return strings.Contains(cli.Status().Connection.Error, "connection refused") })
	_, err = amqprpc.Call[int, int](testContext(t), cli, "q", 3, amqprpc.WithFailFast())
	require.ErrorIs(t, err, amqprpc.CodeUnavailable)
	waiting := amqprpc.Go[int, int](testContext(t), cli, "nobody", 3)
	require.NoError(t, broker.AcceptConnections())
	_, err = waiting.Await(testContext(t))
	require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err), "%v", err)

	// NewClient keeps retrying after errors that Dial returns at once.
	wrong, err := amqprpc.NewClient(strings.Replace(broker.URL(), "guest:guest", "guest:secret99", 1), amqprpc.WithLogger(nil))
	require.NoError(t, err)
	defer wrong.Close()
	eventually(t, "refused", func() bool { return strings.Contains(wrong.Status().Connection.Error, "refused the user or password") })
	require.False(t, wrong.Status().Connection.NextTry.IsZero())

	_, err = amqprpc.NewClient("amqp//localhost")
	require.ErrorIs(t, err, amqprpc.CodeInvalidArgument)
}

// Dial's error shows whether the caller's ctx ended or Dial's own limit.
func TestDialWithoutABroker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refused := amqprpc.WithDialer(func(string, string) (net.Conn, error) { return nil, errors.New("nobody listens") })
		start := time.Now()
		_, err := amqprpc.Dial(context.Background(), "amqp://broker/", amqprpc.WithLogger(nil), refused)
		require.Equal(t, amqprpc.CodeUnavailable, amqprpc.CodeOf(err), "%v", err)
		require.ErrorContains(t, err, "nobody listens")
		require.Equal(t, 30*time.Second, time.Since(start))

		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, err = amqprpc.Dial(ctx, "amqp://broker/", amqprpc.WithLogger(nil), refused)
		require.Equal(t, amqprpc.CodeDeadlineExceeded, amqprpc.CodeOf(err), "%v", err)
		require.ErrorContains(t, err, "nobody listens")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		cancel()
		_, err = amqprpc.Dial(ctx, "amqp://broker/", amqprpc.WithLogger(nil), refused)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		enough, giveUp := context.WithCancelCause(context.Background())
		giveUp(amqprpc.Errorf(amqprpc.CodeAborted, "enough"))
		_, err = amqprpc.Dial(enough, "amqp://broker/", amqprpc.WithLogger(nil), refused)
		require.Equal(t, amqprpc.CodeAborted, amqprpc.CodeOf(err), "%v", err)
		require.ErrorContains(t, err, "enough")

		ctx, cancel = context.WithCancel(context.Background())
		cancel()
		_, err = amqprpc.Dial(ctx, "amqp://broker/", amqprpc.WithLogger(nil), refused)
		require.Equal(t, amqprpc.CodeCanceled, amqprpc.CodeOf(err), "%v", err)
	})
}

// The broker's lists show the process of a connection.
func TestClientProperties(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	cli, err := amqprpc.NewClient("amqp://guest:guest@"+l.Addr().String()+"/", amqprpc.WithLogger(nil))
	require.NoError(t, err)
	defer cli.Close()
	conn, err := l.Accept()
	require.NoError(t, err)
	defer conn.Close()
	read := func(n int) string {
		b := make([]byte, n)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
		got, err := conn.Read(b)
		require.NoError(t, err)
		return string(b[:got])
	}
	require.Equal(t, "AMQP\x00\x00\x09\x01", read(8))
	// connection.start, section 1.4.2.1 of the AMQP 0-9-1 specification
	start := "\x00\x0a\x00\x0a\x00\x09\x00\x00\x00\x00\x00\x00\x00\x05PLAIN\x00\x00\x00\x05en_US"
	_, err = conn.Write([]byte("\x01\x00\x00\x00\x00\x00" + string(rune(len(start))) + start + "\xce"))
	require.NoError(t, err)
	startOK := read(4096)
	for _, property := range []string{"connection_name", "product", "version", "(devel)", "host", "pid"} {
		require.Contains(t, startOK, property)
	}
}
