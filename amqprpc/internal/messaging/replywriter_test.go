package messaging

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// writerTest is a reply writer that the test itself has write, on a channel with
// deliveries in hand.
type writerTest struct {
	t       *testing.T
	w       *ReplyWriter
	channel *sharedChannel
	sub     *subscription
	record  *amqptest.Record
	seen    int
	tag     uint64 // of the last delivery that was used
	handled atomic.Int64
}

// holdAll takes deliveries and does nothing.
type holdAll struct {
	ignore
	came chan struct{}
}

func (h *holdAll) Deliver(*Message) { h.came <- struct{}{} }

func newWriterTest(t *testing.T, maxBody, deliveries int) *writerTest {
	broker := amqptest.Start(t)
	conn := connect(t, broker)
	for _, q := range []string{"a", "b", "requests"} {
		ch, err := conn.Open(t.Context(), ignore{})
		require.NoError(t, err)
		_, err = ch.DeclareQueue(t.Context(), QueueDeclaration{Name: q})
		require.NoError(t, err)
	}
	x := &writerTest{t: t}
	x.w = &ReplyWriter{MaxBody: bodies(maxBody), Handled: &x.handled, InHand: func() bool { return true }}
	x.channel = newSharedChannel(t.Context(), &channelPool{conn: conn, base: t.Context(), replies: x.w})
	x.w.box.init(nil)
	x.sub = x.subscription()
	to := &holdAll{came: make(chan struct{}, deliveries)}
	var err error
	x.channel.ch, err = conn.Open(t.Context(), to)
	require.NoError(t, err)
	require.NoError(t, x.channel.ch.Consume(t.Context(), "requests", "tag", false, 0))
	publish(t, conn, "requests", make([]string, deliveries)...)
	for range deliveries {
		next(t, to.came)
	}
	x.record = broker.Record()
	return x
}

// subscription is one more subscription with the channel.
func (x *writerTest) subscription() *subscription {
	s := newSubscription()
	s.consumer = &Consumer{Replies: x.w}
	require.True(x.t, x.channel.place(s))
	return s
}

// delivery is the next delivery. It has a reply of that length, to that queue.
func (x *writerTest) delivery(to string, length int, change ...func(*Done)) *Delivery {
	x.tag++
	d := &Delivery{sub: x.sub, tag: x.tag, done: Done{To: to, Join: true, Body: make([]byte, length), Reply: protocol.Reply{CorrelationID: fmt.Sprint(x.tag)}}}
	for _, f := range change {
		f(&d.done)
	}
	return d
}

func (x *writerTest) apply(ds ...*Delivery) {
	for _, d := range ds {
		d.sub.hold(false)
		d.sub.left.Add(1)
		x.w.prepare(task{delivery: d})
	}
}

// written has the writer write, and says what the broker got: of each message where it
// goes, and the ids and lengths of its replies; and which deliveries were settled.
func (x *writerTest) written() (all []string) {
	x.w.flush()
	require.Zero(x.t, x.sub.left.Load())
	require.Equal(x.t, 1, x.sub.open, "all tasks are released")
	_, err := x.channel.ch.DeclareQueue(x.t.Context(), QueueDeclaration{Name: "requests", Passive: true}) // answered after all that
	require.NoError(x.t, err)
	events := x.record.Events()
	for _, e := range events[x.seen:] {
		switch m := e.Message; e.Kind {
		case amqptest.Published:
			replies := fmt.Sprintf("%s/%d", m.CorrelationID, len(m.Body))
			if m.ContentType == protocol.BatchContentType {
				var ids []string
				require.True(x.t, protocol.EachReply(m.Body, func(encoded, body []byte) {
					var p frame.Properties
					require.NoError(x.t, p.Parse(encoded))
					ids = append(ids, fmt.Sprintf("%s/%d", p.CorrelationID, len(body)))
				}))
				replies = "[" + strings.Join(ids, " ") + "]"
			}
			all = append(all, m.RoutingKey+": "+replies)
		case amqptest.Acked:
			all = append(all, fmt.Sprint("ack ", e.Tag))
		case amqptest.Discarded:
			all = append(all, fmt.Sprint("reject ", e.Tag))
		}
	}
	x.seen = len(events)
	return all
}

