package transport_test

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/transport"
)

// peer is a broker that does what a test says, and nothing else. It is for use in a bubble.
type peer struct {
	t       *testing.T
	conn    net.Conn
	r       *frame.Reader
	blocked chan transport.Blocking // what the client learns
}

// dialPeer connects to a peer, and ends the connection with the test.
func dialPeer(t *testing.T) (*transport.Conn, *peer) {
	t.Helper()
	a, b := net.Pipe()
	p := &peer{t, b, frame.NewReader(b, 1<<20), make(chan transport.Blocking, 10)}
	cfg := config("amqp://guest:guest@peer:1/")
	cfg.Dial = func(string, string) (net.Conn, error) { return a, nil }
	go func() {
		if _, err := p.r.ReadProtocolHeader(); err != nil {
			return
		}
		p.send(0, &frame.ConnectionStart{VersionMinor: 9, Mechanisms: "PLAIN", Locales: "en_US"})
		expect[*frame.ConnectionStartOk](p, 0)
		p.send(0, &frame.ConnectionTune{ChannelMax: 3, FrameMax: 4096, Heartbeat: 10})
		expect[*frame.ConnectionTuneOk](p, 0)
		expect[*frame.ConnectionOpen](p, 0)
		// The driver may read both at once.
		b.Write(frame.AppendMethod(frame.AppendMethod(nil, 0, &frame.ConnectionOpenOk{}), 0, &frame.ConnectionBlocked{Reason: "early"}))
	}()
	c, err := newDialer(t, cfg).Dial(t.Context(), transport.Watcher{Blocked: func(b transport.Blocking) { p.blocked <- b }})
	require.NoError(t, err)
	t.Cleanup(func() { c.Abort(); b.Close() })
	return c, p
}

// send sends a method. What was sent in vain, the test learns elsewhere.
func (p *peer) send(channel uint16, m frame.Method) {
	p.conn.Write(frame.AppendMethod(nil, channel, m))
}

// read returns the next frame that is no heartbeat. It is nil when the connection has ended.
func (p *peer) read() *frame.Frame {
	for {
		f, err := p.r.Next()
		if err != nil {
			return nil
		}
		if f.Type != frame.TypeHeartbeat {
			return &f
		}
	}
}

// expect returns the next method, which is of that kind and on that channel.
func expect[M frame.Method](p *peer, channel uint16) (m M) {
	f := p.read()
	if f == nil {
		p.t.Errorf("the connection has ended instead of a %T", m)
		return m
	}
	id, fields, _ := frame.MethodID(f.Payload)
	got, err := frame.ParseMethod(id, fields)
	m, ok := got.(M)
	if err != nil || !ok || f.Channel != channel {
		p.t.Errorf("%T on channel %d instead of %T on %d", got, f.Channel, m, channel)
	}
	return m
}

// open opens a channel, under that number.
func (p *peer) open(c *transport.Conn, number uint16) (*transport.Channel, *collector) {
	p.t.Helper()
	go func() {
		expect[*frame.ChannelOpen](p, number)
		p.send(number, &frame.ChannelOpenOk{})
	}()
	ch, to := open(p.t, c)
	require.Equal(p.t, number, ch.Number())
	return ch, to
}

