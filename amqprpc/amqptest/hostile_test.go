package amqptest_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

func TestHostileFrames(t *testing.T) {
	t.Parallel()
	publish := frame.AppendMethod(nil, 1, &frame.BasicPublish{})
	header := func(size uint64, props []byte) []byte { return frame.AppendHeader(nil, 1, size, props) }
	nothing := (&frame.Properties{}).Append(nil)
	for name, c := range map[string]struct {
		bytes []byte
		code  uint16 // of connection.close; zero if there is none
	}{
		"frame over the limit":      {[]byte{1, 0, 1, 0xff, 0xff, 0xff, 0xff}, 501},
		"wrong end":                 {[]byte{1, 0, 1, 0, 0, 0, 0, 0}, 501},
		"unknown type":              {frame.AppendFrame(nil, 7, 1, nil), 501},
		"unknown type on zero":      {frame.AppendFrame(nil, 7, 0, nil), 501},
		"method without a number":   {frame.AppendFrame(nil, frame.TypeMethod, 1, []byte{0}), 501},
		"unknown method":            {frame.AppendFrame(nil, frame.TypeMethod, 1, []byte{0, 60, 0, 99}), 0},
		"truncated method":          {frame.AppendFrame(nil, frame.TypeMethod, 1, []byte{0, 60, 0, 80, 0}), 501},
		"truncated publish":         {frame.AppendFrame(nil, frame.TypeMethod, 1, []byte{0, 60, 0, 40, 0, 0, 9}), 501},
		"method of another channel": {frame.AppendMethod(nil, 2, &frame.BasicAck{DeliveryTag: 1}), 504},
		"publish on no channel":     {frame.AppendMethod(nil, 2, &frame.BasicPublish{}), 504},
		"second open":               {frame.AppendMethod(nil, 1, &frame.ChannelOpen{}), 504},
		"channel method on zero":    {frame.AppendMethod(nil, 0, &frame.ChannelOpen{}), 504},
		"connection method on one":  {frame.AppendMethod(nil, 1, &frame.ConnectionOpen{VirtualHost: "/"}), 503},
		"broker's method":           {frame.AppendMethod(nil, 1, &frame.QueueDeclareOk{}), 503},
		"broker's content":          {frame.AppendMethod(nil, 1, &frame.BasicDeliver{}), 503},
		"header without publish":    {header(0, nothing), 505},
		"body without publish":      {frame.AppendFrame(nil, frame.TypeBody, 1, []byte("x")), 505},
		"method instead of header":  {append(publish[:len(publish):len(publish)], publish...), 505},
		"body instead of header":    {append(publish[:len(publish):len(publish)], frame.AppendFrame(nil, frame.TypeBody, 1, nil)...), 505},
		"short header":              {append(publish[:len(publish):len(publish)], frame.AppendFrame(nil, frame.TypeHeader, 1, []byte{0, 60})...), 501},
		"header of another class":   {append(publish[:len(publish):len(publish)], frame.AppendFrame(nil, frame.TypeHeader, 1, make([]byte, 14))...), 505},
		"malformed properties":      {append(publish[:len(publish):len(publish)], header(0, []byte{0xff, 0xff})...), 541},
		"no properties":             {append(publish[:len(publish):len(publish)], header(0, nil)...), 541},
		"body frame on zero":        {frame.AppendFrame(nil, frame.TypeBody, 0, []byte("x")), 505},
		"heartbeat on one":          {frame.AppendFrame(nil, frame.TypeHeartbeat, 1, nil), 505},
		"heartbeat that says more":  {frame.AppendFrame(nil, frame.TypeHeartbeat, 0, []byte("x")), 501},
		"flow off":                  {frame.AppendMethod(nil, 1, &frame.ChannelFlow{}), 540},
		"immediate":                 {append(frame.AppendMethod(nil, 1, &frame.BasicPublish{Immediate: true}), header(0, nothing)...), 540},
		"prefetch size":             {frame.AppendMethod(nil, 1, &frame.BasicQos{PrefetchSize: 1}), 540},
		"unknown exchange type":     {frame.AppendMethod(nil, 1, &frame.ExchangeDeclare{Exchange: "x", Type: "y"}), 503},
		"recover without requeue":   {frame.AppendMethod(nil, 1, &frame.BasicRecover{}), 540},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBroker(t, amqptest.WithoutListener())
			client := dialRaw(t, b)
			client.open(t, 1)
			_, err := client.Write(c.bytes)
			require.NoError(t, err)
			expectEnd(t, client, c.code)
			dialRaw(t, b) // the broker lives
		})
	}
}