func TestReplyBatches(t *testing.T) {
	t.Parallel()
	x := newWriterTest(t, 1<<20, 6)
	alone := func(d *Done) { d.Join = false }
	x.apply(x.delivery("a", 1), x.delivery("b", 2), x.delivery("a", 0), x.delivery("a", 3, alone), x.delivery("a", batchedReply+1), x.delivery("a", batchedReply))
	require.Equal(t, []string{
		"a: 4/3", "a: 5/4097", // what goes by itself waits for nothing
		"a: [1/1 3/0 6/4096]", "b: 2/2", "ack 1", "ack 2", "ack 3", "ack 4", "ack 5", "ack 6",
	}, x.written())
	require.Empty(t, x.written(), "what was written is over")
	require.EqualValues(t, 6, x.handled.Load())
}

// A refusal is acknowledged before it is sent, a rejection comes after its reply, and
// what was acknowledged before is not acknowledged again.
func TestOrderOfReplyAndAcknowledgement(t *testing.T) {
	t.Parallel()
	x := newWriterTest(t, 1<<20, 5)
	first, refusal, rejected := x.delivery("a", 1), x.delivery("a", 1, func(d *Done) { d.SettleFirst = true }), x.delivery("a", 2, func(d *Done) { d.Reject = true })
	x.apply(first, refusal, rejected)
	require.Equal(t, []string{"ack 2", "a: 3/2", "reject 3", "a: [1/1 2/1]", "ack 1"}, x.written())

	once := x.delivery("a", 4)
	once.acked.Store(true)
	x.sub.hold(false)
	x.w.prepare(task{delivery: once, kind: ackNow})
	require.Equal(t, []string{"ack 4"}, x.written())
	x.apply(once, x.delivery("", 0))
	require.Equal(t, []string{"a: 4/4", "ack 5"}, x.written())
	beat := &Delivery{sub: x.sub, done: Done{To: "b", Reply: protocol.Reply{CorrelationID: "beat"}}}
	x.sub.hold(false)
	x.w.prepare(task{delivery: beat, kind: heartbeat})
	require.Equal(t, []string{"b: beat/0"}, x.written())
}

// Neither the batch of one queue grows without bound, nor the number of batches.
func TestReplyBatchesAreBounded(t *testing.T) {
	t.Parallel()
	x := newWriterTest(t, 1<<20, 40+3*batchedQueues)
	for range 20 {
		x.apply(x.delivery("a", batchedReply), x.delivery("b", 1))
		require.LessOrEqual(t, len(x.channel.writer.batches), 2)
	}
	got := x.written()
	require.Len(t, got, 4+40, "three messages to a, one to b, and the acknowledgements")
	for i := range 3 * batchedQueues {
		x.apply(x.delivery(fmt.Sprint("q", i%(2*batchedQueues)), 1))
		require.LessOrEqual(t, len(x.channel.writer.batches), batchedQueues)
	}
	require.Len(t, x.written(), 2*3*batchedQueues)
}

// No batch is longer than what the broker is known to take.
func TestReplyBatchWithinTheLimit(t *testing.T) {
	t.Parallel()
	x := newWriterTest(t, 500, 6)
	for _, length := range []int{100, 100, 100, 400, 400, 100} {
		x.apply(x.delivery("a", length))
	}
	require.Equal(t, []string{"a: [1/100 2/100 3/100]", "a: 4/400", "a: 5/400", "a: 6/100"}, x.written()[:4])
}

// However long the replies that are at hand together are, no more memory is filled with
// them than it pays to write at once.
func TestLongReplies(t *testing.T) {
	t.Parallel()
	x := newWriterTest(t, 64<<20, 64)
	for range 64 {
		x.apply(x.delivery("a", 1<<20))
		require.LessOrEqual(t, cap(x.channel.writer.frames), batchLong+2<<20)
	}
	require.Len(t, x.written(), 128)
}

// Nothing is written for a channel that is lost, and all is released.
func TestRepliesOfALostChannel(t *testing.T) {
	t.Parallel()
	x := newWriterTest(t, 1<<20, 2)
	x.channel.cancel()
	x.apply(x.delivery("a", 1))
	x.w.flush()
	require.Equal(t, 1, x.sub.open)
	require.Empty(t, x.record.Events())
	once := x.delivery("a", 7)
	once.acked.Store(true)
	x.apply(once)
	require.Len(t, x.sub.consumer.orphans, 1, "it waits for the next channel")
	require.Equal(t, 7, len(x.sub.consumer.orphans[0].delivery.done.Body))
}
