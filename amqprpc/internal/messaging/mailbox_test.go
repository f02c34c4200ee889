package messaging

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// client is a Client that the test uses.
type client struct {
	*Client
	up       chan string // receives the mailbox's address when there is a connection
	received chan string // bodies
	lost     chan error  // receives when the mailbox's queue is gone
	stop     func()
}

func newClient(t *testing.T, broker *amqptest.Broker, mode Mode, change ...func(*Client)) *client {
	t.Helper()
	c := &client{Client: &Client{}, up: make(chan string, 100), received: make(chan string, 10_000), lost: make(chan error, 100)}
	names := 0
	c.Farewell = func(context.Context) {}
	c.Streams = &StreamWriter{Log: silent}
	c.Streams.Init()
	c.Mailbox = Mailbox{
		What: "the mailbox", Mode: mode, Expires: time.Minute,
		NewName:   func() string { names++; return fmt.Sprint("mailbox-", names) },
		Receive:   func(m *Message) { c.received <- string(m.Body) },
		Forgotten: func(_ string, err error) { c.lost <- err },
	}
	c.Publisher = Publisher{Returned: func(*Message) {}, Others: func() bool { return true }, Log: silent}
	for _, f := range change {
		f(c.Client)
	}
	c.Init()
	s := newSession(t, broker)
	c.stop = run(t, func(ctx context.Context) {
		s.Run(ctx, func(work context.Context, conn *Conn, up func()) error {
			return c.Use(work, ctx, conn, func() { c.up <- c.Mailbox.Address(); up() })
		})
	})
	return c
}

// Messages are acknowledged together: after a while, or when there are many or large ones.
func TestMailboxAcknowledges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broker := amqptest.Start(t, amqptest.WithoutListener())
		c := newClient(t, broker, Resumable)
		queue := <-c.up
		require.Equal(t, "mailbox-1", queue)
		conn := connect(t, broker)
		unacked := func() int { synctest.Wait(); q, _ := broker.Queue(queue); return q.Unacked }
		publish(t, conn, queue, "1", "2", "3")
		require.Equal(t, 3, unacked())
		time.Sleep(mailboxAckDelay / 2)
		publish(t, conn, queue, "4")
		require.Equal(t, 4, unacked(), "the first is not late yet")
		time.Sleep(mailboxAckDelay / 2)
		require.Zero(t, unacked())
		publish(t, conn, queue, make([]string, mailboxPrefetch/4-1)...)
		require.Equal(t, mailboxPrefetch/4-1, unacked())
		publish(t, conn, queue, "one more")
		time.Sleep(time.Nanosecond)
		require.Zero(t, unacked())
		half := strings.Repeat("x", mailboxAckBytes/2)
		for range 2 {
			publish(t, conn, queue, "1", "2", half)
			require.Equal(t, 3, unacked())
			publish(t, conn, queue, half)
			time.Sleep(time.Nanosecond)
			require.Zero(t, unacked(), "the broker holds no more than that")
		}
		publish(t, conn, queue, half+half)
		time.Sleep(time.Nanosecond)
		require.Zero(t, unacked(), "one message is enough")
		require.Len(t, c.received, 4+mailboxPrefetch/4+9)
		conn.Abort()
		c.stop()
		synctest.Wait()
		_, there := broker.Queue(queue)
		require.False(t, there, "the mailbox is deleted in the end")
	})
}

// The same queue is gone back to, with what came meanwhile. One that is gone is said to
// be, and is followed by another one.
func TestMailboxIsResumed(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	c := newClient(t, broker, Resumable)
	queue := next(t, c.up)
	info, _ := broker.Queue(queue)
	require.True(t, info.Durable)
	require.EqualValues(t, 60_000, info.Arguments["x-expires"])
	conn := connect(t, broker)
	for n := range 2 {
		cutConsumer(broker, queue)
		publish(t, conn, queue, fmt.Sprint(n))
		require.Equal(t, queue, next(t, c.up))
		require.Equal(t, fmt.Sprint(n), next(t, c.received))
		eventually(t, "it is acknowledged", func() bool { q, _ := broker.Queue(queue); return q.Unacked == 0 })
	}
	info, _ = broker.Queue(queue)
	require.EqualValues(t, 6, info.Consumers[0].Priority, "a later connection comes first")
	require.Empty(t, c.lost)

	ch, err := conn.Open(t.Context(), ignore{})
	require.NoError(t, err)
	require.NoError(t, ch.DeleteQueue(t.Context(), queue))
	require.Equal(t, CodeNotFound, Code(next(t, c.lost)))
	require.Equal(t, "mailbox-2", next(t, c.up))
	publish(t, conn, "mailbox-2", "new")
	require.Equal(t, "new", next(t, c.received))
}

// cutConsumer cuts the connection that consumes a queue.
func cutConsumer(b *amqptest.Broker, queue string) {
	q, _ := b.Queue(queue)
	for _, c := range b.Connections() {
		for _, ch := range c.Info().Channels {
			if len(ch.Consumers) > 0 && len(q.Consumers) > 0 && ch.Number == q.Consumers[0].Channel {
				c.Cut()
			}
		}
	}
}

// The other modes have a queue for each connection, or none.
func TestMailboxModes(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	c := newClient(t, broker, Exclusive)
	queue := next(t, c.up)
	info, there := broker.Queue(queue)
	require.True(t, there)
	require.True(t, info.Exclusive && info.AutoDelete)
	require.True(t, info.Consumers[0].NoAck)
	publish(t, connect(t, broker), queue, "1")
	require.Equal(t, "1", next(t, c.received))
	c.stop()
	_, there = broker.Queue(queue)
	require.False(t, there)

	broker = amqptest.Start(t)
	c = newClient(t, broker, Direct)
	require.Equal(t, "amq.rabbitmq.reply-to", next(t, c.up))
	require.Empty(t, broker.Queues())
}

