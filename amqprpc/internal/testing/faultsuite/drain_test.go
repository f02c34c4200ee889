package faultsuite

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// A server answers its requests while the broker takes nothing, and drains. Serve says
// how many answers are lost.
func TestDrainUnderMemoryAlarm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := amqptest.Start(t, amqptest.WithoutListener())
		drainUnderAlarm(t, b.URL(), "alarm", b.Dial, func() { b.BlockPublishers("") }, b.UnblockPublishers)
	})
}

func testDrainUnderMemoryAlarm(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	drainUnderAlarm(t, node.URL(), "drain.under.alarm", nil,
		func() { require.NoError(t, node.SetMemoryAlarm(ctx, true)) },
		func() { require.NoError(t, node.SetMemoryAlarm(ctx, false)) })
}

func drainUnderAlarm(t *testing.T, url, queue string, dial func(network, addr string) (net.Conn, error), alarm, calm func()) {
	t.Helper()
	started, release := make(chan struct{}, 10), make(chan struct{})
	srv := amqprpc.NewServer(url, amqprpc.WithLogger(nil), amqprpc.WithDialer(dial), amqprpc.WithDrainTimeout(2*time.Second))
	amqprpc.Register(srv, queue, func(_ context.Context, n int) (int, error) {
		started <- struct{}{}
		<-release
		return n, nil
	})
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	<-srv.Ready()
	cli, err := amqprpc.Dial(ctx, url, amqprpc.WithLogger(nil), amqprpc.WithDialer(dial))
	require.NoError(t, err)
	var futures []*amqprpc.Future[int]
	for i := range 3 {
		futures = append(futures, amqprpc.Go[int, int](ctx, cli, queue, i))
		<-started
	}
	alarm()
	close(release)
	require.Eventually(t, func() bool { return srv.Stats().Handled == 3 }, patience, time.Millisecond)
	began := time.Now()
	stop()
	require.ErrorContains(t, <-served, "up to 3 answers may be lost")
	require.LessOrEqual(t, time.Since(began), 7*time.Second)
	calm()
	// They are delivered again.
	again := amqprpc.NewServer(url, amqprpc.WithLogger(nil), amqprpc.WithDialer(dial))
	amqprpc.Register(again, queue, func(_ context.Context, n int) (int, error) { return n, nil })
	ctx, stop = context.WithCancel(context.Background())
	go func() { served <- again.Serve(ctx) }()
	for i, f := range futures {
		got, err := f.Await(context.Background())
		if err == nil {
			require.Equal(t, i, got)
		}
	}
	require.NoError(t, cli.Close())
	stop()
	require.NoError(t, <-served)
}
