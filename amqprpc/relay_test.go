package amqprpc_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/faultproxy"
)

// relayed is a handler that answers with the channel on which the request came: at once,
// or, where the request is negative, when the test lets it.
type relayed struct {
	counting
	started chan int // the channel of each that waits
	release chan struct{}
}

func newRelayed() *relayed {
	return &relayed{started: make(chan int, 100), release: make(chan struct{})}
}

func (h *relayed) handle(ctx context.Context, n int) (int, error) {
	channel := amqprpc.ChannelOf(ctx)
	if n >= 0 {
		return channel, nil
	}
	r, _ := amqprpc.RequestFromContext(ctx)
	h.ran(r.ID())
	h.started <- channel
	select {
	case <-h.release:
		return channel, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// hold makes a call that is not answered yet, and tells the channel it came on.
func (h *relayed) hold(t *testing.T, cli *amqprpc.Client, queue string) (*amqprpc.Future[int], int) {
	t.Helper()
	f := amqprpc.Go[int, int](testContext(t), cli, queue, -1)
	return f, <-h.started
}

// channelAfter makes quick calls, and returns the channel of the last one.
func channelAfter(t *testing.T, cli *amqprpc.Client, queue string, calls int) (channel int) {
	t.Helper()
	for range calls {
		var err error
		channel, err = amqprpc.Call[int, int](testContext(t), cli, queue, 0)
		require.NoError(t, err)
	}
	return channel
}

// leave makes quick calls until so many have come on another channel than the one given
// that the next gap is worth leaving that one. While both consume, either gets some.
func leave(t *testing.T, cli *amqprpc.Client, queue string, channel int) (other int) {
	t.Helper()
	stayed := 0
	for range 5000 {
		switch now := channelAfter(t, cli, queue, 1); now {
		case channel:
			continue
		case other:
			stayed++
		default:
			other, stayed = now, 1
		}
		if stayed == warmth {
			return other
		}
	}
	require.FailNow(t, "all requests come on the channel with the gap")
	panic("unreachable")
}

const warmth = 150 // calls without a gap, after which one is worth another channel

// While a slow request is pending, others of its queue come on another channel, and
// nobody ever finds the queue without a consumer. Channels are used again.
func TestRelay(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{"classic", "quorum"} {
		t.Run(typ, func(t *testing.T) {
			t.Parallel()
			testRelay(t, typ)
		})
	}
}

func testRelay(t *testing.T, typ string) {
	url, queue := brokerURL(t), queueName(t)
	h := newRelayed()
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, h.handle, amqprpc.WithQueue(amqprpc.Queue{Type: typ}))
	})
	cli := dial(t, url)
	channelAfter(t, cli, queue, warmth)
	stop := make(chan struct{})
	var watching sync.WaitGroup
	p := newPeer(t, url)
	most := 2
	if typ == "quorum" {
		most = amqprpc.RelayLanes + 1 // a cancelled consumer counts as long as it has requests
	}
	watching.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			q, err := p.ch.QueueDeclarePassive(queue, false, false, false, false, nil)
			if err != nil || q.Consumers < 1 || q.Consumers > most {
				t.Errorf("the queue has %d consumers (%v)", q.Consumers, err)
				return
			}
		}
	})
	channels := map[int]bool{}
	for round := range 3 {
		var held []*amqprpc.Future[int]
		var on []int
		for range 2 * amqprpc.RelayLanes {
			f, channel := h.hold(t, cli, queue)
			held, on = append(held, f), append(on, channel)
			channels[channel] = true
			if round == 0 && len(held) < amqprpc.RelayLanes {
				require.Len(t, channels, len(held), "each comes on a channel without a gap")
				leave(t, cli, queue, channel)
			} else {
				channelAfter(t, cli, queue, 50)
			}
		}
		require.LessOrEqual(t, len(channels), amqprpc.RelayLanes)
		close(h.release)
		for i, f := range held {
			got, err := f.Await(testContext(t))
			require.NoError(t, err)
			require.Equal(t, on[i], got)
		}
		h.release = make(chan struct{})
	}
	close(stop)
	watching.Wait()
	require.Equal(t, 3*2*amqprpc.RelayLanes, h.total())
}