// methods are the methods that wait for an answer, and the answers.
var methods = map[string]struct {
	call   func(ctx context.Context, ch *transport.Channel) error
	wrote  func(p *peer)
	answer frame.Method
}{
	"confirm": {
		func(ctx context.Context, ch *transport.Channel) error { return ch.Confirm(ctx) },
		func(p *peer) { expect[*frame.ConfirmSelect](p, 1) }, &frame.ConfirmSelectOk{},
	},
	"prefetch": {
		func(ctx context.Context, ch *transport.Channel) error { return ch.Prefetch(ctx, 7) },
		func(p *peer) { require.Equal(p.t, &frame.BasicQos{PrefetchCount: 7}, expect[*frame.BasicQos](p, 1)) }, &frame.BasicQosOk{},
	},
	"consume": {
		func(ctx context.Context, ch *transport.Channel) error { return ch.Consume(ctx, "q", "tag", true, 4) },
		func(p *peer) {
			args := frame.Table{{Key: "x-priority", Value: int32(4)}}
			require.Equal(p.t, &frame.BasicConsume{Queue: "q", ConsumerTag: "tag", NoAck: true, Arguments: args}, expect[*frame.BasicConsume](p, 1))
		}, &frame.BasicConsumeOk{ConsumerTag: "tag"},
	},
	"cancel": {
		func(ctx context.Context, ch *transport.Channel) error { return ch.Cancel(ctx, "tag") },
		func(p *peer) { require.Equal(p.t, "tag", expect[*frame.BasicCancel](p, 1).ConsumerTag) }, &frame.BasicCancelOk{ConsumerTag: "tag"},
	},
	"declare queue": {
		func(ctx context.Context, ch *transport.Channel) error {
			info, err := ch.DeclareQueue(ctx, transport.QueueDeclaration{
				Durable: true, AutoDelete: true, Args: transport.Table{"x": []any{1, time.Unix(2, 0), transport.Table{"y": "z"}}},
			})
			if err == nil {
				require.Equal(panics{}, transport.QueueInfo{Name: "q", Messages: 3, Consumers: 2}, info)
			}
			return err
		},
		func(p *peer) {
			args := frame.Table{{Key: "x", Value: []any{int32(1), frame.Timestamp(2), frame.Table{{Key: "y", Value: "z"}}}}}
			require.Equal(p.t, &frame.QueueDeclare{Durable: true, AutoDelete: true, Arguments: args}, expect[*frame.QueueDeclare](p, 1))
		}, &frame.QueueDeclareOk{Queue: "q", MessageCount: 3, ConsumerCount: 2},
	},
	"delete queue": {
		func(ctx context.Context, ch *transport.Channel) error { return ch.DeleteQueue(ctx, "q") },
		func(p *peer) { require.Equal(p.t, &frame.QueueDelete{Queue: "q"}, expect[*frame.QueueDelete](p, 1)) }, &frame.QueueDeleteOk{},
	},
	"declare exchange": {
		func(ctx context.Context, ch *transport.Channel) error {
			return ch.DeclareExchange(ctx, "x", transport.KindHeaders)
		},
		func(p *peer) {
			require.Equal(p.t, &frame.ExchangeDeclare{Exchange: "x", Type: "headers", Durable: true}, expect[*frame.ExchangeDeclare](p, 1))
		}, &frame.ExchangeDeclareOk{},
	},
	"bind queue": {
		func(ctx context.Context, ch *transport.Channel) error {
			return ch.BindQueue(ctx, "q", "k", "x", false, nil)
		},
		func(p *peer) {
			require.Equal(p.t, &frame.QueueBind{Queue: "q", RoutingKey: "k", Exchange: "x"}, expect[*frame.QueueBind](p, 1))
		}, &frame.QueueBindOk{},
	},
	"close": {
		func(ctx context.Context, ch *transport.Channel) error { return ch.Close(ctx) },
		func(p *peer) { require.EqualValues(p.t, 200, expect[*frame.ChannelClose](p, 1).ReplyCode) }, &frame.ChannelCloseOk{},
	},
}

// panics is a TestingT for goroutines that are not the test's.
type panics struct{}

func (panics) Errorf(format string, args ...any) { panic(format) }
func (panics) FailNow()                          {}

// inBubble runs f for each method, with an open channel.
func inBubble(t *testing.T, f func(t *testing.T, c *transport.Conn, p *peer, call func(context.Context) error, name string)) {
	t.Parallel()
	for name, m := range methods {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p := dialPeer(t)
				ch, _ := p.open(c, 1)
				f(t, c, p, func(ctx context.Context) error { return m.call(ctx, ch) }, name)
			})
		})
	}
}

var refusal = &frame.ChannelClose{ReplyCode: 403, ReplyText: "ACCESS_REFUSED - no", ClassID: 50, MethodID: 10}

// Each method is what the broker understands by it, and ends with its answer.
func TestMethodsAreAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T, c *transport.Conn, p *peer, call func(context.Context) error, name string) {
		result := make(chan error, 1)
		go func() { result <- call(t.Context()) }()
		methods[name].wrote(p)
		synctest.Wait()
		require.Empty(t, result)
		p.send(1, methods[name].answer)
		require.NoError(t, <-result)
		require.False(t, c.IsClosed())
	})
}

// A method that is refused ends with the exception. The channel is closed, its number is free
// when the close is answered, and the connection stands.
func TestMethodsAreRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, c *transport.Conn, p *peer, call func(context.Context) error, name string) {
		result := make(chan error, 1)
		go func() { result <- call(t.Context()) }()
		methods[name].wrote(p)
		p.send(1, refusal)
		err := <-result
		require.Equal(t, 403, transport.Code(err))
		require.ErrorContains(t, err, "ACCESS_REFUSED - no")
		if name == "close" {
			require.Equal(t, err, call(t.Context()), "a second close is the first")
		} else {
			require.ErrorIs(t, call(t.Context()), transport.ErrClosed)
		}
		expect[*frame.ChannelCloseOk](p, 1)
		if name == "close" { // both have closed the channel
			p.open(c, 2)
			p.send(1, &frame.ChannelCloseOk{})
		}
		synctest.Wait()
		p.open(c, 1)
		require.False(t, c.IsClosed())
	})
}

