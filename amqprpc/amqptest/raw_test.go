package amqptest_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// rawClient speaks frames, so that a test can send what no driver would and
// leave unread what a driver reads.
type rawClient struct {
	net.Conn
	frames *frame.Reader
}

// dialRaw connects and shakes hands as far as connection.open-ok.
func dialRaw(t testing.TB, b *amqptest.Broker) *rawClient {
	t.Helper()
	c := greetRaw(t, b)
	c.send(t, 0, &frame.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072})
	c.send(t, 0, &frame.ConnectionOpen{VirtualHost: "/"})
	expect[*frame.ConnectionOpenOk](t, c)
	return c
}

// greetRaw connects and logs in.
func greetRaw(t testing.TB, b *amqptest.Broker) *rawClient {
	t.Helper()
	nc, err := b.Dial("tcp", "")
	if b.Addr() != "" {
		_ = nc.Close()
		nc, err = net.Dial("tcp", b.Addr())
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	c := &rawClient{nc, frame.NewReader(nc, 131072)}
	_, err = nc.Write([]byte(frame.ProtocolHeader))
	require.NoError(t, err)
	expect[*frame.ConnectionStart](t, c)
	c.send(t, 0, &frame.ConnectionStartOk{Mechanism: "PLAIN", Response: []byte("\x00guest\x00guest"), Locale: "en_US",
		ClientProperties: frame.Table{{Key: "capabilities", Value: frame.Table{
			{Key: "consumer_cancel_notify", Value: true}, {Key: "connection.blocked", Value: true}}}}})
	expect[*frame.ConnectionTune](t, c)
	return c
}

func (c *rawClient) send(t testing.TB, channel uint16, m frame.Method) {
	t.Helper()
	_, err := c.Write(frame.AppendMethod(nil, channel, m))
	require.NoError(t, err)
}

// open opens a channel.
func (c *rawClient) open(t testing.TB, channel uint16) {
	t.Helper()
	c.send(t, channel, &frame.ChannelOpen{})
	expect[*frame.ChannelOpenOk](t, c)
}

// content is the frames of a message.
func content(channel uint16, key string, props frame.Properties, body []byte) []byte {
	b := frame.AppendMethod(nil, channel, &frame.BasicPublish{RoutingKey: []byte(key)})
	b = frame.AppendHeader(b, channel, uint64(len(body)), props.Append(nil))
	return frame.AppendBody(b, channel, 131072, body)
}

// next is the next method, whatever its channel; content is skipped.
func (c *rawClient) next() (frame.Method, error) {
	for {
		f, err := c.frames.Next()
		if err != nil {
			return nil, err
		}
		if f.Type != frame.TypeMethod {
			continue
		}
		id, fields, ok := frame.MethodID(f.Payload)
		if !ok {
			return nil, errors.New("a method frame without a method")
		}
		return frame.ParseMethod(id, fields)
	}
}

// expect reads the next method, which must be an M.
func expect[M frame.Method](t testing.TB, c *rawClient) M {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
	m, err := c.next()
	require.NoError(t, err)
	require.IsType(t, *new(M), m)
	return m.(M)
}

// expectEnd reads until the connection ends, and the last method must be
// connection.close with that code, or none for zero.
func expectEnd(t testing.TB, c *rawClient, code uint16) {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
	var got uint16
	for {
		m, err := c.next()
		if err != nil {
			require.NotErrorIs(t, err, net.ErrClosed)
			require.False(t, errors.Is(err, io.ErrNoProgress))
			var timeout net.Error
			require.False(t, errors.As(err, &timeout) && timeout.Timeout(), "the connection does not end")
			break
		}
		if closing, ok := m.(*frame.ConnectionClose); ok {
			got = closing.ReplyCode
			c.send(t, 0, &frame.ConnectionCloseOk{})
		}
	}
	require.Equal(t, code, got)
}
