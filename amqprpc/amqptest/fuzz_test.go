package amqptest_test

import (
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// legitimate are the codes with which RabbitMQ closes a connection or a channel
// over what a client sent.
var legitimate = map[uint16]bool{
	403: true, 404: true, 405: true, 406: true, 501: true, 502: true, 503: true, 504: true, 505: true,
	530: true, 540: true, 541: true,
}

// survive feeds bytes to a connection of a broker of its own and requires that
// everything that comes back is sound, that the connection can be ended, and
// that the broker still serves others.
func survive(t *testing.T, handshake bool, channels int, feed func(io.Writer)) {
	watchdog := time.AfterFunc(2*patience, func() { panic("hung") }) // with the stacks of all
	defer watchdog.Stop()
	b := amqptest.NewBroker(amqptest.WithoutListener(), amqptest.WithMaxMessageSize(1<<20),
		amqptest.WithMemoryLimit(8<<20))
	var client *rawClient
	if handshake {
		client = dialRaw(t, b)
		for n := range channels {
			client.open(t, uint16(n+1))
		}
	} else {
		nc, err := b.Dial("tcp", "")
		require.NoError(t, err)
		client = &rawClient{nc, frame.NewReader(nc, 131072)}
	}
	read := make(chan error, 1)
	go func() { read <- readSoundly(client) }()
	feed(client)
	// What was fed may have left the broker waiting for the rest of a frame.
	require.NoError(t, client.SetDeadline(time.Now().Add(5*time.Millisecond)))
	_, _ = client.Write(frame.AppendMethod(nil, 0, &frame.ConnectionClose{ReplyCode: 200}))
	require.NoError(t, <-read)
	require.NoError(t, b.CheckInvariants())
	_ = client.Close()

	other := dialRaw(t, b)
	other.open(t, 1)
	other.send(t, 1, &frame.QueueDeclare{})
	expect[*frame.QueueDeclareOk](t, other)
	_ = other.Close()
	require.NoError(t, b.CheckInvariants())
	done := make(chan error, 1)
	go func() { done <- b.Close() }()
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(patience):
		require.FailNow(t, "the broker does not close")
	}
}

// readSoundly reads frames until the connection ends.
func readSoundly(c *rawClient) error {
	for {
		m, err := c.next()
		switch err := err.(type) {
		case *frame.SizeError:
			if err.Type == 'A' && err.Channel == 'M'<<8|'Q' {
				return nil // the protocol header, to a client that speaks another protocol
			}
			return err
		case *frame.EndError, *frame.FieldsError, *frame.UnknownMethodError:
			return err
		}
		if err != nil {
			return nil // the end
		}
		var code uint16
		switch m := m.(type) {
		case *frame.ConnectionCloseOk:
			return nil
		case *frame.ConnectionClose:
			code = m.ReplyCode
		case *frame.ChannelClose:
			code = m.ReplyCode
		default:
			continue
		}
		if !legitimate[code] {
			return io.ErrUnexpectedEOF
		}
	}
}

// FuzzConnection sends arbitrary bytes, from the first byte of the connection
// on or after the handshake.
func FuzzConnection(f *testing.F) {
	f.Add(true, frame.AppendMethod(nil, 1, &frame.QueueDeclare{Queue: "q"}))
	f.Add(true, content(1, "q", frame.Properties{Flags: frame.FlagExpiration, Expiration: []byte("1")}, []byte("x")))
	f.Add(true, []byte{1, 0, 1, 0xff, 0xff, 0xff, 0xff})
	f.Add(false, []byte(frame.ProtocolHeader))
	f.Add(false, append([]byte(frame.ProtocolHeader), frame.AppendMethod(nil, 0, &frame.ConnectionStartOk{
		Mechanism: "AMQPLAIN", Response: []byte{5, 'L', 'O', 'G', 'I', 'N', 'F', 0xff}})...))
	f.Fuzz(func(t *testing.T, handshake bool, data []byte) {
		survive(t, handshake, 1, func(w io.Writer) {
			_ = w.(*rawClient).SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = w.Write(data)
		})
	})
}

// FuzzFrames sends arbitrary sequences of well-formed frames: each byte of the
// input chooses one, and some of those after it fill it in.
func FuzzFrames(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		seed := make([]byte, 50+r.IntN(300))
		for i := range seed {
			seed[i] = byte(r.IntN(24))
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		survive(t, true, 2, func(w io.Writer) {
			_ = w.(*rawClient).SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = w.Write(frameSequence(data))
		})
	})
}

// frameSequence makes frames of the fuzzer's bytes.
func frameSequence(data []byte) []byte {
	src := &frameSource{data: data}
	var out []byte
	for len(src.data) > 0 && len(out) < 1<<16 {
		channel := uint16(src.next()%3) + 1 // one of them is not open
		switch choice := src.next() % 24; choice {
		case 22:
			out = append(out, src.message(channel)...)
		case 23:
			typ, n := src.next()%9, int(src.next())
			out = frame.AppendFrame(out, typ, channel, src.data[:min(len(src.data), n)])
		default:
			out = frame.AppendMethod(out, channel, src.method(choice))
		}
	}
	return out
}

// frameSource turns bytes into choices; when they run out all are zero.
type frameSource struct{ data []byte }

func (s *frameSource) next() byte {
	if len(s.data) == 0 {
		return 0
	}
	b := s.data[0]
	s.data = s.data[1:]
	return b
}