// A drain waits for the requests of the channels that have no consumer any more.
func TestRelayDrain(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	h := newRelayed()
	srv, stop := serve(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, h.handle) })
	cli := dial(t, url)
	channelAfter(t, cli, queue, warmth)
	first, channel := h.hold(t, cli, queue)
	leave(t, cli, queue, channel)
	second, channel := h.hold(t, cli, queue)
	leave(t, cli, queue, channel)
	served := make(chan error, 1)
	go func() { served <- stop() }()
	p := newPeer(t, url)
	eventually(t, "nobody consumes", func() bool {
		q, err := p.ch.QueueDeclarePassive(queue, false, false, false, false, nil)
		return err == nil && q.Consumers == 0
	})
	select {
	case err := <-served:
		require.FailNow(t, "it has not waited", "%v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(h.release)
	for _, f := range []*amqprpc.Future[int]{first, second} {
		_, err := f.Await(testContext(t))
		require.NoError(t, err)
	}
	require.NoError(t, <-served)
	require.Equal(t, 2, h.total())
	require.Zero(t, srv.Stats().InFlight)
}

// What is pending on any channel when the connection is lost is delivered again.
func TestRelayLostConnection(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	proxy, serverURL := proxied(t, url)
	h := newRelayed()
	srv, _ := startServer(t, serverURL, func(s *amqprpc.Server) { amqprpc.Register(s, queue, h.handle) })
	cli := dial(t, url)
	for n := range 2 {
		channelAfter(t, cli, queue, warmth)
		var held []*amqprpc.Future[int]
		for range 3 {
			f, channel := h.hold(t, cli, queue)
			held = append(held, f)
			leave(t, cli, queue, channel)
		}
		proxy.Cut(faultproxy.RST)
		eventually(t, "the server is back", func() bool { return srv.Stats().Reconnects == int64(n)+1 })
		for range held {
			<-h.started
		}
		close(h.release)
		for _, f := range held {
			_, err := f.Await(testContext(t))
			require.NoError(t, err)
		}
		require.Equal(t, (n+1)*2*len(held), h.total())
		h.release = make(chan struct{})
	}
}

// The broker closes a channel that has no consumer any more, as it does when a request is
// not acknowledged for half an hour. Its requests are delivered again; the others do not
// notice.
func TestRelayClosedChannel(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	h := newRelayed()
	conn, dialer := observed()
	var log testLog
	srv, _ := startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, h.handle) },
		amqprpc.WithLogger(log.logger()), dialer)
	cli := dial(t, url)
	channelAfter(t, cli, queue, warmth)
	f, first := h.hold(t, cli, queue)
	leave(t, cli, queue, first)
	p := newPeer(t, url)
	eventually(t, "the first consumer is cancelled", func() bool {
		q, err := p.ch.QueueDeclarePassive(queue, false, false, false, false, nil)
		return err == nil && q.Consumers == 1
	})
	never := frame.BasicAck{DeliveryTag: 1 << 40}
	_, err := conn.Load().Write(never.AppendFrame(nil, uint16(first)))
	require.NoError(t, err)
	second := <-h.started
	require.NotEqual(t, first, second)
	eventually(t, "it is told", func() bool { return srv.Stats().InFlight == 1 })
	require.Contains(t, log.String(), "a channel was closed")
	require.Contains(t, log.String(), "requests=1")
	leave(t, cli, queue, second)
	close(h.release)
	got, err := f.Await(testContext(t))
	require.NoError(t, err)
	require.Equal(t, second, got)
	require.Equal(t, 2, h.total())
	require.Zero(t, srv.Stats().Reconnects)
}

