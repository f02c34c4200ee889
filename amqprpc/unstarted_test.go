package amqprpc_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// Requests that wait in servers while channels are lost have killed nobody, however
// often they were delivered.
func TestWhatNeverStartedIsNotCounted(t *testing.T) {
	t.Parallel()
	const calls = 30
	for _, kind := range []string{"classic", "quorum"} {
		for name, c := range map[string]struct {
			servers int
			timeout time.Duration // the broker's consumer_timeout
			cuts    int           // of the first server's connection
			work    time.Duration
		}{
			"consumer timeout":                {1, 2 * time.Second, 0, 500 * time.Millisecond},
			"consumer timeout of two servers": {2, 2 * time.Second, 0, 500 * time.Millisecond},
			"connections":                     {1, time.Hour, 8, 4 * time.Second},
		} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					b := amqptest.Start(t, amqptest.WithoutListener(), amqptest.WithConsumerTimeout(c.timeout))
					dialer := amqprpc.WithDialer(b.Dial)
					ctx, stop := context.WithCancel(t.Context())
					served := make(chan error, c.servers)
					for i := range c.servers {
						srv := amqprpc.NewServer(b.URL(), amqprpc.WithLogger(nil), dialer, amqprpc.WithConnectionName(fmt.Sprint("server", i)))
						amqprpc.Register(srv, "q", func(ctx context.Context, n int) (int, error) {
							select {
							case <-time.After(c.work):
								return n, nil
							case <-ctx.Done():
								return 0, ctx.Err()
							}
						}, amqprpc.WithConcurrency(1), amqprpc.WithPrefetch(2*calls), amqprpc.WithQueue(amqprpc.Queue{Type: kind}))
						go func() { served <- srv.Serve(ctx) }()
						<-srv.Ready()
					}
					cli, err := amqprpc.Dial(t.Context(), b.URL(), amqprpc.WithLogger(nil), dialer, amqprpc.WithTimeout(time.Hour))
					require.NoError(t, err)
					var futures []*amqprpc.Future[int]
					for i := range calls {
						futures = append(futures, amqprpc.Go[int, int](t.Context(), cli, "q", i))
					}
					for range c.cuts {
						time.Sleep(15 * time.Second)
						if conn := b.Connection("server0"); conn != nil {
							conn.Cut()
						}
					}
					for i, f := range futures {
						got, err := f.Await(t.Context())
						assert.NoError(t, err, "call %d", i)
						if err == nil {
							assert.Equal(t, i, got)
						}
					}
					require.NoError(t, cli.Close())
					stop()
					for range c.servers {
						require.NoError(t, <-served)
					}
				})
			})
		}
	}
}
