package amqprpc_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// Requests in a victim's name, whose clock is far ahead or behind, do not make a busy
// server refuse the victim's own.
func TestForgedClocks(t *testing.T) {
	t.Parallel()
	const timeout, handles = 10 * time.Second, 10 * time.Millisecond
	for name, ahead := range map[string]time.Duration{
		"ahead": timeout - 50*time.Millisecond, "behind": -timeout, "far ahead": 20 * 365 * 24 * time.Hour, "far behind": -20 * 365 * 24 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, queue := brokerURL(t), queueName(t)
			replyTo := make(chan string, 1)
			ids := make(chan string, 1)
			srv, _ := startServer(t, url, func(s *amqprpc.Server) {
				amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
					r, _ := amqprpc.RequestFromContext(ctx)
					if n == 0 {
						replyTo <- r.Delivery().ReplyTo
						ids <- r.Delivery().CorrelationId
						return 0, nil
					}
					pause := time.NewTimer(handles)
					defer pause.Stop()
					<-pause.C
					return n, nil
				}, amqprpc.WithConcurrency(2))
			})
			victim := dial(t, url)
			_, err := amqprpc.Call[int, int](testContext(t), victim, queue, 0)
			require.NoError(t, err)
			address, id := <-replyTo, <-ids
			forge := newPeer(t, url)
			forged := func(correlation string) {
				forge.send(queue, amqp.Publishing{
					ReplyTo: address, CorrelationId: correlation, Body: []byte("1"), Expiration: strconv.FormatInt(timeout.Milliseconds(), 10),
					Headers: amqp.Table{"rpc-deadline": time.Now().Add(timeout + ahead).UnixMilli()},
				})
			}
			var callers sync.WaitGroup
			for caller := range 6 {
				callers.Go(func() {
					for i := range 15 {
						if caller == 0 && i%3 == 0 {
							forged("")
							forged("forged")
							forged(id[:8] + "AAAAAAAA" + strconv.Itoa(i))
						}
						got, err := amqprpc.Call[int, int](context.Background(), victim, queue, 1, amqprpc.WithTimeout(timeout))
						assert.NoError(t, err)
						assert.Equal(t, 1, got)
					}
				})
			}
			callers.Wait()
			require.LessOrEqual(t, srv.Stats().Shed, int64(15), "forged ones at most")
			require.Zero(t, srv.Stats().Redelivered+srv.Stats().Reconnects)
		})
	}
}