// letter is an Item that goes to a queue.
type letter struct {
	to, body  string
	mu        sync.Mutex
	claims    int
	connected int64
	unclaims  int
	unwanted  bool
	confirmed chan bool
}

func newLetter(to, body string) *letter {
	return &letter{to: to, body: body, confirmed: make(chan bool, 10)}
}

func (l *letter) Claim(connection int64, _ int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.claims++
	l.connected = connection
	return !l.unwanted
}

func (l *letter) Unclaim() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unclaims++
}
func (l *letter) Wanted() bool       { return !l.unwanted }
func (l *letter) Queue() string      { return l.to }
func (l *letter) NeedsConfirm() bool { return true }
func (l *letter) Size() int          { return len(l.body) }
func (l *letter) Taken()             {}
func (l *letter) Ends() time.Time    { return time.Time{} }
func (l *letter) Confirmed(ack bool) { l.confirmed <- ack }
func (l *letter) Publishing(p *Publishing, replyTo string) {
	p.Key, p.Body = l.to, []byte(l.body+" "+replyTo)
	p.Properties = append(p.Properties, 0, 0)
}

// Items wait for a connection, go out in their order, and learn what the broker says
// of them.
func TestPublisher(t *testing.T) {
	t.Parallel()
	for _, unconfirmed := range []bool{false, true} {
		broker := amqptest.Start(t)
		broker.RefuseConnections()
		c := newClient(t, broker, Resumable, func(c *Client) { c.Publisher.Unconfirmed = unconfirmed })
		var letters []*letter
		for n := range 200 {
			l := newLetter("mailbox-1", fmt.Sprint(n))
			l.unwanted = n%3 == 1
			letters = append(letters, l)
			c.Publisher.Queue(l)
		}
		require.NoError(t, broker.AcceptConnections())
		next(t, c.up)
		for n, l := range letters {
			if l.unwanted {
				require.Empty(t, l.confirmed)
				continue
			}
			require.True(t, next(t, l.confirmed))
			require.Equal(t, fmt.Sprint(n, " mailbox-1"), next(t, c.received))
			require.Equal(t, 1, l.claims)
			require.EqualValues(t, 1, l.connected)
		}
		stop := broker.Tamper(func(m amqptest.Message) amqptest.Fate { return amqptest.Fate{Nack: true, Drop: true} })
		l := newLetter("mailbox-1", "refused")
		c.Publisher.Queue(l)
		require.False(t, next(t, l.confirmed))
		stop()
		c.stop()
	}
}

// What certainly was not written goes out on the next connection, in its order.
func TestPublisherAfterItsChannelWasClosed(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	conn := connect(t, broker)
	p := &Publisher{Returned: func(*Message) {}, Others: func() bool { return false }, Log: silent}
	p.Init()
	m := &Mailbox{Mode: Exclusive, Receive: func(*Message) {}}
	x, err := p.open(t.Context(), t.Context(), conn, 1, m)
	require.NoError(t, err)
	require.NoError(t, x.calls.ch.Close(t.Context()))
	var letters []*letter
	for n := range 5 {
		letters = append(letters, newLetter("q", fmt.Sprint(n)))
		p.Queue(letters[n])
	}
	p.box.run(canceled().Done(), x)
	require.Equal(t, 5, p.box.len())
	require.True(t, x.calls.confirms.empty())
	for n, it := range p.box.take(nil) {
		require.Same(t, letters[n], it)
		require.Equal(t, 1, letters[n].unclaims)
	}
}

// A publisher fills no more memory than it pays to write at once.
func TestLongItems(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	p := &Publisher{Returned: func(*Message) {}, Others: func() bool { return false }, Log: silent}
	p.Init()
	x, err := p.open(t.Context(), t.Context(), connect(t, broker), 1, &Mailbox{Mode: Exclusive})
	require.NoError(t, err)
	body := string(make([]byte, 1<<20))
	for range 64 {
		x.prepare(newLetter("nobody", body))
		require.LessOrEqual(t, cap(x.calls.frames), batchLong+2<<20)
	}
	x.flush()
}

// A channel that is opened instead of another consumes direct replies, while the other
// one's requests say where those go.
func TestDirectRepliesWhileAChannelIsReplaced(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	conn := connect(t, broker)
	m := &Mailbox{Mode: Direct}
	p := &Publisher{Log: silent}
	p.Init()
	x, err := p.open(t.Context(), t.Context(), conn, 1, m)
	require.NoError(t, err)
	require.NoError(t, m.open(t.Context(), conn, 1, func(error) {}))
	opened := make(chan error, 1)
	go func() {
		_, err := x.openConfirmed(t.Context())
		opened <- err
	}()
	require.Equal(t, protocol.DirectReplyTo, m.Address()) // which the race detector looks at
	require.NoError(t, next(t, opened))
}

// A channel that was opened in place of one that refuses is closed if an item beyond the
// broker's limit ends both before anything was written to it.
func TestReplacementThatIsNotUsed(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	conn := connect(t, broker)
	p := &Publisher{TooLarge: func(int64, int) {}, Log: silent}
	p.Init()
	x, err := p.open(t.Context(), t.Context(), conn, 1, &Mailbox{Mode: Exclusive})
	require.NoError(t, err)
	replacement, err := x.openConfirmed(t.Context())
	require.NoError(t, err)
	x.next.Store(replacement)
	require.Len(t, broker.Connection("test").Info().Channels, 2)
	x.salvage(10)
	require.Empty(t, broker.Connection("test").Info().Channels)
	require.NoError(t, context.Cause(x.ctx))
}
