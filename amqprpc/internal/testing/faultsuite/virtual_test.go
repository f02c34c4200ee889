package faultsuite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// These tests run in virtual time on amqptest. A minute of traffic takes some
// milliseconds.

// The ordinary tests run these seeds. The package documentation has the command for many
// more seeds.
func TestVirtualFaults(t *testing.T) {
	t.Parallel()
	for _, seed := range seeds(t, 30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { runVirtually(t, seed) })
		})
	}
}

func runVirtually(t *testing.T, seed uint64) {
	broker := amqptest.Start(t, amqptest.WithoutListener(), amqptest.WithHeartbeat(5*time.Second))
	rec := NewRecorder()
	wire := &wire{dial: broker.Dial}
	queues := everyKind("")
	// Streams have the smallest window, for the same reason as the workload's Pad.
	window := amqprpc.WithWindow(1)
	fleet := NewFleet(rec, "server", broker.URL(), queues, amqprpc.WithDialer(wire.Dial), window)
	declared := broker.Record() // records before the first consumer starts
	for range 2 {
		require.NoError(t, fleet.Start())
	}
	_, err := declared.Wait(t.Context(), 2*len(queues), func(e amqptest.Event) bool { return e.Kind == amqptest.ConsumerStarted })
	require.NoError(t, err)
	declared.Stop()

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var harm sync.WaitGroup
	harm.Go(func() {
		err = Inject(ctx, rec, seed, 5*time.Second, virtualHarms(broker, wire, rec, fleet, queues)...)
	})
	harm.Go(func() { besiege(ctx, broker, seed, queues) })
	calm, calmed := context.WithCancel(t.Context())
	defer calmed()
	w := &Workload{
		Rec: rec, Seed: seed, URL: broker.URL(), Queues: queues, Clients: 4, Callers: 4,
		Options: []amqprpc.ClientOption{amqprpc.WithDialer(wire.Dial), amqprpc.WithReplyQueueExpiry(8 * time.Second), window},
		Timeout: 20 * time.Second, Work: 3 * time.Second, Pause: 500 * time.Millisecond, Pad: 8 << 10, // the unread data of a frozen connection fits into its buffer
	}
	w.Calm = func([]*amqprpc.Client) context.Context {
		harm.Wait()
		time.Sleep(2 * time.Minute) // what is still between connections asks at most that late
		rec.Calm()
		time.AfterFunc(10*time.Second, calmed)
		return calm
	}
	if seed%2 == 1 {
		w.Quick, w.Warm = func(Queue) bool { return true }, 150
	}
	require.NoError(t, w.Run(ctx))
	harm.Wait()
	require.NoError(t, err)
	require.NoError(t, Owed(rec, 10*time.Minute))
	fleet.Stop()
	verdict(t, rec, seed)
}

// everyKind returns a queue of each kind. Their names begin with prefix.
func everyKind(prefix string) []Queue {
	return []Queue{
		{Name: prefix + "least"}, {Name: prefix + "most", AtMostOnce: true}, {Name: prefix + "quorum", Quorum: true},
		{Name: prefix + "down", Kind: amqprpc.KindServerStream}, {Name: prefix + "up", Kind: amqprpc.KindClientStream, AtMostOnce: true},
		{Name: prefix + "both", Kind: amqprpc.KindBidiStream, Quorum: true}, {Name: prefix + "all", Broadcast: true},
	}
}

