package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/transport"
)

// collector is a Receiver that hands all on.
type collector struct {
	deliveries chan transport.Message // without properties
	returns    chan transport.Message
	confirms   chan string
	cancelled  chan struct{}
	closed     chan *transport.Exception
}

func newCollector() *collector {
	return &collector{
		deliveries: make(chan transport.Message, 1000), returns: make(chan transport.Message, 1000),
		confirms: make(chan string, 1000), cancelled: make(chan struct{}), closed: make(chan *transport.Exception, 1),
	}
}

func (c *collector) Deliver(m *transport.Message)  { c.deliveries <- *m }
func (c *collector) Returned(m *transport.Message) { c.returns <- *m }
func (c *collector) Cancelled(string)              { close(c.cancelled) }
func (c *collector) Closed(e *transport.Exception) { c.closed <- e }
func (c *collector) Confirmed(tag uint64, multiple, ack bool) {
	c.confirms <- fmt.Sprint(tag, multiple, ack)
}

func next[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		require.FailNow(t, "nothing comes")
		panic("unreachable")
	}
}

func connect(t *testing.T, broker *amqptest.Broker) *transport.Conn {
	t.Helper()
	c, _ := watched(t, broker)
	return c
}

// watched returns the changes of connection.blocked as well.
func watched(t *testing.T, broker *amqptest.Broker) (*transport.Conn, <-chan transport.Blocking) {
	t.Helper()
	changes := make(chan transport.Blocking, 16)
	c, err := newDialer(t, config(broker.URL())).Dial(t.Context(), transport.Watcher{Blocked: func(b transport.Blocking) { changes <- b }})
	require.NoError(t, err)
	t.Cleanup(c.Abort)
	return c, changes
}

func open(t *testing.T, c *transport.Conn) (*transport.Channel, *collector) {
	t.Helper()
	to := newCollector()
	ch, err := c.Open(t.Context(), to)
	require.NoError(t, err)
	return ch, to
}

func publish(ch *transport.Channel, key, body string) error {
	return ch.Write(ch.AppendPublish(nil, &transport.Publishing{Key: key, Mandatory: true, Properties: []byte{0, 0}, Body: []byte(body)}))
}

// All that a channel does.
func TestChannel(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	ctx := t.Context()
	c := connect(t, broker)
	require.NotNil(t, broker.Connection("test"))
	ch, to := open(t, c)
	require.NoError(t, ch.Confirm(ctx))
	require.NoError(t, ch.Prefetch(ctx, 2))
	_, err := ch.DeclareQueue(ctx, transport.QueueDeclaration{Name: "q", Durable: true})
	require.NoError(t, err)
	require.NoError(t, ch.DeclareExchange(ctx, "x", transport.KindDirect))
	require.NoError(t, ch.BindQueue(ctx, "q", "k", "x", false, nil))
	for i := range 3 {
		require.NoError(t, publish(ch, "q", fmt.Sprint(i)))
		require.Equal(t, fmt.Sprint(i+1, false, true), next(t, to.confirms))
	}
	require.NoError(t, publish(ch, "nobody", "lost"))
	m := next(t, to.returns)
	require.EqualValues(t, 312, m.ReturnCode)
	require.Equal(t, "nobody", m.Key)
	require.Equal(t, "lost", string(m.Body))
	info, err := ch.DeclareQueue(ctx, transport.QueueDeclaration{Name: "q", Passive: true})
	require.NoError(t, err)
	require.Equal(t, transport.QueueInfo{Name: "q", Messages: 3}, info)

	require.NoError(t, ch.Consume(ctx, "q", "tag", false, 0))
	require.Equal(t, "0", string(next(t, to.deliveries).Body))
	require.Equal(t, "1", string(next(t, to.deliveries).Body))
	require.Empty(t, to.deliveries, "the prefetch is 2")
	require.NoError(t, ch.Write(ch.AppendReject(ch.AppendAck(nil, 1, false), 2)))
	require.Equal(t, "2", string(next(t, to.deliveries).Body))
	require.NoError(t, ch.Cancel(ctx, "tag"))
	require.NoError(t, ch.Close(ctx))
	require.NoError(t, ch.Close(ctx), "a second close is the first")
	require.True(t, ch.IsClosed())
	require.ErrorIs(t, publish(ch, "q", "late"), transport.ErrClosed)
	require.Nil(t, <-ch.Closed())
	q, _ := broker.Queue("q")
	require.Equal(t, 1, q.Ready, "what was not acknowledged is there again")
	require.False(t, c.IsClosed())
}

