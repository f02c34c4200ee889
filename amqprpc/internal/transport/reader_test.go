package transport

import (
	"bytes"
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
	data  []byte
	step  int
	wrote []byte
}

func (*chunked) SetWriteDeadline(time.Time) error { return nil }
func (*chunked) Close() error                     { return nil }

func (c *chunked) Write(p []byte) (int, error) {
	c.wrote = append(c.wrote, p...)
	return len(p), nil
}

func (c *chunked) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.step)], c.data)
	c.data = c.data[n:]
	return n, nil
}

// readAll reads the data to its end. It returns what was written meanwhile, and why the
// connection was lost.
func readAll(data []byte, step int, as ...*assembly) ([]byte, error) {
	conn := &chunked{data: data, step: step}
	s := newSocket(conn, conn, testTimeout)
	place(s, as...)
	s.read()
	s.wait()
	return conn.wrote, *s.fault.Load()
}

const ended = "the connection was lost: EOF"

// place registers channels under the numbers that they have.
func place(s *socket, as ...*assembly) {
	s.reader.edit(func(slots []*assembly) []*assembly {
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

// What the broker must not send ends the connection with AMQP's reply code. What may come late
// is ignored.
func TestReaderRefuses(t *testing.T) {
	t.Parallel()
	ours := delivered(t, 5, &Publishing{Key: "q", Body: []byte("x")})
	malformed := (&frame.BasicDeliver{}).AppendFrame(nil, 5)[:frame.Overhead+10]
	for name, c := range map[string]struct {
		stream []byte
		code   int
	}{
		"an answer that nobody wants":     {frame.AppendMethod(nil, 5, &frame.QueueDeclareOk{Queue: "q"}), 503},
		"the end that nobody wants":       {frame.AppendMethod(nil, 5, &frame.ChannelCloseOk{}), 503},
		"a method of clients":             {frame.AppendMethod(nil, 5, &frame.QueueDeclare{Queue: "q"}), 503},
		"a method without fields":         {frame.AppendFrame(nil, frame.TypeMethod, 5, malformed[7:11]), 502},
		"no method":                       {frame.AppendFrame(nil, frame.TypeMethod, 5, []byte{1}), 502},
		"a method of the connection":      {frame.AppendMethod(nil, 5, &frame.ConnectionBlocked{}), 503},
		"another channel's":               {delivered(t, 6, &Publishing{Body: []byte("another channel's")}), 504},
		"a body on channel 0":             {frame.AppendBody(nil, 0, 0, []byte("x")), 505},
		"a method on channel 0":           {frame.AppendMethod(nil, 0, &frame.ChannelOpenOk{}), 503},
		"a malformed method on channel 0": {frame.AppendFrame(nil, frame.TypeMethod, 0, []byte{1}), 502},
		"connection.close-ok":             {frame.AppendMethod(nil, 0, &frame.ConnectionCloseOk{}), 503},

		"a body alone":                  {frame.AppendBody(nil, 5, 0, []byte("x")), 0},
		"a heartbeat":                   {frame.AppendHeartbeat(nil), 0},
		"connection.unblocked":          {frame.AppendMethod(nil, 0, &frame.ConnectionUnblocked{}), 0},
		"the rest of another's message": {frame.AppendBody(nil, 6, 0, []byte("x")), 0},
	} {
		to := &receiver{}
		stream := append(append(append([]byte(nil), ours...), c.stream...), ours...)
		wrote, err := readAll(stream, 11, &assembly{channel: 5, to: to})
		if c.code == 0 {
			require.EqualError(t, err, ended, name)
			require.Empty(t, wrote)
			require.Len(t, to.deliveries, 2, name)
			continue
		}
		require.Equal(t, c.code, Code(err), name)
		require.ErrorContains(t, err, "the broker broke the protocol", name)
		require.Len(t, to.deliveries, 1, name)
		f, err := frame.NewReader(bytes.NewReader(wrote), frameMax).Next()
		require.NoError(t, err)
		id, fields, _ := frame.MethodID(f.Payload)
		m, err := frame.ParseMethod(id, fields)
		require.NoError(t, err)
		require.EqualValues(t, c.code, m.(*frame.ConnectionClose).ReplyCode, name)
	}
}

// After channel.close of the broker's nothing comes in, and close-ok is the last that goes out.
func TestReaderOfAChannelThatIsClosed(t *testing.T) {
	t.Parallel()
	stream := frame.AppendMethod(nil, 5, &frame.BasicCancel{ConsumerTag: "c"})
	stream = frame.AppendMethod(stream, 5, &frame.ChannelClose{ReplyCode: 406, ReplyText: "no"})
	to := &receiver{}
	a := &assembly{channel: 5, to: to}
	wrote, err := readAll(append(stream, frame.AppendHeartbeat(nil)...), 11, a)
	require.EqualError(t, err, ended)
	require.Equal(t, frame.AppendMethod(nil, 5, &frame.ChannelCloseOk{}), wrote)
	require.Equal(t, 1, to.cancelled)
	require.Len(t, to.closed, 1)
	require.Equal(t, 406, (<-a.closed).Code)
	require.ErrorIs(t, a.socket.writeFrames(a, []byte("x"), atOnce), ErrClosed)
	require.Nil(t, a.socket.assemblyOf(5), "its number is free")
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
	_, err := readAll(stream, 3, &assembly{channel: 5, to: to})
	require.EqualError(t, err, ended)
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
	readAll(stream, 3, &assembly{channel: 5, to: to})
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
	readAll(append(append(first, stray...), first...), 1<<20, &assembly{channel: 5, to: to})
	require.Len(t, to.deliveries, 2, "a body without a header is no message")
	for _, d := range to.deliveries {
		require.Equal(t, "first", string(d.Body))
	}
}

// What is not AMQP ends the connection.
func TestReaderOfSomethingElse(t *testing.T) {
	t.Parallel()
	wrote, err := readAll(append(frame.AppendHeartbeat(nil), "HTTP/1.1"...), 3)
	require.ErrorContains(t, err, "the connection was lost: frame: ")
	require.Empty(t, wrote)
}

// FuzzRead: whatever a peer sends, reading neither panics nor hangs, delivers no more
// than was sent, and writes whole frames.
func FuzzRead(f *testing.F) {
	f.Add(delivered(f, 5, &Publishing{Properties: someProperties(), Body: []byte("hello")}), uint8(1))
	f.Add(frame.AppendMethod(nil, 5, &frame.ChannelClose{}), uint8(7))
	ret := frame.BasicReturn{ReplyCode: 312}
	f.Add(ret.AppendFrame(nil, 5), uint8(3))
	f.Add(frame.AppendHeader((&frame.BasicDeliver{}).AppendFrame(nil, 5), 5, 1<<60, []byte{0, 0}), uint8(100))
	f.Add(bytes.Repeat(frame.AppendBody((&frame.BasicDeliver{}).AppendFrame(nil, 5), 5, 0, []byte("xyz")), 3), uint8(9))
	f.Fuzz(func(t *testing.T, data []byte, step uint8) {
		to := &receiver{}
		wrote, _ := readAll(data, int(step)+1, &assembly{channel: 5, to: to})
		bodies := 0
		for _, m := range append(to.deliveries, to.returns...) {
			bodies += len(m.Body)
		}
		if bodies > len(data) {
			t.Fatalf("%d bytes of bodies out of %d", bodies, len(data))
		}
		r := frame.NewReader(bytes.NewReader(wrote), frameMax)
		for {
			if _, err := r.Next(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%v was written: %x", err, wrote)
			}
		}
	})
}
