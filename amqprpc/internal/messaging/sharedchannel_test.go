package messaging

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// fleet is a server of several queues, whose requests the test handles.
type fleet struct {
	*Server
	broker   *amqptest.Broker
	requests chan *request
	ready    chan string // receives the queues that are consumed
	unserved chan outage
	handled  atomic.Int64
	stop     func()
}

// outage is the end of a queue's consumer.
type outage struct {
	queue string
	err   error
}

// serveQueues serves so many queues, q0 and so on, and waits until all are consumed.
func serveQueues(t *testing.T, broker *amqptest.Broker, queues int, change ...func(*Consumer)) *fleet {
	t.Helper()
	f := &fleet{broker: broker, requests: make(chan *request, 1000), ready: make(chan string, 1000), unserved: make(chan outage, 1000)}
	w := &ReplyWriter{MaxBody: bodies(1 << 20), Handled: &f.handled, Returned: func(int) {}, InHand: func() bool { return true }}
	base, cancel := context.WithCancel(context.Background())
	f.Server = &Server{Replies: w, Base: base, DrainTimeout: patience, Draining: func() {}, Farewell: func(context.Context) {}}
	for i := range queues {
		c := f.consumer(fmt.Sprint("q", i))
		for _, f := range change {
			f(c)
		}
		c.Init()
		f.Consumers = append(f.Consumers, c)
	}
	w.Start()
	session := newSession(t, broker)
	f.stop = run(t, func(ctx context.Context) {
		session.Run(ctx, func(work context.Context, conn *Conn, up func()) error { return f.Use(work, ctx, conn, up) })
		cancel()
		f.Stop(patience)
	})
	for range queues {
		next(t, f.ready)
	}
	return f
}

func (f *fleet) consumer(queue string) *Consumer {
	return &Consumer{
		Queue: queue, Prefetch: 10, Concurrency: 10, Replies: f.Replies, Base: f.Base,
		Declare: func(ctx context.Context, ch *Channel) error {
			_, err := ch.DeclareQueue(ctx, QueueDeclaration{Name: queue, Durable: true})
			return err
		},
		Accept: func(m *Message, _ *protocol.Interner) Work {
			return &request{body: string(m.Body), to: f.requests, done: make(chan struct{})}
		},
		Served:   func() { f.ready <- queue },
		Unserved: func(err error, _ bool, _ time.Duration) { f.unserved <- outage{queue, err} },
		Fatal:    func() bool { return false },
	}
}

// channels counts the queues that each channel consumes.
func (f *fleet) channels() map[uint16]int {
	n := make(map[uint16]int)
	for _, c := range f.Consumers {
		if q, _ := f.broker.Queue(c.Queue); len(q.Consumers) > 0 {
			n[q.Consumers[0].Channel]++
		}
	}
	return n
}

func (f *fleet) channelOf(queue string) uint16 {
	q, _ := f.broker.Queue(queue)
	return q.Consumers[0].Channel
}

// answer answers a request to each queue of the fleet.
func (f *fleet) answer(t *testing.T, conn *Conn) {
	t.Helper()
	for _, c := range f.Consumers {
		publish(t, conn, c.Queue, c.Queue)
	}
	for range f.Consumers {
		next(t, f.requests).finish(Done{})
	}
	eventually(t, "all are acknowledged", func() bool {
		return !slices.ContainsFunc(f.Consumers, func(c *Consumer) bool {
			q, _ := f.broker.Queue(c.Queue)
			return q.Unacked+q.Ready > 0
		})
	})
}

// outages returns the queues that were not served for a time, sorted, when all are again.
func (f *fleet) outages(t *testing.T, n int) (queues []string) {
	t.Helper()
	for range n {
		o := next(t, f.unserved)
		queues = append(queues, o.queue)
	}
	for range n {
		next(t, f.ready)
	}
	slices.Sort(queues)
	return queues
}