func TestHostileHandshakes(t *testing.T) {
	t.Parallel()
	b := newBroker(t, amqptest.WithoutListener())
	for name, c := range map[string]struct {
		bytes []byte
		code  uint16
	}{
		"tune-ok of too few octets":      {frame.AppendMethod(nil, 0, &frame.ConnectionTuneOk{FrameMax: 1}), 0},
		"open before tune-ok":            {frame.AppendMethod(nil, 0, &frame.ConnectionOpen{VirtualHost: "/"}), 0},
		"channel before open":            {frame.AppendMethod(nil, 1, &frame.ChannelOpen{}), 0},
		"frame over the limit until now": {[]byte{1, 0, 0, 0, 0, 0x10, 0x01}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := greetRaw(t, b)
			_, err := client.Write(c.bytes)
			require.NoError(t, err)
			expectEnd(t, client, c.code)
		})
	}
	t.Run("another protocol", func(t *testing.T) {
		t.Parallel()
		nc, err := b.Dial("tcp", "")
		require.NoError(t, err)
		defer nc.Close()
		_, err = nc.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
		require.NoError(t, err)
		answer := make([]byte, 100)
		n, err := nc.Read(answer)
		require.NoError(t, err)
		require.Equal(t, frame.ProtocolHeader, string(answer[:n]))
		_, err = nc.Read(answer)
		require.Error(t, err)
	})
}

// heap is what is reachable now, in bytes.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A header may announce any size: only what comes is kept, up to the limit.
func TestAnnouncedSizesCostNothing(t *testing.T) {
	before := heap()
	b := newBroker(t, amqptest.WithoutListener(), amqptest.WithMaxMessageSize(1<<20))
	client := dialRaw(t, b)
	nothing := (&frame.Properties{}).Append(nil)
	var bytes []byte
	for channel := uint16(1); channel <= 100; channel++ {
		client.open(t, channel)
		bytes = frame.AppendMethod(bytes, channel, &frame.BasicPublish{})
		bytes = frame.AppendHeader(bytes, channel, 1<<62, nothing)
	}
	_, err := client.Write(bytes)
	require.NoError(t, err)
	piece := frame.AppendFrame(nil, frame.TypeBody, 1, make([]byte, 100_000))
	for range 200 { // 20 MB of a body that may be 1 MiB
		_, err = client.Write(piece)
		require.NoError(t, err)
	}
	client.send(t, 200, &frame.ChannelOpen{})
	expect[*frame.ChannelOpenOk](t, client)
	require.Less(t, heap(), before+16<<20)
}

func TestTooLargeMessageIsRefused(t *testing.T) {
	t.Parallel()
	b := newBroker(t, amqptest.WithoutListener(), amqptest.WithMaxMessageSize(1000))
	client := dialRaw(t, b)
	client.open(t, 1)
	_, err := client.Write(content(1, "q", frame.Properties{}, make([]byte, 1001)))
	require.NoError(t, err)
	m := expect[*frame.ChannelClose](t, client)
	require.Equal(t, "PRECONDITION_FAILED - message size 1001 is larger than configured max size 1000", m.ReplyText)
	require.Equal(t, []uint16{406, 60, 40}, []uint16{m.ReplyCode, m.ClassID, m.MethodID})
	client.send(t, 1, &frame.BasicAck{DeliveryTag: 7}) // nobody listens
	client.send(t, 1, &frame.ChannelCloseOk{})
	client.open(t, 1)
}

func TestChannelMaxIsKept(t *testing.T) {
	t.Parallel()
	b := newBroker(t, amqptest.WithoutListener(), amqptest.WithChannelMax(2))
	c := greetRaw(t, b)
	c.send(t, 0, &frame.ConnectionTuneOk{ChannelMax: 2, FrameMax: 4096})
	c.send(t, 0, &frame.ConnectionOpen{VirtualHost: "/"})
	expect[*frame.ConnectionOpenOk](t, c)
	c.open(t, 1)
	c.open(t, 2)
	c.send(t, 3, &frame.ChannelOpen{})
	m := expect[*frame.ConnectionClose](t, c)
	require.Equal(t, "NOT_ALLOWED - number of channels opened (2) has reached the negotiated channel_max (2)", m.ReplyText)
}

// A pattern of many # has more ways through a key than there is time.
func TestManyWildcardsTakeNoTime(t *testing.T) {
	t.Parallel()
	ch := channel(t)
	declare(t, ch, "q", nil)
	bind(t, ch, "q", strings.Repeat("#.a.", 60)+"b", "amq.topic", nil)
	began := time.Now()
	send(t, ch, "amq.topic", strings.Repeat("a.", 120)+"c", nil)
	require.Equal(t, 0, count(t, ch, "q"))
	require.Less(t, time.Since(began), patience)
}
