package messaging

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// A copy counts only where the broker has certainly taken it.
func TestRequeuer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broker := amqptest.Start(t, amqptest.WithoutListener())
		conn := connect(t, broker)
		ch, err := conn.Open(t.Context(), ignore{})
		require.NoError(t, err)
		_, err = ch.DeclareQueue(t.Context(), QueueDeclaration{Name: "q"})
		require.NoError(t, err)
		var r requeuer
		requeue := func(queue, body string) bool {
			return r.publish(t.Context(), conn, queue, []byte{0, 0}, []byte(body))
		}
		require.True(t, requeue("q", "1"))
		require.False(t, requeue("nowhere", "2"), "it was returned")
		require.True(t, requeue("q", "3"), "an earlier return says nothing of it")
		fate := func(f amqptest.Fate) (stop func()) {
			return broker.Tamper(func(amqptest.Message) amqptest.Fate { return f })
		}
		stop := fate(amqptest.Fate{Nack: true, Drop: true})
		require.False(t, requeue("q", "4"))
		stop()
		require.True(t, requeue("q", "5"))
		stop = fate(amqptest.Fate{Unconfirmed: true, Drop: true})
		start := time.Now()
		require.False(t, requeue("q", "6"))
		require.Equal(t, requeuePatience, time.Since(start))
		stop()
		stop = fate(amqptest.Fate{ConfirmDelay: time.Second})
		require.True(t, requeue("q", "7"), "on a channel of its own again")
		stop()
		require.Len(t, broker.Connections()[0].Info().Channels, 2)

		var wg sync.WaitGroup
		for n := range 20 { // of several workers at once
			wg.Go(func() {
				if !requeue("q", fmt.Sprint("more ", n)) {
					t.Error("not requeued")
				}
			})
		}
		wg.Wait()
		require.Len(t, broker.Messages("q"), 4+20)
		require.False(t, r.publish(canceled(), conn, "q", []byte{0, 0}, nil))
		conn.Abort()
		require.False(t, requeue("q", "8"))
		again := connect(t, broker)
		require.True(t, r.publish(t.Context(), again, "q", []byte{0, 0}, nil), "a later connection is a new start")
		again.Abort()
	})
}

// A request that is requeued is acknowledged, and comes again behind the others.
func TestDeliveryIsRequeued(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	s := serve(t, broker, "q")
	publish(t, connect(t, broker), "q", "1")
	r := next(t, s.requests)
	require.True(t, r.Requeue([]byte{0, 0}, []byte("again")))
	close(r.done)
	r = next(t, s.requests)
	require.Equal(t, "again", r.body)
	r.finish(Done{})
	eventually(t, "all is acknowledged", func() bool { q, _ := broker.Queue("q"); return q.Unacked == 0 && q.Ready == 0 })
}

func TestInspect(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t, amqptest.WithPermissions("guest", "^(q|m|probe).*", ".*", ".*"))
	c := newClient(t, broker, Resumable)
	next(t, c.up)
	for range 3 { // a missing queue costs the inspector its channel each time
		i := c.Inspect(t.Context(), "q-missing")
		require.True(t, i.Gone())
		require.False(t, i.Hidden())
		require.Empty(t, i.String())
	}
	conn := connect(t, broker)
	ch, err := conn.Open(t.Context(), ignore{})
	require.NoError(t, err)
	_, err = ch.DeclareQueue(t.Context(), QueueDeclaration{Name: "q", Durable: true})
	require.NoError(t, err)
	_, err = ch.DeclareQueue(t.Context(), QueueDeclaration{Name: "q-mine", Exclusive: true})
	require.NoError(t, err)
	publish(t, conn, "q", "1", "2")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if i := c.Inspect(t.Context(), "q"); i.Messages != 2 || i.Consumers != 0 || i.Err != nil {
				t.Errorf("%+v", i)
			}
		})
	}
	wg.Wait()
	i := c.Inspect(t.Context(), "q")
	require.Equal(t, "; the queue has 0 consumers and 2 messages waiting", i.String())
	i = c.Inspect(t.Context(), "q-mine")
	require.True(t, i.Hidden())
	i = c.Inspect(canceled(), "q")
	require.Error(t, i.Err)
	require.False(t, i.Gone() || i.Hidden())
	c.stop()
	i = c.Inspect(t.Context(), "q")
	require.ErrorIs(t, i.Err, errNotConnected)
	require.Empty(t, (*Inspection)(nil).String())
}

// Whoever waits for a turn heeds the end of its subscription.
func TestRequeuerInLine(t *testing.T) {
	t.Parallel()
	var r requeuer
	require.True(t, r.take(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	refused := make(chan bool)
	go func() { refused <- r.publish(ctx, nil, "q", nil, nil) }()
	cancel()
	require.False(t, <-refused)
}
