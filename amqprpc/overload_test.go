package amqprpc_test

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// clockedCaller calls a queue with its own clock and counts the results.
type clockedCaller struct {
	queue    string
	ahead    time.Duration // of the server's clock
	deadline time.Duration

	ch      *amqp.Channel
	replyTo string
	calls   atomic.Int64
	sent    sync.Map // correlation id → time.Time
	inTime  atomic.Int64
	late    atomic.Int64
	refused atomic.Int64
}

func newClockedCaller(t *testing.T, b *amqptest.Broker, queue string, ahead, deadline time.Duration) *clockedCaller {
	t.Helper()
	conn, err := amqp.DialConfig(b.URL(), amqp.Config{Dial: b.Dial})
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	c := &clockedCaller{queue: queue, ahead: ahead, deadline: deadline}
	c.ch, err = conn.Channel()
	require.NoError(t, err)
	q, err := c.ch.QueueDeclare("", false, true, true, false, nil)
	require.NoError(t, err)
	c.replyTo = q.Name
	replies, err := c.ch.Consume(q.Name, "", true, true, false, false, nil)
	require.NoError(t, err)
	go func() {
		for d := range replies {
			sent, _ := c.sent.LoadAndDelete(d.CorrelationId)
			switch {
			case d.Headers["rpc-code"] == string(amqprpc.CodeResourceExhausted):
				c.refused.Add(1)
			case d.Headers["rpc-code"] == nil && time.Since(sent.(time.Time)) <= c.deadline:
				c.inTime.Add(1)
			default:
				c.late.Add(1)
			}
		}
	}()
	return c
}

// offer makes calls at a given rate for a given time.
func (c *clockedCaller) offer(t *testing.T, rate float64, length time.Duration) {
	begin := time.Now()
	for at := begin; at.Sub(begin) < length; at = at.Add(time.Duration(rand.ExpFloat64() / rate * float64(time.Second))) {
		time.Sleep(time.Until(at))
		id := strconv.FormatInt(c.calls.Add(1), 10)
		c.sent.Store(id, time.Now())
		require.NoError(t, c.ch.PublishWithContext(t.Context(), "", c.queue, false, false, amqp.Publishing{
			ContentType: "application/json", CorrelationId: id, ReplyTo: c.replyTo, Body: []byte("1"),
			Expiration: strconv.FormatInt(c.deadline.Milliseconds(), 10),
			Headers:    amqp.Table{"rpc-deadline": time.Now().Add(c.ahead + c.deadline).UnixMilli()},
		}))
	}
}

// Under twice the load that it can handle, a server answers as many calls in time as at its
// best rate. It starts only requests that it can finish, although the callers' clocks differ
// and some callers are new. The server keeps its estimates while the overload lasts.
func TestGoodputUnderOverload(t *testing.T) {
	t.Parallel()
	if node != nil {
		t.Skip("it computes in virtual time, and says nothing of a node")
	}
	const (
		handlers = 4
		each     = 20 * time.Millisecond
		capacity = handlers * float64(time.Second/each) // calls a second
	)
	for name, c := range map[string]struct {
		ahead   time.Duration
		options []amqprpc.HandlerOption
	}{
		"clocks agree":                         {},
		"callers are ahead":                    {ahead: 700 * time.Millisecond},
		"callers are behind":                   {ahead: -700 * time.Millisecond},
		"handlers have less time than callers": {options: []amqprpc.HandlerOption{amqprpc.WithHandlerTimeout(100 * time.Millisecond)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				broker := amqptest.Start(t, amqptest.WithoutListener())
				ran := new(atomic.Int64)
				srv, _ := startServer(t, broker.URL(), func(s *amqprpc.Server) {
					amqprpc.Register(s, "busy", func(_ context.Context, n int) (int, error) {
						ran.Add(1)
						time.Sleep(each)
						return n, nil
					}, append(c.options, amqprpc.WithConcurrency(handlers))...)
				}, amqprpc.WithDialer(broker.Dial))
				known := newClockedCaller(t, broker, "busy", c.ahead, 250*time.Millisecond)
				late := newClockedCaller(t, broker, "busy", -c.ahead, 250*time.Millisecond)

				known.offer(t, capacity/2, 5*time.Second)
				time.Sleep(time.Second)
				require.Zero(t, known.late.Load(), "at half of the capacity all is answered in time")
				require.Zero(t, known.refused.Load(), "at half of the capacity nothing is refused")

				const length = 100 * time.Second
				before, begun := known.inTime.Load(), ran.Load()
				var both sync.WaitGroup
				both.Go(func() { known.offer(t, capacity, length) })
				both.Go(func() { time.Sleep(5 * time.Second); late.offer(t, capacity, length-5*time.Second) })
				both.Wait()
				time.Sleep(time.Second)

				inTime := known.inTime.Load() - before + late.inTime.Load()
				t.Logf("of %.0f possible: %d begun, %d in time, %d late, %d refused", capacity*length.Seconds(),
					ran.Load()-begun, inTime, known.late.Load()+late.late.Load(), srv.Stats().Shed)
				require.GreaterOrEqual(t, float64(inTime), 0.9*capacity*length.Seconds())
				require.Equal(t, srv.Stats().Shed, known.refused.Load()+late.refused.Load())
				require.Greater(t, late.inTime.Load(), int64(0.2*capacity*length.Seconds()), "who came later gets a share")
			})
		})
	}
}

// A busy server refuses a request that it cannot finish, before the caller's deadline.
func TestShedding(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	h := newGated()
	const typical = 300 * time.Millisecond
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			switch n {
			case 0:
				return 0, nil
			case 1:
				time.Sleep(typical)
				return 1, nil
			default:
				return h.handle(ctx, n)
			}
		}, amqprpc.WithConcurrency(1))
	})
	cli, ctx := dial(t, url), testContext(t)
	_, err := amqprpc.Call[int, int](ctx, cli, queue, 1)
	require.NoError(t, err)

	held := amqprpc.Go[int, int](ctx, cli, queue, 2)
	<-h.started
	const timeout = time.Second
	deadline := time.Now().Add(timeout)
	behind := amqprpc.Go[int, int](ctx, cli, queue, 3, amqprpc.WithTimeout(timeout))
	time.Sleep(time.Until(deadline) - typical/2)
	close(h.release)
	_, err = held.Await(ctx)
	require.NoError(t, err)
	_, err = behind.Await(ctx)
	require.ErrorIs(t, err, amqprpc.CodeResourceExhausted)
	require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
	require.ErrorContains(t, err, "busy")
	again, ok := amqprpc.RetryAfter(err)
	require.True(t, ok, "a busy server says when to call again")
	require.GreaterOrEqual(t, again, typical/16, "not before a handler has ended")
	require.LessOrEqual(t, again, 2*timeout)
	require.EqualValues(t, 1, srv.Stats().Shed)

	// A request that has not waited is not refused, even with little time left.
	_, err = amqprpc.Call[int, int](ctx, cli, queue, 0, amqprpc.WithTimeout(typical))
	require.NoError(t, err)
	require.EqualValues(t, 1, srv.Stats().Shed)
}
