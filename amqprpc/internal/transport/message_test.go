package transport

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// someProperties is a property list with a content type.
func someProperties() []byte {
	return (&frame.Properties{Flags: frame.FlagContentType, ContentType: []byte("text/plain")}).Append(nil)
}

// delivered is a publishing as the broker delivers it: the method differs, and header
// and body do not.
func delivered(t testing.TB, channel uint16, p *Publishing) []byte {
	const frameMax = 4096
	if p.Properties == nil {
		p.Properties = []byte{0, 0}
	}
	r := frame.NewReader(bytes.NewReader(appendPublish(nil, channel, frameMax, p)), frameMax)
	f, err := r.Next()
	require.NoError(t, err)
	id, fields, ok := frame.MethodID(f.Payload)
	require.True(t, ok)
	require.Equal(t, frame.IDBasicPublish, id)
	var m frame.BasicPublish
	require.True(t, m.Parse(fields))
	require.Equal(t, p.Exchange, string(m.Exchange))
	require.Equal(t, p.Key, string(m.RoutingKey))
	require.Equal(t, p.Mandatory, m.Mandatory)
	d := frame.BasicDeliver{ConsumerTag: []byte("c"), DeliveryTag: 9, Redelivered: true, Exchange: m.Exchange, RoutingKey: m.RoutingKey}
	out := d.AppendFrame(nil, channel)
	for {
		f, err := r.Next()
		if err == io.EOF {
			return out
		}
		require.NoError(t, err)
		require.LessOrEqual(t, len(f.Payload), frameMax-frame.Overhead)
		out = frame.AppendFrame(out, f.Type, f.Channel, f.Payload)
	}
}

// What is published is what comes in, whatever the message and however its bytes come.
func TestMessageRoundTrip(t *testing.T) {
	t.Parallel()
	all := frame.Properties{
		Flags: frame.FlagContentType | frame.FlagContentEncoding | frame.FlagHeaders | frame.FlagDeliveryMode | frame.FlagPriority | frame.FlagCorrelationID |
			frame.FlagReplyTo | frame.FlagExpiration | frame.FlagMessageID | frame.FlagTimestamp | frame.FlagType | frame.FlagUserID | frame.FlagAppID,
		ContentType: []byte("t"), ContentEncoding: []byte("e"), DeliveryMode: 2, Priority: 9, CorrelationID: []byte("c"), ReplyTo: []byte("r"),
		Expiration: []byte("1"), MessageID: []byte("m"), Timestamp: 1_700_000_000, Type: []byte("ty"), UserID: []byte("u"), AppID: []byte("a"),
		Headers: frame.AppendFields(nil, []frame.Field{{Key: "k", Value: "v"}, {Key: "t", Value: frame.Table{{Key: "x", Value: int64(1)}}}}),
	}
	for name, p := range map[string]Publishing{
		"nothing":  {},
		"request":  {Key: "q", Mandatory: true, Properties: someProperties(), Body: []byte("30")},
		"long":     {Exchange: "x", Key: "k", Properties: all.Append(nil), Body: bytes.Repeat([]byte("0123456789"), 2000)},
		"one full": {Key: "q", Body: make([]byte, 4096-frame.Overhead)},
		"one more": {Key: "q", Body: make([]byte, 4096-frame.Overhead+1)},
	} {
		for _, step := range []int{1, 7, 1 << 20} {
			to := &receiver{}
			readAll(delivered(t, 5, &p), step, &assembly{channel: 5, to: to})
			require.Len(t, to.deliveries, 1, name)
			got := to.deliveries[0]
			require.Equal(t, p.Properties, got.encoded, name)
			require.Equal(t, string(p.Body), string(got.Body), name)
			require.Equal(t, p.Exchange, got.Exchange)
			require.Equal(t, p.Key, got.Key)
			require.EqualValues(t, 9, got.Tag)
			require.True(t, got.Redelivered)
			require.False(t, got.Malformed)
		}
	}
}

// The names of exchange and queue may be as long as AMQP allows.
func TestPublishLongNames(t *testing.T) {
	t.Parallel()
	long := string(bytes.Repeat([]byte("n"), 255))
	to := &receiver{}
	readAll(delivered(t, 5, &Publishing{Exchange: long, Key: long}), 100, &assembly{channel: 5, to: to})
	require.Equal(t, long, to.deliveries[0].Exchange)
	require.Equal(t, long, to.deliveries[0].Key)
}

// Without a limit of the broker's, a body is one frame.
func TestPublishWithoutFrameMax(t *testing.T) {
	t.Parallel()
	frames := appendPublish(nil, 1, 0, &Publishing{Key: "q", Properties: []byte{0, 0}, Body: make([]byte, 1<<20)})
	r := frame.NewReader(bytes.NewReader(frames), 2<<20)
	var bodies int
	for {
		f, err := r.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		if f.Type == frame.TypeBody {
			bodies++
			require.Len(t, f.Payload, 1<<20)
		}
	}
	require.Equal(t, 1, bodies)
}

// received is a message that a receiver got, in memory of its own.
type received struct {
	Message
	encoded []byte // the properties, encoded again
}

// receiver is a Receiver that remembers.
type receiver struct {
	deliveries, returns []received
	confirms            []confirmation
	cancelled           int
	closed              []*Exception
}

func (r *receiver) Closed(e *Exception) { r.closed = append(r.closed, e) }

type confirmation struct {
	tag           uint64
	multiple, ack bool
}

func keep(m *Message) received {
	got := received{Message: *m, encoded: m.Properties.Append(nil)}
	got.Properties = frame.Properties{}
	return got
}

func (r *receiver) Deliver(m *Message)  { r.deliveries = append(r.deliveries, keep(m)) }
func (r *receiver) Returned(m *Message) { r.returns = append(r.returns, keep(m)) }
func (r *receiver) Cancelled(string)    { r.cancelled++ }
func (r *receiver) Confirmed(tag uint64, multiple, ack bool) {
	r.confirms = append(r.confirms, confirmation{tag, multiple, ack})
}

// testTimeout is the write timeout of a test's socket.
const testTimeout = 20 * time.Second