func TestQueuesShareAChannel(t *testing.T) {
	t.Parallel()
	f := serveQueues(t, amqptest.Start(t), 2)
	require.Len(t, f.channels(), 1)
	f.answer(t, connect(t, f.broker))
	f.stop()
	require.NoError(t, f.Drained())
	require.EqualValues(t, 2, f.handled.Load())
}

func TestManyQueuesTakeMoreChannels(t *testing.T) {
	t.Parallel()
	f := serveQueues(t, amqptest.Start(t), queuesPerChannel+1)
	require.ElementsMatch(t, []int{queuesPerChannel, 1}, values(f.channels()))
	require.Len(t, serverConnection(f.broker).Info().Channels, 2, "those for the declarations are closed")
	f.answer(t, connect(t, f.broker))
	f.stop()
	require.NoError(t, f.Drained())
}

func values(m map[uint16]int) (all []int) {
	for _, n := range m {
		all = append(all, n)
	}
	return all
}

// Requests in hand of all queues of a channel come again when the broker closes it.
func TestSharedChannelIsClosed(t *testing.T) {
	t.Parallel()
	f := serveQueues(t, amqptest.Start(t), 3)
	conn := connect(t, f.broker)
	publish(t, conn, "q0", "0")
	publish(t, conn, "q1", "1")
	lost := []*request{next(t, f.requests), next(t, f.requests)}
	require.True(t, serverConnection(f.broker).CloseChannel(f.channelOf("q0"), 406, "a fault"))
	require.Equal(t, []string{"q0", "q1", "q2"}, f.outages(t, 3))
	for _, r := range lost {
		require.True(t, r.Lost())
		r.finish(Done{})
	}
	again := []*request{next(t, f.requests), next(t, f.requests)}
	require.ElementsMatch(t, []string{"0", "1"}, []string{again[0].body, again[1].body})
	for _, r := range again {
		r.finish(Done{})
	}
	f.answer(t, conn)
	require.Len(t, f.channels(), 1)
	require.EqualValues(t, 5, f.handled.Load())
}

// A queue whose consumer the broker refuses costs the others their channel once. From then
// on it has a channel of its own.
func TestRefusedConsumerCostsOthersOneChannel(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	f := serveQueues(t, broker, 3)
	require.NoError(t, broker.SetPermissions("/", "guest", ".*", ".*", "^q[02]$"))
	require.True(t, broker.CancelConsumer("q1", f.Consumers[1].latest().tag()))
	ends := map[string]int{}
	for ends["q1"] < 5 || ends["q0"] == 0 || ends["q2"] == 0 { // it tries again and again
		o := next(t, f.unserved)
		ends[o.queue]++
		if o.queue != "q1" {
			require.ErrorContains(t, o.err, "which the queue shares with others: Exception (403)")
		}
	}
	require.Equal(t, 1, ends["q0"])
	require.Equal(t, 1, ends["q2"])
	require.NoError(t, broker.SetPermissions("/", "guest", ".*", ".*", ".*"))
	for served := ""; served != "q1"; served = next(t, f.ready) {
	}
	require.Equal(t, f.channelOf("q0"), f.channelOf("q2"))
	require.NotEqual(t, f.channelOf("q0"), f.channelOf("q1"))
	f.answer(t, connect(t, broker))
	f.stop()
	require.NoError(t, f.Drained())
}

// A queue that is deleted is consumed again on the channel, which goes on for the others.
func TestQueueIsDeletedBesideOthers(t *testing.T) {
	t.Parallel()
	f := serveQueues(t, amqptest.Start(t), 2)
	conn := connect(t, f.broker)
	publish(t, conn, "q0", "of the deleted queue")
	publish(t, conn, "q1", "of the other")
	held := []*request{next(t, f.requests), next(t, f.requests)}
	ch, err := conn.Open(t.Context(), ignore{})
	require.NoError(t, err)
	require.NoError(t, ch.DeleteQueue(t.Context(), "q0"))
	require.Equal(t, []string{"q0"}, f.outages(t, 1))
	require.Len(t, f.channels(), 1)
	for _, r := range held {
		require.False(t, r.Lost())
		r.finish(Done{})
	}
	f.answer(t, conn)
	require.Len(t, serverConnection(f.broker).Info().Channels, 1)
	require.Empty(t, f.unserved)
	f.stop()
	require.NoError(t, f.Drained())
}