// A number that is used again belongs to the later channel.
func TestChannelNumbersComeAgain(t *testing.T) {
	t.Parallel()
	c := connect(t, amqptest.Start(t, amqptest.WithChannelMax(2)))
	require.Equal(t, 2, c.ChannelMax())
	numbers := map[uint16]int{}
	for range 5 {
		ch, to := open(t, c)
		numbers[ch.Number()]++
		require.NoError(t, ch.Confirm(t.Context()))
		require.NoError(t, publish(ch, "nobody", "x"))
		next(t, to.returns)
		next(t, to.confirms)
		require.NoError(t, ch.Close(t.Context()))
	}
	require.LessOrEqual(t, len(numbers), 2)
}

// An exception closes the channel, and not the connection.
func TestChannelException(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	c := connect(t, broker)
	ch, _ := open(t, c)
	_, err := ch.DeclareQueue(t.Context(), transport.QueueDeclaration{Name: "nowhere", Passive: true})
	require.Equal(t, transport.CodeNotFound, transport.Code(err))
	require.Equal(t, transport.CodeNotFound, next(t, ch.Closed()).Code)
	require.ErrorIs(t, publish(ch, "q", "x"), transport.ErrClosed)

	ch, to := open(t, c)
	_, err = ch.DeclareQueue(t.Context(), transport.QueueDeclaration{Name: "q"})
	require.NoError(t, err)
	require.NoError(t, ch.Consume(t.Context(), "q", "tag", true, 0))
	require.True(t, broker.CancelConsumer("q", "tag"))
	next(t, to.cancelled)
	require.NoError(t, ch.DeleteQueue(t.Context(), "q"))
	require.True(t, broker.Connection("test").CloseChannel(ch.Number(), 406, "PRECONDITION_FAILED - timeout"))
	require.Equal(t, 406, next(t, ch.Closed()).Code)
	require.False(t, c.IsClosed())
}

// The end of a connection is told with its reason, and ends its channels.
func TestLostConnection(t *testing.T) {
	t.Parallel()
	for want, end := range map[string]func(b *amqptest.Broker, c *transport.Conn){
		"the broker closed the connection": func(b *amqptest.Broker, _ *transport.Conn) { b.Connection("test").Close("CONNECTION_FORCED - bye") },
		"the connection was lost":          func(b *amqptest.Broker, _ *transport.Conn) { b.CutConnections() },
		"the connection was closed":        func(_ *amqptest.Broker, c *transport.Conn) { c.Close(patience) },
		"the connection was":               func(_ *amqptest.Broker, c *transport.Conn) { c.Abort() },
	} {
		broker := amqptest.Start(t)
		c := connect(t, broker)
		ch, _ := open(t, c)
		end(broker, c)
		next(t, c.Lost())
		require.ErrorContains(t, c.Err(), want)
		require.True(t, c.IsClosed())
		next(t, ch.Closed())
		require.Error(t, publish(ch, "q", "x"))
		_, err := c.Open(t.Context(), newCollector())
		require.Error(t, err)
	}
}

// A call whose ctx ends before the broker's answer costs the connection, but nobody's
// time.
func TestCallOfASilentBroker(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	c := connect(t, broker)
	ch, _ := open(t, c)
	broker.Freeze(amqptest.BothWays)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, ch.Prefetch(ctx, 1), context.DeadlineExceeded)
	next(t, c.Lost())
}

// Whoever waits until another one has closed the channel gives up with its ctx, and costs
// nobody the connection.
func TestSecondCloseHeedsItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broker := amqptest.Start(t, amqptest.WithoutListener())
		cfg := config(broker.URL())
		cfg.Dial = broker.Dial
		c, err := newDialer(t, cfg).Dial(t.Context(), transport.Watcher{})
		require.NoError(t, err)
		defer c.Abort()
		ch, _ := open(t, c)
		broker.Freeze(amqptest.BothWays)
		first := make(chan error)
		go func() { first <- ch.Close(t.Context()) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		require.ErrorIs(t, ch.Close(ctx), context.DeadlineExceeded)
		require.False(t, c.IsClosed())
		broker.Thaw()
		require.NoError(t, <-first)
		require.NoError(t, ch.Close(t.Context()))
	})
}

func TestBlocked(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	c, changes := watched(t, broker)
	ch, _ := open(t, c)
	broker.BlockPublishers("low on memory")
	require.NoError(t, publish(ch, "q", "x")) // only who publishes is told
	require.Equal(t, transport.Blocking{Active: true, Reason: "low on memory"}, next(t, changes))
	broker.UnblockPublishers()
	require.False(t, next(t, changes).Active)
}

