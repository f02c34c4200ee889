package transport

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// chunked is a connection that gives its data a few bytes at a time, and takes all.
type chunked struct {
	net.Conn
	data []byte
	step int
}

func (*chunked) Write(p []byte) (int, error)      { return len(p), nil }
func (*chunked) SetWriteDeadline(time.Time) error { return nil }
func (*chunked) Close() error                     { return nil }

func (c *chunked) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.step)], c.data)
	c.data = c.data[n:]
	return n, nil
}

// readAll reads the data, and returns what is left to the driver.
func readAll(_ testing.TB, data []byte, step int, as ...*assembly) ([]byte, error) {
	conn := &chunked{data: data, step: step}
	s := newSocket(conn, conn, testTimeout)
	place(s, as...)
	return readRest(s)
}

// place registers channels under the numbers that they have.
func place(s *socket, as ...*assembly) {
	s.reader.change(func(slots []*assembly) []*assembly {
		for _, a := range as {
			a.socket, a.closed = s, make(chan *Exception, 1)
			if more := int(a.channel) + 1 - len(slots); more > 0 {
				slots = append(slots, make([]*assembly, more)...)
			}
			slots[a.channel] = a
		}
		return slots
	})
}

func readRest(s *socket) ([]byte, error) {
	go s.read()
	return io.ReadAll(s)
}

// The driver sees what is no message of a channel's receiver, in order and whole.
func TestReaderLeavesTheRestToTheDriver(t *testing.T) {
	t.Parallel()
	ours := delivered(t, 5, &Publishing{Key: "q", Body: []byte("x")})
	others := [][]byte{
		frame.AppendMethod(nil, 0, &frame.ConnectionUnblocked{}),
		delivered(t, 6, &Publishing{Body: []byte("another channel's")}),
		frame.AppendMethod(nil, 5, &frame.QueueDeclareOk{Queue: "q"}), // nobody asked
		frame.AppendHeartbeat(nil),
	}
	var stream, want []byte
	for _, o := range others {
		stream = append(append(stream, ours...), o...)
		want = append(want, o...)
	}
	stream = frame.AppendMethod(stream, 5, &frame.BasicCancel{ConsumerTag: "c"})
	stream = frame.AppendMethod(stream, 5, &frame.ChannelClose{ReplyCode: 406, ReplyText: "no"})
	stream = append(stream, ours...) // too late
	to := &receiver{}
	a := &assembly{channel: 5, to: to}
	got, err := readAll(t, stream, 11, a)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Len(t, to.deliveries, len(others))
	require.Equal(t, 1, to.cancelled)
	require.Len(t, to.closed, 1)
	require.Equal(t, 406, (<-a.closed).Code)
}

// Returns and confirms are the receiver's, too.
func TestReturnsAndConfirms(t *testing.T) {
	t.Parallel()
	ret := frame.BasicReturn{ReplyCode: 312, ReplyText: []byte("NO_ROUTE"), Exchange: []byte("x"), RoutingKey: []byte("nobody")}
	stream := frame.AppendHeader(ret.AppendFrame(nil, 5), 5, 4, someProperties())
	stream = frame.AppendBody(stream, 5, 0, []byte("body"))
	ack, nack := frame.BasicAck{DeliveryTag: 3, Multiple: true}, frame.BasicNack{DeliveryTag: 4}
	stream = nack.AppendFrame(ack.AppendFrame(stream, 5), 5)
	to := &receiver{}
	rest, err := readAll(t, stream, 3, &assembly{channel: 5, to: to})
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Empty(t, to.deliveries)
	require.Len(t, to.returns, 1)
	got := to.returns[0]
	require.EqualValues(t, 312, got.ReturnCode)
	require.Equal(t, "NO_ROUTE", got.ReturnText)
	require.Equal(t, "x", got.Exchange)
	require.Equal(t, "nobody", got.Key)
	require.Equal(t, "body", string(got.Body))
	require.Equal(t, someProperties(), got.encoded)
	require.Equal(t, []confirmation{{3, true, true}, {4, false, false}}, to.confirms)
}

// While all frames are messages, the driver is shown a heartbeat now and then: it
// takes a silent peer for a dead one.
func TestReaderShowsHeartbeats(t *testing.T) {
	t.Parallel()
	conn := &chunked{data: bytes.Repeat(delivered(t, 5, &Publishing{Body: []byte("x")}), 3), step: 1 << 20}
	s := newSocket(conn, conn, testTimeout)
	place(s, &assembly{channel: 5, to: &receiver{}})
	s.shown = time.Now().Add(-2 * heartbeatShown)
	got, err := readRest(s)
	require.NoError(t, err)
	require.Equal(t, frame.AppendHeartbeat(nil), got, "once")

	// Nothing has come that the driver did not see.
	s = newSocket(&chunked{step: 1}, nil, testTimeout)
	s.shown = time.Now().Add(-2 * heartbeatShown)
	got, err = readRest(s)
	require.NoError(t, err)
	require.Empty(t, got)
}

