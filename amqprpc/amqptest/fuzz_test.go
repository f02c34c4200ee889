package amqptest_test

import (
	"io"
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
	_ = client.Close()

	other := dialRaw(t, b)
	other.open(t, 1)
	other.send(t, 1, &frame.QueueDeclare{})
	expect[*frame.QueueDeclareOk](t, other)
	_ = other.Close()
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

// FuzzConnection sends arbitrary bytes, from the first octet of the connection
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

// FuzzFrames sends arbitrary sequences of well-formed frames: each octet of the
// input chooses one, and some of those after it fill it in.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18"))
	f.Add([]byte{0, 0, 11, 0, 16, 0, 12, 1, 3, 20, 3, 0, 14, 7, 15, 7, 13, 2, 5, 9, 1})
	f.Add([]byte{18, 0, 16, 0, 12, 1, 12, 1, 19, 0, 12, 1, 13, 1, 20, 0, 17, 5})
	f.Fuzz(func(t *testing.T, data []byte) {
		survive(t, true, 2, func(w io.Writer) {
			_ = w.(*rawClient).SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = w.Write(frameSequence(data))
		})
	})
}

// frameSequence makes frames of the fuzzer's octets.
func frameSequence(data []byte) []byte {
	var out []byte
	next := func() byte {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return b
	}
	flag := func() bool { return next()&1 == 1 }
	name := func() string {
		return [...]string{"", "q", "p", "amq.topic", "x", "amq.rabbitmq.reply-to", "amq.gen-x"}[next()%7]
	}
	args := func() frame.Table {
		if !flag() {
			return nil
		}
		keys := [...]string{"x-message-ttl", "x-max-length", "x-expires", "x-dead-letter-exchange", "x-max-priority",
			"x-single-active-consumer", "x-queue-type", "x-overflow", "x-priority", "x-match", "x-delivery-limit",
			"x-dead-letter-routing-key", "alternate-exchange", "x-max-length-bytes"}
		values := [...]any{int32(next()), "reject-publish", true, "quorum", "q", int64(-1), nil, "", "any", "x"}
		var t frame.Table
		for range next() % 3 {
			t = append(t, frame.Field{Key: keys[int(next())%len(keys)], Value: values[int(next())%len(values)]})
		}
		return t
	}
	for len(data) > 0 && len(out) < 1<<16 {
		channel := uint16(next()%3) + 1 // one of them is not open
		var m frame.Method
		switch next() % 24 {
		case 0:
			m = &frame.QueueDeclare{Queue: name(), Durable: flag(), Exclusive: flag(), AutoDelete: flag(), Passive: flag(), NoWait: flag(), Arguments: args()}
		case 1:
			m = &frame.QueueBind{Queue: name(), Exchange: name(), RoutingKey: name(), NoWait: flag(), Arguments: args()}
		case 2:
			m = &frame.QueueUnbind{Queue: name(), Exchange: name(), RoutingKey: name(), Arguments: args()}
		case 3:
			m = &frame.QueueDelete{Queue: name(), IfUnused: flag(), IfEmpty: flag(), NoWait: flag()}
		case 4:
			m = &frame.QueuePurge{Queue: name(), NoWait: flag()}
		case 5:
			m = &frame.ExchangeDeclare{Exchange: name(), Type: [...]string{"direct", "fanout", "topic", "headers"}[next()%4], AutoDelete: flag(), Internal: flag(), NoWait: flag(), Arguments: args()}
		case 6:
			m = &frame.ExchangeDelete{Exchange: name(), IfUnused: flag(), NoWait: flag()}
		case 7:
			m = &frame.ExchangeBind{Destination: name(), Source: name(), RoutingKey: name(), Arguments: args()}
		case 8:
			m = &frame.ExchangeUnbind{Destination: name(), Source: name(), RoutingKey: name(), Arguments: args()}
		case 9:
			m = &frame.BasicQos{PrefetchCount: uint16(next() % 4), Global: flag()}
		case 10, 11:
			m = &frame.BasicConsume{Queue: name(), ConsumerTag: name(), NoAck: flag(), Exclusive: flag(), NoWait: flag(), Arguments: args()}
		case 12:
			p := frame.Properties{Flags: frame.FlagExpiration | frame.FlagPriority | frame.FlagReplyTo | frame.FlagHeaders,
				Expiration: []byte([...]string{"0", "1", "1000"}[next()%3]), Priority: next() % 8, ReplyTo: []byte(name())}
			if flag() {
				p.Headers = frame.AppendFields(nil, frame.Table{{Key: [...]string{"CC", "BCC", "x-death"}[next()%3],
					Value: []any{name(), frame.Table{{Key: "queue", Value: name()}, {Key: "count", Value: int64(1)}}}}})
			}
			out = frame.AppendMethod(out, channel, &frame.BasicPublish{Exchange: []byte(name()), RoutingKey: []byte(name()), Mandatory: flag()})
			body := make([]byte, next())
			out = frame.AppendHeader(out, channel, uint64(len(body)), p.Append(nil))
			out = frame.AppendBody(out, channel, 131072, body)
			continue
		case 13:
			m = &frame.BasicAck{DeliveryTag: uint64(next() % 8), Multiple: flag()}
		case 14:
			m = &frame.BasicNack{DeliveryTag: uint64(next() % 8), Multiple: flag(), Requeue: flag()}
		case 15:
			m = &frame.BasicReject{DeliveryTag: uint64(next() % 8), Requeue: flag()}
		case 16:
			m = &frame.BasicGet{Queue: name(), NoAck: flag()}
		case 17:
			m = &frame.BasicRecover{Requeue: true}
		case 18:
			m = &frame.TxSelect{}
		case 19:
			m = [...]frame.Method{&frame.TxCommit{}, &frame.TxRollback{}}[next()%2]
		case 20:
			m = &frame.ConfirmSelect{NoWait: flag()}
		case 21:
			m = &frame.BasicCancel{ConsumerTag: name(), NoWait: flag()}
		case 22:
			m = [...]frame.Method{&frame.ChannelClose{}, &frame.ChannelOpen{}, &frame.ChannelCloseOk{}}[next()%3]
		case 23:
			typ, n := next()%9, int(next())
			out = frame.AppendFrame(out, typ, channel, data[:min(len(data), n)])
			continue
		}
		out = frame.AppendMethod(out, channel, m)
	}
	return out
}
