package amqprpc

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// However the driver cuts its bytes into writes, it is known when it is between
// two frames, and which channel it opened last.
func TestFrameScan(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		stream := []byte(frame.ProtocolHeader)
		ends := map[int]uint16{len(stream): 0}
		var opened uint16
		for range r.IntN(20) {
			switch r.IntN(4) {
			case 0:
				opened = uint16(1 + r.IntN(1000))
				stream = frame.AppendMethod(stream, opened, &frame.ChannelOpen{})
			case 1:
				stream = frame.AppendMethod(stream, 7, &frame.QueueDeclare{Queue: "q"})
			case 2:
				stream = frame.AppendHeartbeat(stream)
			default:
				stream = frame.AppendBody(stream, 3, 0, make([]byte, 1+r.IntN(5000)))
			}
			ends[len(stream)] = opened
		}
		var s frameScan
		greeting := len(frame.ProtocolHeader) // which the driver writes at once
		s.write(stream[:greeting])
		for at := greeting; at < len(stream); {
			n := min(1+r.IntN(40)*r.IntN(40), len(stream)-at)
			s.write(stream[at : at+n])
			at += n
			opened, between := ends[at]
			require.Equal(t, between, s.between(), "at %d", at)
			if between {
				require.Equal(t, opened, s.opened)
			}
		}
	}
}

// message is a publish of ours as a delivery of the broker's: the method differs,
// header and body do not.
func message(t testing.TB, channel uint16, p *amqp.Publishing) []byte {
	frames := appendPublish(nil, channel, 4096, "q", true, p)
	r := frame.NewReader(bytes.NewReader(frames), 4096)
	f, err := r.Next()
	require.NoError(t, err)
	id, fields, ok := frame.MethodID(f.Payload)
	require.True(t, ok)
	require.Equal(t, frame.IDBasicPublish, id)
	var m frame.BasicPublish
	require.True(t, m.Parse(fields))
	require.Equal(t, "q", string(m.RoutingKey))
	require.True(t, m.Mandatory)
	d := frame.BasicDeliver{ConsumerTag: []byte("c"), DeliveryTag: 9, Redelivered: true, RoutingKey: []byte("q")}
	out := d.AppendFrame(nil, channel)
	for {
		f, err := r.Next()
		if err == io.EOF {
			return out
		}
		require.NoError(t, err)
		require.LessOrEqual(t, len(f.Payload), 4096-frame.Overhead)
		out = frame.AppendFrame(out, f.Type, f.Channel, f.Payload)
	}
}

// What is sent is what comes in, whatever the message and however the bytes come.
func TestMessagesThroughTheTap(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_700_000_000, 0)
	for name, p := range map[string]amqp.Publishing{
		"nothing": {},
		"request": {ContentType: "application/json", CorrelationId: "c-1", MessageId: "c-1", ReplyTo: "amqprpc.reply.x", Expiration: "30000",
			Headers: amqp.Table{"rpc-deadline": at.UnixMilli(), "k": "v"}, Body: []byte("30")},
		"all": {ContentType: "t", ContentEncoding: "e", DeliveryMode: 2, Priority: 9, CorrelationId: "c", ReplyTo: "r", Expiration: "1",
			MessageId: "m", Timestamp: at, Type: "ty", UserId: "u", AppId: "a", Body: bytes.Repeat([]byte("x"), 20_000)},
		"headers": {Headers: amqp.Table{"s": "text", "i8": int8(-1), "u8": byte(2), "i16": int16(-3), "u16": uint16(4), "i32": int32(-5), "u32": uint32(6), "i64": int64(-7),
			"f": 1.5, "f32": float32(2.5), "b": true, "nil": nil, "bytes": []byte{1, 2}, "when": at.UTC(), "dec": amqp.Decimal{Scale: 2, Value: 314},
			"t": amqp.Table{"x": amqp.Table{"y": int64(1)}}, "list": []any{"a", int32(1), amqp.Table{"z": "z"}}}},
	} {
		for _, step := range []int{1, 7, 1 << 20} {
			var got []amqp.Delivery
			var cache recurring
			conn := &chunked{data: message(t, 5, &p), step: step}
			s := newSock(conn, conn, time.Second)
			tap := &tap{channel: 5}
			tap.deliver = func(c *content) {
				require.False(t, c.malformed)
				d := cache.delivery(c)
				d.Headers = headersOf(&c.props)
				got = append(got, d)
			}
			s.add(tap)
			rest, err := readAll(s)
			require.NoError(t, err)
			require.Empty(t, rest, "nothing of it is the driver's")
			require.Len(t, got, 1, name)
			d := got[0]
			if len(p.Body) == 0 {
				p.Body = d.Body[:0]
			}
			require.Equal(t, p, amqp.Publishing{
				Headers: d.Headers, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding, DeliveryMode: d.DeliveryMode, Priority: d.Priority,
				CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo, Expiration: d.Expiration, MessageId: d.MessageId, Timestamp: d.Timestamp,
				Type: d.Type, UserId: d.UserId, AppId: d.AppId, Body: d.Body,
			}, name)
			require.Equal(t, uint64(9), d.DeliveryTag)
			require.True(t, d.Redelivered)
			require.Equal(t, "q", d.RoutingKey)
		}
	}
}

