package amqprpc_test

import (
	"context"
	"regexp"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// killer is a server that takes a request and dies, repeatedly.
func killer(t *testing.T, url, queue string) {
	t.Helper()
	conn, err := amqp.Dial(url)
	require.NoError(t, err)
	defer conn.Close()
	ch, err := conn.Channel()
	require.NoError(t, err)
	require.NoError(t, ch.Qos(1, 0, false))
	deliveries, err := ch.Consume(queue, "", false, false, false, false, nil)
	require.NoError(t, err)
	select {
	case <-deliveries:
	case <-time.After(patience):
		require.FailNow(t, "nothing was delivered")
	}
}

// A request is refused after three deliveries without an answer. On a quorum queue the broker
// counts the deliveries, on other queues the servers count.
func TestPoison(t *testing.T) {
	t.Parallel()
	url := brokerURL(t)
	for name, q := range map[string]amqprpc.Queue{
		"classic": {DeadLetterRoutingKey: "set"}, "quorum": {Type: "quorum", DeadLetterRoutingKey: "set"}, "no dead letters": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			queue := queueName(t)
			dead := queue + ".dead"
			if q.DeadLetterRoutingKey != "" {
				q.DeadLetterRoutingKey = dead
			}
			p := newPeer(t, url)
			_, err := p.ch.QueueDeclare(dead, false, true, false, false, nil)
			require.NoError(t, err)
			deadLetters, err := p.ch.Consume(dead, "", true, false, false, false, nil)
			require.NoError(t, err)
			cli := dial(t, url)

			// Each server takes the request and requeues it after its drain limit. The broker
			// counts this like a death of the server. The drain limit leaves time to ack the
			// counted request.
			var runs counting
			var f *amqprpc.Future[int]
			for i := range 3 {
				started := make(chan struct{})
				var once sync.Once
				_, stop := serve(t, url, func(s *amqprpc.Server) {
					amqprpc.Register(s, queue, func(ctx context.Context, _ int) (int, error) {
						r, _ := amqprpc.RequestFromContext(ctx)
						runs.ran(r.ID())
						require.Equal(t, i > 0, r.Redelivered())
						once.Do(func() { close(started) })
						<-ctx.Done()
						return 0, ctx.Err()
					}, amqprpc.WithQueue(q))
				}, amqprpc.WithDrainTimeout(200*time.Millisecond))
				if i == 0 {
					f = amqprpc.Go[int, int](testContext(t), cli, queue, 1)
				}
				<-started
				require.ErrorContains(t, stop(), "handed back")
			}
			srv, _ := startServer(t, url, func(s *amqprpc.Server) {
				amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
					r, _ := amqprpc.RequestFromContext(ctx)
					runs.ran(r.ID())
					return n * n, nil
				}, amqprpc.WithQueue(q))
			})
			_, err = f.Await(testContext(t))
			require.ErrorIs(t, err, amqprpc.CodeAborted)
			require.ErrorContains(t, err, "3 times")
			require.Equal(t, amqprpc.OutcomeUnknown, amqprpc.OutcomeOf(err))
			require.Equal(t, 3, runs.total())
			require.EqualValues(t, 1, srv.Stats().Poisoned)
			if q.DeadLetterRoutingKey != "" {
				select {
				case d := <-deadLetters:
					require.Equal(t, "1", string(d.Body))
				case <-time.After(patience):
					require.FailNow(t, "no dead letter")
				}
			}
			got, err := amqprpc.Call[int, int](testContext(t), cli, queue, 2)
			require.NoError(t, err)
			require.Equal(t, 4, got)
			_, err = p.ch.QueueDelete(queue, false, false, false)
			require.NoError(t, err)
		})
	}
}

// A caller can set the delivery counts of its own requests, but that harms only the caller.
func TestDeliveryCountsOfCallersAreNotTrusted(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) })
	p := newPeer(t, url)
	for _, v := range []any{int32(-1000), "many", int64(0), 1.5} {
		_, err := p.ch.QueueDeclare(queue+".k", true, false, false, false, nil)
		require.NoError(t, err)
		m := amqp.Publishing{Body: []byte("3"), Headers: amqp.Table{"rpc-deliveries": v, "x-delivery-count": int64(99), "CC": []any{p.replyTo}}}
		if _, ok := v.(int32); !ok {
			delete(m.Headers, "CC")
		}
		delete(m.Headers, "CC")
		require.Equal(t, "9", string(p.ask(queue, m).Body), "%v", v)
		_, err = p.ch.QueueDelete(queue+".k", false, false, false)
		require.NoError(t, err)
	}
	// A requeued request is not copied to the queues in CC a second time.
	copies, err := p.ch.QueueDeclare("", false, true, true, false, nil)
	require.NoError(t, err)
	again := queue + ".again"
	_, err = p.ch.QueueDeclare(again, true, false, false, false, nil)
	require.NoError(t, err)
	p.send(again, amqp.Publishing{Body: []byte("3"), Headers: amqp.Table{"CC": []any{copies.Name}}})
	killer(t, url, again)
	startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, again, square) })
	require.Equal(t, "9", string(p.reply().Body))
	got, err := p.ch.QueueDeclarePassive(copies.Name, false, true, true, false, nil)
	require.NoError(t, err)
	require.Equal(t, 1, got.Messages, "the broker's own copy, when it was sent, and no other")
}

// A counted request must go back to its queue. It is not lost if a policy makes the queue
// refuse it. The in-process broker has no policies.
func TestSendBackToAFullQueue(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	if node == nil {
		t.Skip("only RabbitMQ has policies")
	}
	_, err := node.Ctl(testContext(t), "set_policy", queue, "^"+regexp.QuoteMeta(queue)+"$", `{"max-length":1,"overflow":"reject-publish"}`, "--apply-to", "queues")
	require.NoError(t, err)
	p := newPeer(t, url)
	_, err = p.ch.QueueDeclare(queue, true, false, false, false, nil)
	require.NoError(t, err)
	dying := newPeer(t, url)
	require.NoError(t, dying.ch.Qos(1, 0, false))
	taken, err := dying.ch.Consume(queue, "", false, false, false, false, nil)
	require.NoError(t, err)
	p.send(queue, amqp.Publishing{Body: []byte("3"), CorrelationId: "first"})
	<-taken
	cli := dial(t, url)
	eventually(t, "the queue is full", func() bool {
		err := amqprpc.Notify(testContext(t), cli, queue, 1)
		return err != nil && cli.Stats().Nacked > 0
	})
	dying.conn.Close()
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, square, amqprpc.WithConcurrency(1), amqprpc.WithPrefetch(1))
	})
	d := p.reply()
	require.Equal(t, "9", string(d.Body))
	require.Equal(t, "first", d.CorrelationId)
	_, err = p.ch.QueueDelete(queue, false, false, false)
	require.NoError(t, err)
}