// A queue whose delivery is not acknowledged in time gets a channel of its own.
func TestAcknowledgementTimeoutOfOneQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := serveQueues(t, amqptest.Start(t, amqptest.WithoutListener(), amqptest.WithConsumerTimeout(10*time.Second)), 2, func(c *Consumer) { c.Prefetch = 20 })
		conn := connect(t, f.broker)
		publish(t, conn, "q1", "quick")
		quick := next(t, f.requests)
		publish(t, conn, "q0", "slow")
		slow := next(t, f.requests)
		time.Sleep(time.Second)
		quick.Finish(Done{}) // and its handler still runs
		publish(t, conn, "q1", "young")
		young := next(t, f.requests)
		for range 2 {
			o := next(t, f.unserved)
			require.ErrorContains(t, o.err, "which the queue shares with others")
			require.Equal(t, o.queue == "q0", strings.Contains(o.err.Error(), "a channel of its own"))
			next(t, f.ready)
		}
		slow.finish(Done{})
		young.finish(Done{})
		close(quick.done)
		require.True(t, f.Consumers[0].alone)
		require.False(t, f.Consumers[1].alone)
		require.Equal(t, []int{10, 20}, []int{f.Consumers[0].Prefetch, f.Consumers[1].Prefetch})
		require.NotEqual(t, f.channelOf("q0"), f.channelOf("q1"))
		again := []*request{next(t, f.requests), next(t, f.requests)}
		if again[0].body == "slow" {
			slices.Reverse(again)
		}
		again[0].finish(Done{})
		require.Equal(t, []string{"q0"}, f.outages(t, 1), "the other has a channel of its own")
		again[1].finish(Done{})
		next(t, f.requests).finish(Done{})
		f.answer(t, conn)
		f.stop()
		require.NoError(t, f.Drained())
	})
}

// pausing is a queue that pauses when a second request comes, and what it depends on.
type pausing struct{ full, room, gone atomic.Bool }

// of makes a consumer pause.
func (p *pausing) of(c *Consumer) {
	c.Prefetch, c.Concurrency = 3, 1
	c.Full, c.Roomy, c.GivenBack = p.full.Load, p.room.Load, func(Work) {}
	declare := c.Declare
	c.Declare = func(ctx context.Context, ch *Channel) error {
		if p.gone.CompareAndSwap(true, false) {
			return errors.New("the queue is gone")
		}
		return declare(ctx, ch)
	}
}

// pause pauses q0 of the fleet. It returns the request in hand; another one was given back.
func (p *pausing) pause(t *testing.T, f *fleet, conn *Conn) *request {
	publish(t, conn, "q0", "1")
	first := next(t, f.requests)
	p.full.Store(true)
	publish(t, conn, "q0", "2")
	eventually(t, "it pauses", func() bool { q, _ := f.broker.Queue("q0"); return len(q.Consumers) == 0 && q.Ready == 1 })
	return first
}

// resume says that there is room again.
func (p *pausing) resume(f *fleet) {
	p.full.Store(false)
	p.room.Store(true)
	f.Consumers[0].Room()
}

func servePausing(t *testing.T, p *pausing) *fleet {
	return serveQueues(t, amqptest.Start(t), 2, func(c *Consumer) {
		if c.Queue == "q0" {
			p.of(c)
		}
	})
}