// chunked is a connection that gives its data a few bytes at a time.
type chunked struct {
	net.Conn
	data []byte
	step int
}

func (c *chunked) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.step)], c.data)
	c.data = c.data[n:]
	return n, nil
}

// The driver sees what is not tapped, in order and whole; and a heartbeat now and
// then where all is tapped.
func TestTapLeavesTheRestToTheDriver(t *testing.T) {
	t.Parallel()
	tapped := message(t, 5, &amqp.Publishing{Body: []byte("x")})
	others := [][]byte{
		frame.AppendMethod(nil, 0, &frame.ConnectionUnblocked{}),
		message(t, 6, &amqp.Publishing{Body: []byte("another channel's")}),
		frame.AppendMethod(nil, 5, &frame.BasicCancel{ConsumerTag: "c"}),
		frame.AppendMethod(nil, 5, &frame.ChannelClose{ReplyCode: 406, ReplyText: "no"}),
		frame.AppendHeartbeat(nil),
	}
	var stream, want []byte
	for _, o := range others {
		stream = append(append(stream, tapped...), o...)
		want = append(want, o...)
	}
	conn := &chunked{data: stream, step: 11}
	s := newSock(conn, conn, time.Second)
	n := 0
	tap := &tap{channel: 5, deliver: func(*content) { n++ }}
	s.add(tap)
	got, err := readAll(s)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, len(others), n)
	require.True(t, tap.closed)
	require.ErrorIs(t, s.writeFrames(tap, []byte("x")), amqp.ErrClosed, "nothing goes to a channel that the broker has closed")

	conn = &chunked{data: bytes.Repeat(tapped, 3), step: 1 << 20}
	s = newSock(conn, conn, time.Second)
	s.add(&tapOf5)
	s.reader.shown = time.Now().Add(-2 * signOfLife)
	got, err = readAll(s)
	require.NoError(t, err)
	require.Equal(t, frame.AppendHeartbeat(nil), got)
}

var tapOf5 = tap{channel: 5, deliver: func(*content) {}}

// Channels come and go on several goroutines at once; none is forgotten, and none
// kept.
func TestTapsOfManyChannels(t *testing.T) {
	t.Parallel()
	s := newSock(nil, nil, time.Second)
	const workers, each = 8, 100
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				old := &tap{channel: uint16(w*each + i + 1)}
				s.add(old)
				next := &tap{channel: old.channel}
				s.add(next)
				s.remove(old)
			}
		})
	}
	wg.Wait()
	for n := range uint16(workers * each) {
		require.NotNil(t, s.reader.tapOf(n+1), "channel %d", n+1)
	}
	require.Len(t, *s.reader.taps.Load(), workers*each)
}

// Properties that do not decode make the message a malformed one, and nothing else.
func TestMalformedProperties(t *testing.T) {
	t.Parallel()
	d := frame.BasicDeliver{DeliveryTag: 1}
	bad := frame.AppendHeader(d.AppendFrame(nil, 5), 5, 2, []byte{0x80, 0, 200, 'x'})
	bad = frame.AppendBody(bad, 5, 0, []byte("hi"))
	conn := &chunked{data: append(bad, message(t, 5, &amqp.Publishing{Body: []byte("fine")})...), step: 3}
	s := newSock(conn, conn, time.Second)
	var got []string
	s.add(&tap{channel: 5, deliver: func(c *content) { got = append(got, fmt.Sprintf("%v %s", c.malformed, c.body)) }})
	_, err := readAll(s)
	require.NoError(t, err)
	require.Equal(t, []string{"true hi", "false fine"}, got)
}