// A method whose connection ends before the answer ends with the reason.
func TestMethodsOfALostConnection(t *testing.T) {
	inBubble(t, func(t *testing.T, c *transport.Conn, p *peer, call func(context.Context) error, name string) {
		result := make(chan error, 1)
		go func() { result <- call(t.Context()) }()
		methods[name].wrote(p)
		p.conn.Close()
		require.ErrorContains(t, <-result, "the connection was lost: EOF")
		if name != "close" {
			require.ErrorContains(t, call(t.Context()), "the connection was lost: EOF")
		}
	})
}

// A method whose ctx ends before the answer costs the connection: with the answer, whenever it
// comes, nobody could tell which method it is of. A ctx that has ended before costs nothing.
func TestMethodsHeedTheirContext(t *testing.T) {
	inBubble(t, func(t *testing.T, c *transport.Conn, p *peer, call func(context.Context) error, name string) {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, call(ended), context.Canceled)
		require.False(t, c.IsClosed())
		go io.Copy(io.Discard, p.conn)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, call(ctx), context.DeadlineExceeded)
		require.True(t, c.IsClosed())
		<-c.Lost()
		require.EqualError(t, c.Err(), "the connection was given up, since the broker did not answer in time: context deadline exceeded")
	})
}

// A method that cannot be written ends with its ctx as well.
func TestMethodsThatCannotBeWritten(t *testing.T) {
	inBubble(t, func(t *testing.T, c *transport.Conn, p *peer, call func(context.Context) error, name string) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, call(ctx), context.DeadlineExceeded)
		require.True(t, c.IsClosed())
	})
}

// Of two methods at once, the second is written when the first is answered.
func TestMethodsTakeTurns(t *testing.T) {
	inBubble(t, func(t *testing.T, c *transport.Conn, p *peer, call func(context.Context) error, name string) {
		results := make(chan error, 2)
		for range 2 {
			go func() { results <- call(t.Context()) }()
		}
		methods[name].wrote(p)
		wrote := make(chan struct{})
		go func() { // waits for the second
			defer close(wrote)
			if name != "close" {
				methods[name].wrote(p)
			}
		}()
		synctest.Wait()
		require.Empty(t, results)
		p.send(1, methods[name].answer)
		require.NoError(t, <-results)
		<-wrote
		if name != "close" { // it waits for the first
			p.send(1, methods[name].answer)
		}
		require.NoError(t, <-results)
	})
}

// What waits behind a method that is refused is not written.
func TestMethodBehindARefusal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t)
		ch, to := p.open(c, 1)
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- ch.Prefetch(t.Context(), 1) }()
		expect[*frame.BasicQos](p, 1)
		go func() { second <- ch.Confirm(t.Context()) }()
		synctest.Wait()
		p.send(1, refusal)
		require.Equal(t, 403, transport.Code(<-first))
		require.ErrorIs(t, <-second, transport.ErrClosed)
		require.Equal(t, 403, (<-to.closed).Code)
		require.Equal(t, 403, (<-ch.Closed()).Code)
		require.Nil(t, <-ch.Closed())
		expect[*frame.ChannelCloseOk](p, 1)
		require.NoError(t, ch.Close(t.Context()), "the broker has closed it")
	})
}

// A pipelined bind waits for nothing. What the broker says of it closes the channel.
func TestPipelinedBind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t)
		ch, _ := p.open(c, 1)
		go func() {
			require.Equal(p.t, &frame.QueueBind{Queue: "q", Exchange: "x", NoWait: true}, expect[*frame.QueueBind](p, 1))
			p.send(1, refusal)
		}()
		require.NoError(t, ch.BindQueue(t.Context(), "q", "", "x", true, nil))
		require.Equal(t, 403, (<-ch.Closed()).Code)
	})
}

// A closed channel writes nothing more. What the broker has sent before its close-ok comes in.
func TestFramesOfAChannelThatCloses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t)
		ch, to := p.open(c, 1)
		result := make(chan error, 1)
		go func() { result <- ch.Close(t.Context()) }()
		expect[*frame.ChannelClose](p, 1)
		require.True(t, ch.IsClosed())
		require.ErrorIs(t, publish(ch, "q", "late"), transport.ErrClosed)
		p.conn.Write((&frame.BasicAck{DeliveryTag: 5}).AppendFrame(nil, 1))
		require.Equal(t, "5 false true", next(t, to.confirms))
		p.open(c, 2)
		p.send(1, &frame.ChannelCloseOk{})
		require.NoError(t, <-result)
		require.Nil(t, <-ch.Closed())
		p.open(c, 1)
		p.open(c, 3)
		_, err := c.Open(t.Context(), newCollector())
		require.ErrorContains(t, err, "the broker allows a connection 3 channels, and all are open")
		require.False(t, c.IsClosed())
	})
}