// A queue pauses and goes on beside another, with its own prefetch.
func TestQueuePausesBesideAnother(t *testing.T) {
	t.Parallel()
	var p pausing
	f := servePausing(t, &p)
	conn := connect(t, f.broker)
	first := p.pause(t, f, conn)
	publish(t, conn, "q1", "beside")
	next(t, f.requests).finish(Done{})
	p.resume(f)
	eventually(t, "it goes on", func() bool { q, _ := f.broker.Queue("q0"); return len(q.Consumers) == 1 })
	for queue, prefetch := range map[string]int{"q0": 3, "q1": 10} {
		q, _ := f.broker.Queue(queue)
		require.Equal(t, prefetch, q.Consumers[0].Prefetch)
	}
	first.finish(Done{})
	next(t, f.requests).finish(Done{})
	f.answer(t, conn)
	require.Empty(t, f.unserved)
}

// A queue that cannot be declared after a pause does not cost the channel.
func TestPausedQueueIsGone(t *testing.T) {
	t.Parallel()
	var p pausing
	f := servePausing(t, &p)
	conn := connect(t, f.broker)
	first := p.pause(t, f, conn)
	p.gone.Store(true)
	p.resume(f)
	require.Equal(t, []string{"q0"}, f.outages(t, 1))
	first.finish(Done{})
	next(t, f.requests).finish(Done{})
	f.answer(t, conn)
	require.Empty(t, f.unserved)
}

// A drain of many queues waits for the requests of all, and knows that the broker has taken
// all answers.
func TestDrainOfManyQueues(t *testing.T) {
	t.Parallel()
	f := serveQueues(t, amqptest.Start(t), queuesPerChannel+5)
	conn := connect(t, f.broker)
	for _, c := range f.Consumers {
		publish(t, conn, c.Queue, "1")
	}
	var held []*request
	for range f.Consumers {
		held = append(held, next(t, f.requests))
	}
	stopped := make(chan struct{})
	go func() { f.stop(); close(stopped) }()
	eventually(t, "nobody consumes", func() bool { return len(f.channels()) == 0 })
	for _, r := range held {
		require.False(t, isClosed(stopped))
		r.finish(Done{})
	}
	next(t, stopped)
	require.NoError(t, f.Drained())
	require.EqualValues(t, len(held), f.handled.Load())
}

// Replies of several queues to one client go in one message, and one acknowledgement settles
// their requests.
func TestQueuesShareABatch(t *testing.T) {
	t.Parallel()
	x := newWriterTest(t, 1<<20, 4)
	other := x.subscription()
	of := func(s *subscription, d *Delivery) *Delivery { d.sub = s; return d }
	x.apply(x.delivery("a", 1), of(other, x.delivery("a", 2)), x.delivery("a", 3), of(other, x.delivery("a", 4)))
	require.Equal(t, []string{"a: [1/1 2/2 3/3 4/4]", "ack 1", "ack 2", "ack 3", "ack 4"}, x.written())
	for _, s := range []*subscription{x.sub, other} {
		require.EqualValues(t, 2, s.written.Load())
		require.Zero(t, s.left.Load())
		require.Equal(t, 1, s.open)
	}
}

// A delivery that nobody takes any more goes back, and settles no other.
func TestDeafDeliveryIsGivenBack(t *testing.T) {
	t.Parallel()
	f := serveQueues(t, amqptest.Start(t), 2)
	conn := connect(t, f.broker)
	publish(t, conn, "q1", "before")
	before := next(t, f.requests)
	f.Consumers[0].latest().deafen()
	record := f.broker.Record()
	publish(t, conn, "q0", "deaf")
	_, err := record.Wait(t.Context(), 2, func(e amqptest.Event) bool { return e.Kind == amqptest.Requeued && e.Queue == "q0" })
	require.NoError(t, err)
	require.True(t, f.broker.CancelConsumer("q0", f.Consumers[0].latest().tag()))
	require.Equal(t, "q0", next(t, f.ready))
	r := next(t, f.requests)
	require.Equal(t, "deaf", r.body)
	r.finish(Done{})
	before.finish(Done{})
	f.answer(t, conn)
	require.Len(t, f.unserved, 1, "the channel stands")
}