// virtualHarms returns the faults of amqptest.
func virtualHarms(b *amqptest.Broker, w *wire, rec *Recorder, fleet *Fleet, queues []Queue) []Harm {
	one := func(rng *rand.Rand) *amqptest.Connection {
		all := b.Connections()
		if len(all) == 0 {
			return nil
		}
		return all[rng.IntN(len(all))]
	}
	each := func(do func(rng *rand.Rand, c *amqptest.Connection)) func(*rand.Rand, func(time.Duration)) error {
		return func(rng *rand.Rand, _ func(time.Duration)) error {
			if c := one(rng); c != nil {
				rec.Note("… of " + c.Name())
				do(rng, c)
			}
			return nil
		}
	}
	direction := func(rng *rand.Rand) amqptest.Direction { return amqptest.Direction(1 + rng.IntN(3)) }
	tampered := func(judge func(rng *rand.Rand, m amqptest.Message) amqptest.Fate) func(*rand.Rand, func(time.Duration)) error {
		return func(rng *rand.Rand, wait func(time.Duration)) error {
			lasting := upTo(rng, 10*time.Second) // drawn before judge draws on other goroutines
			var mu sync.Mutex
			stop := b.Tamper(func(m amqptest.Message) amqptest.Fate {
				mu.Lock()
				defer mu.Unlock()
				return judge(rng, m)
			})
			defer stop()
			wait(lasting)
			return nil
		}
	}
	isStream := func(m amqptest.Message) bool { return m.ContentType == "application/vnd.amqprpc.stream" }
	isReply := func(m amqptest.Message) bool {
		return m.ReplyTo == "" && (strings.HasPrefix(m.RoutingKey, "amq") || strings.HasPrefix(m.RoutingKey, "amqprpc.reply."))
	}
	return []Harm{
		{"all connections cut", func(*rand.Rand, func(time.Duration)) error { b.CutConnections(); return nil }},
		{"a connection cut", each(func(_ *rand.Rand, c *amqptest.Connection) { c.Cut() })},
		{"connections cut at some byte", func(rng *rand.Rand, wait func(time.Duration)) error {
			w.cutAfter(1 + rng.IntN(20_000))
			wait(upTo(rng, 5*time.Second))
			w.cutAfter(0)
			return nil
		}},
		{"all connections cut, and again while they are made anew", func(rng *rand.Rand, wait func(time.Duration)) error {
			b.CutConnections()
			w.cutAfter(1 + rng.IntN(3_000))
			wait(upTo(rng, 5*time.Second))
			w.cutAfter(0)
			return nil
		}},
		{"a connection closed by the operator", each(func(_ *rand.Rand, c *amqptest.Connection) { c.Close("closed") })},
		{"a connection half-open", each(func(rng *rand.Rand, c *amqptest.Connection) { c.HalfOpen(direction(rng)) })},
		{"what a server sends is lost, and then its connection", func(rng *rand.Rand, wait func(time.Duration)) error {
			for _, c := range b.Connections() {
				if strings.HasPrefix(c.Name(), "server") {
					c.Freeze(amqptest.FromClient)
					wait(upTo(rng, 5*time.Second))
					c.Cut()
				}
			}
			return nil
		}},
		{"a channel closed", each(func(rng *rand.Rand, c *amqptest.Connection) {
			c.CloseChannel(uint16(1+rng.IntN(3)), amqp.PreconditionFailed, "a consumer timeout, say")
		})},
		{"all frozen", func(rng *rand.Rand, wait func(time.Duration)) error {
			b.Freeze(direction(rng))
			wait(upTo(rng, 15*time.Second))
			b.Thaw()
			return nil
		}},
		{"a connection frozen", func(rng *rand.Rand, wait func(time.Duration)) error {
			if c := one(rng); c != nil {
				c.Freeze(direction(rng))
				wait(upTo(rng, 15*time.Second))
				c.Thaw()
			}
			return nil
		}},
		{"all connections cut, and refused for a while", func(rng *rand.Rand, wait func(time.Duration)) error {
			b.RefuseConnections()
			b.CutConnections()
			wait(upTo(rng, 15*time.Second)) // at times longer than a reply queue lives
			return b.AcceptConnections()
		}},
		{"memory alarm", func(rng *rand.Rand, wait func(time.Duration)) error {
			b.BlockPublishers("")
			wait(upTo(rng, 10*time.Second))
			b.UnblockPublishers()
			return nil
		}},
		{"the broker restarted", func(*rand.Rand, func(time.Duration)) error {
			b.Restart()
			rec.Lose("", false)
			return nil
		}},
		{"a queue deleted", func(rng *rand.Rand, _ func(time.Duration)) error {
			q := queues[rng.IntN(len(queues))].Name
			err := deleteQueue(b, q)
			rec.Lose(q, true)
			return err
		}},
		{"a consumer cancelled", func(rng *rand.Rand, _ func(time.Duration)) error {
			all := b.Queues()
			if len(all) == 0 {
				return nil
			}
			q := all[rng.IntN(len(all))]
			if len(q.Consumers) > 0 {
				b.CancelConsumer(q.Name, q.Consumers[0].Tag)
			}
			return nil
		}},
		{"confirms late or missing", tampered(func(rng *rand.Rand, _ amqptest.Message) amqptest.Fate {
			return amqptest.Fate{ConfirmDelay: upTo(rng, 5*time.Second), Unconfirmed: rng.IntN(4) == 0}
		})},
		{"publishes refused, but at times routed", tampered(func(rng *rand.Rand, m amqptest.Message) amqptest.Fate {
			if _, back := m.Headers["rpc-deliveries"]; back {
				// A server requeues a request, without a confirm. A classic queue
				// without a limit has no reason to refuse it.
				return amqptest.Fate{}
			}
			return amqptest.Fate{Nack: true, Drop: rng.IntN(2) == 0}
		})},
		{"replies lost, doubled or late", tampered(func(rng *rand.Rand, m amqptest.Message) amqptest.Fate {
			if !isReply(m) {
				return amqptest.Fate{}
			}
			return amqptest.Fate{Drop: rng.IntN(3) == 0, Copies: rng.IntN(3), Delay: upTo(rng, 5*time.Second)}
		})},
		{"messages of streams lost, doubled or late", tampered(func(rng *rand.Rand, m amqptest.Message) amqptest.Fate {
			if !isStream(m) {
				return amqptest.Fate{}
			}
			return amqptest.Fate{Drop: rng.IntN(5) == 0, Copies: rng.IntN(2), Delay: upTo(rng, time.Second)}
		})},
		{"what a server or a client receives is deleted", func(rng *rand.Rand, _ func(time.Duration)) error {
			all := b.Queues()
			if len(all) == 0 {
				return nil
			}
			if q := all[rng.IntN(len(all))].Name; strings.HasPrefix(q, "amqprpc.") {
				return deleteQueue(b, q)
			}
			return nil
		}},
		{"a policy drops what waits in mailboxes", func(rng *rand.Rand, wait func(time.Duration)) error {
			p := amqptest.Policy{Name: "drops", Pattern: mailboxes, Definition: map[string]any{"max-length": 1 + rng.IntN(3)}}
			if rng.IntN(2) == 0 {
				p.Definition = map[string]any{"message-ttl": 0}
			}
			if err := b.VHost("/").SetPolicy(p); err != nil {
				return err
			}
			wait(upTo(rng, 10*time.Second))
			b.VHost("/").DeletePolicy(p.Name)
			return nil
		}},
		{"requests late", tampered(func(rng *rand.Rand, m amqptest.Message) amqptest.Fate {
			if isReply(m) {
				return amqptest.Fate{}
			}
			return amqptest.Fate{Delay: upTo(rng, 5*time.Second)}
		})},
		{"a rolling deploy", func(*rand.Rand, func(time.Duration)) error { return fleet.Roll() }},
	}
}

