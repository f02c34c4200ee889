package amqprpc

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// recorder is a connection that keeps what is written.
type recorder struct {
	net.Conn
	written bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error)        { return r.written.Write(p) }
func (r *recorder) SetWriteDeadline(t time.Time) error { return nil }

// recordedWriter is a lane's writer. written has it flush, and tells what the broker
// gets: of each message where it goes and its replies, and what is acknowledged.
func recordedWriter(t *testing.T, maxMessageSize int) (w *laneWriter, written func() []string) {
	server := &Server{}
	server.cfg.conn.maxMessageSize = maxMessageSize
	conn := &recorder{}
	ch := &channel{link: &link{conn: &amqp.Connection{Config: amqp.Config{FrameSize: sockFrameMax}}, sock: newSock(conn, conn, patienceSock)}}
	w = &laneWriter{acks: acknowledgements{next: 1}, lane: &lane{ch: ch, ctx: context.Background(), queue: &servedQueue{server: server}}}
	return w, func() (all []string) {
		w.flush()
		var m content
		r := frame.NewReader(&conn.written, sockFrameMax)
		for r.Ready() || conn.written.Len() > 0 {
			f, err := r.Next()
			require.NoError(t, err)
			switch id, fields, _ := frame.MethodID(f.Payload); {
			case f.Type == frame.TypeHeader:
				h, ok := frame.ParseHeader(f.Payload)
				require.True(t, ok)
				require.NoError(t, m.props.Parse(bytes.Clone(h.Properties)))
			case f.Type == frame.TypeBody:
				m.body = f.Payload
				all = append(all, m.key+": "+repliesOf(t, &m))
			case id == frame.IDBasicPublish:
				var p frame.BasicPublish
				require.True(t, p.Parse(fields))
				m = content{key: string(p.RoutingKey)}
			case id == frame.IDBasicAck:
				var p frame.BasicAck
				require.True(t, p.Parse(fields))
				all = append(all, fmt.Sprintf("ack %d %v", p.DeliveryTag, p.Multiple))
			case id == frame.IDBasicReject:
				all = append(all, "reject")
			}
		}
		return all
	}
}

// repliesOf names the replies of a message by their correlation ids and the length of
// their bodies.
func repliesOf(t *testing.T, m *content) string {
	if !m.isBatch() {
		return fmt.Sprintf("%s/%d", m.props.CorrelationID, len(m.body))
	}
	var ids []string
	require.True(t, eachReply(m.body, func(encoded, body []byte) {
		var props frame.Properties
		require.NoError(t, props.Parse(encoded))
		ids = append(ids, fmt.Sprintf("%s/%d", props.CorrelationID, len(body)))
	}))
	require.Equal(t, len(ids), m.replies())
	return "[" + strings.Join(ids, " ") + "]"
}

func TestReplyBatches(t *testing.T) {
	t.Parallel()
	tag := uint64(0)
	reply := func(to string, length int, change ...func(*completion)) *completion {
		tag++
		c := &completion{to: to, tag: tag, join: true, reply: amqp.Publishing{
			CorrelationId: fmt.Sprint(tag), ContentType: "application/json", Body: make([]byte, length),
		}}
		for _, f := range change {
			f(c)
		}
		return c
	}
	alone := func(c *completion) { c.join = false }
	w, written := recordedWriter(t, 1<<20)
	for range 3 { // whatever is left of one write is nothing to the next
		tag, w.acks = 0, acknowledgements{next: 1}
		for _, c := range []*completion{reply("a", 1), reply("b", 2), reply("a", 0), reply("a", 3, alone), reply("a", batchReply+1), reply("a", batchReply)} {
			w.apply(c)
		}
		require.Equal(t, []string{
			"a: 4/3", "a: 5/4097", // what is written as it is waits for nothing
			"a: [1/1 3/0 6/4096]", "b: 2/2", "ack 6 true",
		}, written())
	}

	// A refusal is acknowledged before it is sent, a rejection after it.
	tag, w.acks = 0, acknowledgements{next: 1}
	for _, c := range []*completion{
		reply("a", 1), reply("a", 1, func(c *completion) { c.before = true }), reply("a", 2, func(c *completion) { c.reject = true }),
	} {
		w.apply(c)
	}
	require.Equal(t, []string{"ack 2 false", "a: 3/2", "reject", "a: [1/1 2/1]", "ack 1 false"}, written())

	// One queue's do not grow without bound, nor do the queues.
	tag, w.acks = 0, acknowledgements{next: 1}
	for range 20 {
		w.apply(reply("a", batchReply))
		w.apply(reply("b", 1))
	}
	require.LessOrEqual(t, len(w.batch), 3*batchBody)
	require.Len(t, written(), 5, "three of a, one of b, and the acknowledgement")
	tag, w.acks = 0, acknowledgements{next: 1}
	for i := range 3 * batchQueues {
		w.apply(reply(fmt.Sprint("q", i%(2*batchQueues)), 1))
	}
	require.LessOrEqual(t, len(w.batches), batchQueues)
	require.Len(t, written(), 3*batchQueues+1)

	// Nor beyond what the broker is known to take.
	w, written = recordedWriter(t, 500)
	tag = 0
	for _, length := range []int{100, 100, 100, 400, 400, 100} {
		w.apply(reply("a", length))
	}
	require.Equal(t, []string{"a: [1/100 2/100 3/100]", "a: 4/400", "a: 5/400", "a: 6/100", "ack 6 true"}, written())
}

// What is no batch of replies is not taken for one.
func TestReplyBatchThatIsNone(t *testing.T) {
	t.Parallel()
	b := appendReply(nil, &amqp.Publishing{CorrelationId: "1", Headers: amqp.Table{"x": "y"}, Body: []byte("one")})
	at := len(b)
	b = appendReply(b, &amqp.Publishing{})
	m := content{body: b}
	m.props.ContentType = []byte(contentTypeBatch)
	require.Equal(t, 2, m.replies())
	n := 0
	require.True(t, eachReply(b, func(encoded, body []byte) {
		if n++; n > 1 {
			require.Equal(t, b[at:], append(frame.AppendLongString(nil, encoded), 0, 0, 0, 0))
			require.Empty(t, body)
			return
		}
		var props frame.Properties
		require.NoError(t, props.Parse(encoded))
		require.Equal(t, amqp.Table{"x": "y"}, headersOf(&props))
		require.Equal(t, "one", string(body))
	}))
	require.Equal(t, 2, n)
	for n := range b {
		m.body = b[:n]
		want := 0
		if n >= at {
			want = 1
		}
		require.Equal(t, want, m.replies(), n)
	}
	for i := range at { // whatever changes, it is read to an end
		changed := bytes.Clone(b)
		changed[i] ^= 0xff
		m.body = changed
		require.LessOrEqual(t, m.replies(), 2)
	}
}

// Bodies that share memory are each the receiver's own, to append to as well, and long
// ones share none.
func TestBodies(t *testing.T) {
	t.Parallel()
	var b bodies
	batch := make([]byte, 3*bodiesTogether)
	for i := range batch {
		batch[i] = byte(i)
	}
	var got [][]byte
	lengths := []int{0, 1, 2, 3, bodiesTogether, 5, bodiesTogether + 1, 10, bodiesTogether - 15, 1, 2}
	for _, n := range lengths {
		got = append(got, b.clone(batch[:n]))
	}
	for _, body := range got {
		_ = append(body, 0xff)
	}
	clear(batch)
	for i, n := range lengths {
		require.Len(t, got[i], n)
		for at, c := range got[i] {
			require.Equal(t, byte(at), c, "body %d", i)
		}
	}
}