// Where one gap follows on the other another channel would have one as soon.
func TestNoRelayWhereManyAreSlow(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	h := newRelayed()
	startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, h.handle) })
	cli := dial(t, url)
	channel := channelAfter(t, cli, queue, 1)
	for range 10 {
		f, on := h.hold(t, cli, queue)
		require.Equal(t, channel, on)
		for range 10 {
			require.Equal(t, channel, channelAfter(t, cli, queue, 5))
		}
		h.release <- struct{}{}
		_, err := f.Await(testContext(t))
		require.NoError(t, err)
		require.Equal(t, channel, channelAfter(t, cli, queue, 50))
	}
}

// Where a consumer must not come and go, it stays.
func TestQueuesWithoutRelay(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]amqprpc.HandlerOption{
		"single active consumer":              amqprpc.WithQueue(amqprpc.Queue{SingleActiveConsumer: true}),
		"single active consumer, by argument": amqprpc.WithQueue(amqprpc.Queue{Arguments: map[string]any{"x-single-active-consumer": true}}),
		"passive":                             amqprpc.WithQueue(amqprpc.Queue{Passive: true}),
		"at most once":                        amqprpc.WithAtMostOnce(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, queue := brokerURL(t), queueName(t)
			if name == "passive" {
				_, err := newPeer(t, url).ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-single-active-consumer": true})
				require.NoError(t, err)
			}
			h := newRelayed()
			startServer(t, url, func(s *amqprpc.Server) {
				amqprpc.Register(s, queue, h.handle, o)
			})
			cli := dial(t, url)
			channelAfter(t, cli, queue, warmth)
			f, channel := h.hold(t, cli, queue)
			for range 20 {
				require.Equal(t, channel, channelAfter(t, cli, queue, 10))
			}
			close(h.release)
			_, err := f.Await(testContext(t))
			require.NoError(t, err)
		})
	}
}

// A broker that is short of memory reads nothing of a server that answers, not even that
// a consumer goes to another channel. That costs no connection.
func TestRelayInAnAlarm(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]int{"a new channel": 0, "one that has rested": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				broker := amqptest.Start(t, amqptest.WithoutListener())
				h := newRelayed()
				gate := make(chan struct{})
				srv, _ := startServer(t, broker.URL(), func(s *amqprpc.Server) {
					amqprpc.Register(s, "q", func(ctx context.Context, n int) (int, error) {
						if n == 1 {
							<-gate
						}
						return h.handle(ctx, n)
					})
				}, amqprpc.WithDialer(broker.Dial))
				cli, err := amqprpc.Dial(t.Context(), broker.URL(), amqprpc.WithDialer(broker.Dial), amqprpc.WithLogger(nil))
				require.NoError(t, err)
				defer cli.Close()
				channelAfter(t, cli, "q", warmth)
				for range before {
					f, channel := h.hold(t, cli, "q")
					leave(t, cli, "q", channel)
					h.release <- struct{}{}
					_, err = f.Await(t.Context())
					require.NoError(t, err)
				}
				calls := []*amqprpc.Future[int]{}
				call := func(n int) {
					calls = append(calls, amqprpc.Go[int, int](t.Context(), cli, "q", n, amqprpc.WithTimeout(time.Hour)))
				}
				call(-1)
				channel := <-h.started
				for range 100 {
					call(1)
				}
				synctest.Wait()
				broker.BlockPublishers("")
				close(gate)
				time.Sleep(time.Minute)
				broker.UnblockPublishers()
				require.NotEqual(t, channel, leave(t, cli, "q", channel))
				close(h.release)
				for _, f := range calls {
					_, err := f.Await(t.Context())
					require.NoError(t, err)
				}
				require.Zero(t, srv.Stats().Reconnects)
				require.Zero(t, srv.Stats().Redelivered)
			})
		})
	}
}