func (s *frameSource) flag() bool { return s.next()&1 == 1 }

func (s *frameSource) name() string {
	return [...]string{"", "q", "p", "amq.topic", "x", "amq.rabbitmq.reply-to", "amq.gen-x"}[s.next()%7]
}

func (s *frameSource) arguments() frame.Table {
	keys := [...]string{"x-message-ttl", "x-max-length", "x-expires", "x-dead-letter-exchange", "x-max-priority",
		"x-single-active-consumer", "x-queue-type", "x-overflow", "x-priority", "x-match", "x-delivery-limit",
		"x-dead-letter-routing-key", "alternate-exchange", "x-max-length-bytes"}
	values := [...]any{int32(s.next()), "reject-publish", true, "quorum", "q", int64(-1), nil, "", "any", "x"}
	var t frame.Table
	for range s.next() % 3 {
		t = append(t, frame.Field{Key: keys[int(s.next())%len(keys)], Value: values[int(s.next())%len(values)]})
	}
	return t
}

// method is one of 22 kinds.
func (s *frameSource) method(kind byte) frame.Method {
	switch kind {
	case 0:
		return &frame.QueueDeclare{Queue: s.name(), Durable: s.flag(), Exclusive: s.flag(), AutoDelete: s.flag(),
			Passive: s.flag(), NoWait: s.flag(), Arguments: s.arguments()}
	case 1:
		return &frame.QueueBind{Queue: s.name(), Exchange: s.name(), RoutingKey: s.name(), NoWait: s.flag(), Arguments: s.arguments()}
	case 2:
		return &frame.QueueUnbind{Queue: s.name(), Exchange: s.name(), RoutingKey: s.name(), Arguments: s.arguments()}
	case 3:
		return &frame.QueueDelete{Queue: s.name(), IfUnused: s.flag(), IfEmpty: s.flag(), NoWait: s.flag()}
	case 4:
		return &frame.QueuePurge{Queue: s.name(), NoWait: s.flag()}
	case 5:
		return &frame.ExchangeDeclare{Exchange: s.name(), Type: [...]string{"direct", "fanout", "topic", "headers"}[s.next()%4],
			AutoDelete: s.flag(), Internal: s.flag(), NoWait: s.flag(), Arguments: s.arguments()}
	case 6:
		return &frame.ExchangeDelete{Exchange: s.name(), IfUnused: s.flag(), NoWait: s.flag()}
	case 7:
		return &frame.ExchangeBind{Destination: s.name(), Source: s.name(), RoutingKey: s.name(), Arguments: s.arguments()}
	case 8:
		return &frame.ExchangeUnbind{Destination: s.name(), Source: s.name(), RoutingKey: s.name(), Arguments: s.arguments()}
	case 9:
		return [...]frame.Method{&frame.ChannelClose{}, &frame.ChannelOpen{}, &frame.ChannelCloseOk{}}[s.next()%3]
	}
	return s.basicMethod(kind)
}

func (s *frameSource) basicMethod(kind byte) frame.Method {
	switch kind {
	case 10, 11:
		return &frame.BasicConsume{Queue: s.name(), ConsumerTag: s.name(), NoAck: s.flag(), Exclusive: s.flag(),
			NoWait: s.flag(), Arguments: s.arguments()}
	case 12:
		return &frame.BasicQos{PrefetchCount: uint16(s.next() % 4), Global: s.flag()}
	case 13:
		return &frame.BasicAck{DeliveryTag: uint64(s.next() % 8), Multiple: s.flag()}
	case 14:
		return &frame.BasicNack{DeliveryTag: uint64(s.next() % 8), Multiple: s.flag(), Requeue: s.flag()}
	case 15:
		return &frame.BasicReject{DeliveryTag: uint64(s.next() % 8), Requeue: s.flag()}
	case 16:
		return &frame.BasicGet{Queue: s.name(), NoAck: s.flag()}
	case 17:
		return &frame.BasicRecover{Requeue: true}
	case 18:
		return &frame.TxSelect{}
	case 19:
		return [...]frame.Method{&frame.TxCommit{}, &frame.TxRollback{}}[s.next()%2]
	case 20:
		return &frame.ConfirmSelect{NoWait: s.flag()}
	}
	return &frame.BasicCancel{ConsumerTag: s.name(), NoWait: s.flag()}
}

// message is a publish with its content.
func (s *frameSource) message(channel uint16) []byte {
	p := frame.Properties{Flags: frame.FlagExpiration | frame.FlagPriority | frame.FlagReplyTo | frame.FlagHeaders,
		Expiration: []byte([...]string{"0", "1", "1000"}[s.next()%3]), Priority: s.next() % 8, ReplyTo: []byte(s.name())}
	if s.flag() {
		p.Headers = frame.AppendFields(nil, frame.Table{{Key: [...]string{"CC", "BCC", "x-death"}[s.next()%3],
			Value: []any{s.name(), frame.Table{{Key: "queue", Value: s.name()}, {Key: "count", Value: int64(1)}}}}})
	}
	out := frame.AppendMethod(nil, channel, &frame.BasicPublish{Exchange: []byte(s.name()), RoutingKey: []byte(s.name()),
		Mandatory: s.flag()})
	body := make([]byte, s.next())
	out = frame.AppendHeader(out, channel, uint64(len(body)), p.Append(nil))
	return frame.AppendBody(out, channel, 131072, body)
}