// FuzzSockRead: whatever a peer sends, reading neither panics nor hangs nor takes
// more memory than what was sent is worth, and what the driver gets are frames.
func FuzzSockRead(f *testing.F) {
	f.Add(message(f, 5, &amqp.Publishing{ContentType: "x", Headers: amqp.Table{"a": "b"}, Body: []byte("hello")}), uint8(1))
	f.Add(frame.AppendMethod(nil, 5, &frame.ChannelClose{}), uint8(7))
	ret := frame.BasicReturn{ReplyCode: 312}
	f.Add(ret.AppendFrame(nil, 5), uint8(3))
	huge := frame.AppendHeader((&frame.BasicDeliver{}).AppendFrame(nil, 5), 5, 1<<60, []byte{0, 0})
	f.Add(huge, uint8(100))
	f.Fuzz(func(t *testing.T, data []byte, step uint8) {
		conn := &chunked{data: data, step: int(step) + 1}
		s := newSock(conn, conn, time.Second)
		bodies := 0
		s.add(&tap{
			channel: 5,
			deliver: func(c *content) { bodies += len(c.body); (&recurring{}).delivery(c) },
			returns: func(c *content) { bodies += len(c.body) },
			confirm: func(uint64, bool, bool) {},
		})
		rest, _ := readAll(s)
		if bodies > len(data) {
			t.Fatalf("%d bytes of bodies out of %d", bodies, len(data))
		}
		for len(rest) > 0 {
			if len(rest) < frame.Overhead {
				t.Fatalf("the driver got a part of a frame: %x", rest)
			}
			n := int(binary.BigEndian.Uint32(rest[3:7])) + frame.Overhead
			if n > len(rest) || rest[n-1] != frame.End {
				t.Fatalf("the driver got a broken frame: %x", rest)
			}
			rest = rest[n:]
		}
	})
}

func TestReplyAcks(t *testing.T) {
	t.Parallel()
	var a replyAcks
	a.init()
	_, ok := a.take()
	require.False(t, ok)
	for tag := range uint64(replyAckBatch) {
		a.note(tag + 1)
	}
	<-a.first
	<-a.full
	tag, ok := a.take()
	require.True(t, ok)
	require.EqualValues(t, replyAckBatch, tag)
	a.note(1000)
	<-a.first
	tag, ok = a.take()
	require.True(t, ok)
	require.EqualValues(t, 1000, tag)
}

func TestPlainHeaders(t *testing.T) {
	t.Parallel()
	encode := func(t amqp.Table) []byte { return appendHeaders(nil, t)[4:] }
	for _, at := range []int64{0, 1, -1, 1 << 62, time.Now().UnixMilli()} {
		got, batches, ok := plainHeaders(encode(amqp.Table{headerDeadline: at}))
		require.True(t, ok)
		require.Equal(t, at, got)
		require.False(t, batches)
		for range 10 { // in either order
			for _, b := range []bool{true, false} {
				got, batches, ok = plainHeaders(encode(amqp.Table{headerDeadline: at, headerBatches: b}))
				require.True(t, ok)
				require.Equal(t, at, got)
				require.Equal(t, b, batches)
			}
		}
	}
	for _, other := range []amqp.Table{{}, {headerDeadline: "soon"}, {headerDeadline: int32(1)}, {headerDeadline: 1.5},
		{headerDeadline: int64(1), "x": "y"}, {"rpc-deadlinE": int64(1)}, {headerBatches: true},
		{headerDeadline: int64(1), headerBatches: "yes"}} {
		_, _, ok := plainHeaders(encode(other))
		require.False(t, ok, other)
	}
	whole := encode(amqp.Table{headerDeadline: int64(1)})
	for n := range whole {
		_, _, ok := plainHeaders(whole[:n])
		require.False(t, ok, n)
	}
}

// readAll reads what is left to the driver until the connection ends.
func readAll(s *sock) ([]byte, error) {
	go s.read(0)
	return io.ReadAll(s)
}
