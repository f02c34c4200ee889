package breaker_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inVirtualTime runs a test with a broker, a server and a client in a bubble.
func inVirtualTime(t *testing.T, register func(*amqprpc.Server), f func(t *testing.T, cli *amqprpc.Client)) {
	synctest.Test(t, func(t *testing.T) {
		broker := amqptest.Start(t, amqptest.WithoutListener())
		srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil), amqprpc.WithDialer(broker.Dial))
		register(srv)
		ctx, cancel := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- srv.Serve(ctx) }()
		defer func() {
			cancel()
			require.NoError(t, <-served, "Serve")
		}()
		<-srv.Ready()
		cli, err := amqprpc.Dial(ctx, broker.URL(), amqprpc.WithLogger(nil), amqprpc.WithDialer(broker.Dial))
		require.NoError(t, err)
		defer cli.Close()
		f(t, cli)
	})
}