func TestMayPublish(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	c := connect(t, broker)
	require.NoError(t, c.MayPublish(t.Context(), "probe", ""))
	require.Empty(t, broker.Connection("test").Info().Channels, "the probe's channel is closed")

	broker = amqptest.Start(t, amqptest.WithPermissions("guest", ".*", "^amq\\.gen", ".*"))
	c = connect(t, broker)
	for range 20 {
		err := c.MayPublish(t.Context(), "probe", "")
		require.ErrorContains(t, err, "grant it write on amq.default")
		require.True(t, transport.IsPermanent(err))
		require.Equal(t, transport.CodeAccessRefused, transport.Code(err))
	}
	require.False(t, c.IsClosed())
	broker.CutConnections()
	next(t, c.Lost())
	err := c.MayPublish(t.Context(), "probe", "")
	require.Error(t, err)
	require.False(t, transport.IsPermanent(err))
}

// slow is a Receiver that takes its time for a delivery.
type slow struct {
	*collector
	entered, leave chan struct{}
}

func (s slow) Deliver(*transport.Message) { close(s.entered); <-s.leave }

// Whoever has ended a connection can rely on it that its receivers are not called any
// more, beside those of the next connection.
func TestEndWaitsForTheReader(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(c *transport.Conn){
		"close": func(c *transport.Conn) { c.Close(time.Second) },
		"abort": (*transport.Conn).Abort,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				broker := amqptest.Start(t, amqptest.WithoutListener())
				cfg := config(broker.URL())
				cfg.Dial = broker.Dial
				c, err := newDialer(t, cfg).Dial(t.Context(), transport.Watcher{})
				require.NoError(t, err)
				s := slow{newCollector(), make(chan struct{}), make(chan struct{})}
				ch, err := c.Open(t.Context(), s)
				require.NoError(t, err)
				_, err = ch.DeclareQueue(t.Context(), transport.QueueDeclaration{Name: "q", Durable: true})
				require.NoError(t, err)
				require.NoError(t, ch.Consume(t.Context(), "q", "tag", true, 0))
				require.NoError(t, publish(ch, "q", "x"))
				<-s.entered
				ended := make(chan struct{})
				go func() { defer close(ended); end(c) }()
				time.Sleep(time.Minute) // of the bubble
				select {
				case <-ended:
					require.Fail(t, "a message is still being received")
				default:
				}
				close(s.leave)
				<-ended
			})
		})
	}
}

// brokenConn is a connection on which writes fail once it is broken.
type brokenConn struct {
	net.Conn
	broken atomic.Bool
}

func (c *brokenConn) Write(b []byte) (int, error) {
	if c.broken.Load() {
		return 0, errors.New("broken")
	}
	return c.Conn.Write(b)
}

// Whoever sees a connection's end, in whatever way, sees that the connection is closed, and
// learns the reason soon: a write has failed, a channel is closed, a call has failed.
func TestEveryEndIsTheConnections(t *testing.T) {
	t.Parallel()
	fail := func(_ *amqptest.Broker, raw *brokenConn) { raw.broken.Store(true) }
	cut := func(b *amqptest.Broker, _ *brokenConn) { b.CutConnections() }
	written := func(ch *transport.Channel) error { return publish(ch, "q", "x") }
	for name, c := range map[string]struct {
		end  func(*amqptest.Broker, *brokenConn)
		seen func(t *testing.T, ch *transport.Channel)
	}{
		"a write fails": {fail, func(t *testing.T, ch *transport.Channel) { require.ErrorContains(t, written(ch), "broken") }},
		"a call fails":  {cut, func(t *testing.T, ch *transport.Channel) { require.Error(t, ch.Prefetch(t.Context(), 1)) }},
		"no consumer": {cut, func(t *testing.T, ch *transport.Channel) {
			require.Error(t, ch.Consume(t.Context(), "q", "tag", true, 0))
		}},
		"channel closed": {cut, func(t *testing.T, ch *transport.Channel) { next(t, ch.Closed()) }},
		"write refused": {cut, func(t *testing.T, ch *transport.Channel) {
			for written(ch) == nil {
			}
		}},
	} {
		for range 20 {
			broker := amqptest.Start(t)
			cfg := config(broker.URL())
			raw := &brokenConn{}
			cfg.Dial = func(network, addr string) (_ net.Conn, err error) {
				raw.Conn, err = net.Dial(network, addr)
				return raw, err
			}
			conn, err := newDialer(t, cfg).Dial(t.Context(), transport.Watcher{})
			require.NoError(t, err)
			ch, _ := open(t, conn)
			c.end(broker, raw)
			c.seen(t, ch)
			require.True(t, conn.IsClosed(), name)
			next(t, conn.Lost())
			require.ErrorContains(t, conn.Err(), "the connection was lost")
			conn.Abort()
		}
	}
}