func deleteQueue(b *amqptest.Broker, name string) error {
	conn, err := amqp.DialConfig(b.URL(), amqp.Config{Dial: b.Dial, Vhost: "/"})
	if err != nil {
		return err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	_, err = ch.QueueDelete(name, false, false, false)
	return err
}

// wire dials a broker. On request it cuts all connections after a number of bytes has been
// written to them.
type wire struct {
	dial func(network, addr string) (net.Conn, error)
	mu   sync.Mutex
	left int // 0 for no cut
}

func (w *wire) cutAfter(n int) {
	w.mu.Lock()
	w.left = n
	w.mu.Unlock()
}

// pass returns how many of n bytes may pass.
func (w *wire) pass(n int) (int, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.left == 0:
		return n, true
	case w.left > n:
		w.left -= n
		return n, true
	}
	n, w.left = w.left, 0
	return n, false
}

func (w *wire) Dial(network, addr string) (net.Conn, error) {
	c, err := w.dial(network, addr)
	if err != nil {
		return nil, err
	}
	return wireConn{c, w}, nil
}

type wireConn struct {
	net.Conn
	w *wire
}

func (c wireConn) Write(p []byte) (int, error) {
	n, sound := c.w.pass(len(p))
	n, err := c.Conn.Write(p[:n])
	if !sound {
		c.Conn.Close()
		return n, net.ErrClosed
	}
	return n, err
}

func (c wireConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n, sound := c.w.pass(n); !sound {
		c.Conn.Close()
		return n, net.ErrClosed
	}
	return n, err
}