// Channels come and go on several goroutines at once. No two have a number at once, none is
// forgotten, and none kept.
func TestManyChannels(t *testing.T) {
	t.Parallel()
	s := newSocket(nil, nil, testTimeout)
	const workers, each, most = 8, 100, 16
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				var own [2]assembly
				for i := range own {
					if !s.add(&own[i], most) || own[i].channel < 1 || own[i].channel > most {
						t.Error("there is a number for each")
					}
				}
				for i := range own {
					if s.assemblyOf(own[i].channel) != &own[i] {
						t.Error("messages go to another channel")
					}
					s.remove(&own[i])
				}
			}
		})
	}
	wg.Wait()
	for n := range uint16(most + 10) {
		require.Nil(t, s.assemblyOf(n))
	}
	var as [3]assembly
	require.True(t, s.add(&as[0], 2))
	require.True(t, s.add(&as[1], 2))
	require.False(t, s.add(&as[2], 2), "all numbers are taken")
	s.remove(&as[0])
	s.remove(&as[0])
	require.True(t, s.add(&as[2], 2))
	require.EqualValues(t, 1, as[2].channel, "the lowest that is free")
	s.remove(&as[0]) // its number is another channel's now
	require.Same(t, &as[2], s.assemblyOf(1))
}

// Properties that cannot be parsed make the message a malformed one, and nothing else.
func TestMalformedProperties(t *testing.T) {
	t.Parallel()
	d := frame.BasicDeliver{DeliveryTag: 1}
	stream := frame.AppendHeader(d.AppendFrame(nil, 5), 5, 2, []byte{0x80, 0, 200, 'x'})
	stream = frame.AppendBody(stream, 5, 0, []byte("hi"))
	stream = append(stream, delivered(t, 5, &Publishing{Body: []byte("fine")})...)
	to := &receiver{}
	_, err := readAll(t, stream, 3, &assembly{channel: 5, to: to})
	require.NoError(t, err)
	require.Len(t, to.deliveries, 2)
	require.True(t, to.deliveries[0].Malformed)
	require.Equal(t, "hi", string(to.deliveries[0].Body))
	require.False(t, to.deliveries[1].Malformed)
	require.Equal(t, "fine", string(to.deliveries[1].Body))
}

// A body is its receiver's for ever: frames that come later do not touch it.
func TestBodyWithoutAHeader(t *testing.T) {
	t.Parallel()
	first := delivered(t, 5, &Publishing{Body: []byte("first")})
	stray := (&frame.BasicDeliver{}).AppendFrame(nil, 5)
	stray = frame.AppendBody(stray, 5, 0, []byte("stray"))
	to := &receiver{}
	rest, err := readAll(t, append(append(first, stray...), first...), 1<<20, &assembly{channel: 5, to: to})
	require.NoError(t, err)
	require.Len(t, to.deliveries, 2, "a body without a header is no message")
	for _, d := range to.deliveries {
		require.Equal(t, "first", string(d.Body))
	}
	require.Empty(t, rest)
}

// What the driver reads is the connection's error in the end.
func TestReaderPassesTheErrorOn(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	s := newSocket(a, a, testTimeout)
	go s.read()
	go func() {
		b.Write(frame.AppendHeartbeat(nil))
		b.Write([]byte("HTTP/1.1"))
	}()
	got, err := io.ReadAll(s)
	require.Error(t, err)
	require.Equal(t, frame.AppendHeartbeat(nil), got)
	a.Close()
	b.Close()
}

// FuzzRead: whatever a peer sends, reading neither panics nor hangs, delivers no more
// than was sent, and gives the driver whole frames.
func FuzzRead(f *testing.F) {
	f.Add(delivered(f, 5, &Publishing{Properties: someProperties(), Body: []byte("hello")}), uint8(1))
	f.Add(frame.AppendMethod(nil, 5, &frame.ChannelClose{}), uint8(7))
	ret := frame.BasicReturn{ReplyCode: 312}
	f.Add(ret.AppendFrame(nil, 5), uint8(3))
	f.Add(frame.AppendHeader((&frame.BasicDeliver{}).AppendFrame(nil, 5), 5, 1<<60, []byte{0, 0}), uint8(100))
	f.Add(bytes.Repeat(frame.AppendBody((&frame.BasicDeliver{}).AppendFrame(nil, 5), 5, 0, []byte("xyz")), 3), uint8(9))
	f.Fuzz(func(t *testing.T, data []byte, step uint8) {
		to := &receiver{}
		rest, _ := readAll(t, data, int(step)+1, &assembly{channel: 5, to: to})
		bodies := 0
		for _, m := range append(to.deliveries, to.returns...) {
			bodies += len(m.Body)
		}
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
