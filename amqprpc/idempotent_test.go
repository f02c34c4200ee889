package amqprpc_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/faultproxy"
	"github.com/bbebcec1/amqprpc-go/codec"
	"github.com/bbebcec1/amqprpc-go/middleware/idempotency"
)

// These tests run the idempotency middleware with lost connections and, if AMQPRPC_RABBITMQ
// is set, on a real broker. They are here because they need this package's internal test
// tools. The other tests of the middleware are in its own package.

// idempotent returns the idempotency middleware with a new store.
func idempotent(opts ...idempotency.Option) amqprpc.MiddlewareOption {
	return amqprpc.WithMiddleware(idempotency.New(idempotency.NewMemoryStore(0, 0),
		append([]idempotency.Option{idempotency.WithLogger(nil)}, opts...)...))
}

// arrivals counts the requests that arrive, before any other middleware.
type arrivals struct{ atomic.Int32 }

func (a *arrivals) option() amqprpc.MiddlewareOption {
	return amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			a.Add(1)
			return next(ctx, req)
		}
	})
}

// A publisher that gets no confirm sends the same message twice.
func TestIdempotentDuplicateMessages(t *testing.T) {
	t.Parallel()
	type article struct {
		Name  string         `json:"name"`
		Price int            `json:"price"`
		Tags  map[string]int `json:"tags"`
	}
	codecs := map[string]codec.Codec{"json": codec.JSON{}, "msgpack": codec.MsgPack{}}
	for first, c1 := range codecs {
		for second, c2 := range codecs {
			t.Run(first+" then "+second, func(t *testing.T) {
				t.Parallel()
				url, queue := brokerURL(t), queueName(t)
				var runs atomic.Int32
				startServer(t, url, func(s *amqprpc.Server) {
					amqprpc.Register(s, queue, func(ctx context.Context, a article) (article, error) {
						amqprpc.ReplyHeader(ctx)["run"] = fmt.Sprint(runs.Add(1))
						a.Price++
						return a, nil
					}, idempotent())
				})
				p := newPeer(t, url)
				in := article{"tea", 350, map[string]int{"green": 1, "loose": 2, "organic": 3}}
				message := func(c codec.Codec, correlation string) amqp.Publishing {
					body, err := c.Marshal(in)
					require.NoError(t, err)
					return amqp.Publishing{MessageId: "id", CorrelationId: correlation, ContentType: c.ContentType(), Body: body}
				}
				p.send(queue, message(c1, "1"))
				p.send(queue, message(c1, "1"))
				one, two := p.reply(), p.reply()
				three := p.ask(queue, message(c2, "3"))
				require.Equal(t, "1", two.CorrelationId)
				require.Equal(t, "3", three.CorrelationId)
				var out article
				require.NoError(t, c1.Unmarshal(one.Body, &out))
				require.Equal(t, 351, out.Price)
				for _, d := range []amqp.Delivery{one, two, three} {
					require.Equal(t, one.Body, d.Body)
					require.Equal(t, c1.ContentType(), d.ContentType, "the first's")
					require.Equal(t, amqp.Table{"run": "1"}, d.Headers)
				}
				require.EqualValues(t, 1, runs.Load())

				// A caller decodes by the reply's own content type.
				got, err := amqprpc.Call[article, article](testContext(t), dial(t, url, amqprpc.WithCodec(c2)), queue, in, amqprpc.WithCallID("id"))
				require.NoError(t, err)
				require.Equal(t, out, got)
				require.EqualValues(t, 1, runs.Load())
			})
		}
	}
}

// The server's connection is cut at each of the last bytes of a reply and its ack. The
// request is redelivered and does not run again.
func TestIdempotentCutBetweenReplyAndAck(t *testing.T) {
	t.Parallel()
	const ack = 21 // bytes of a basic.ack frame
	for _, missing := range []int64{1, 4, 12, ack - 1, ack, ack + 1, ack + 9, ack + 60} {
		t.Run(fmt.Sprint(missing, " bytes missing"), func(t *testing.T) {
			t.Parallel()
			url, queue := brokerURL(t), queueName(t)
			c, arrived := new(counting), new(arrivals)
			handler := func(ctx context.Context, n int) (int, error) {
				r, _ := amqprpc.RequestFromContext(ctx)
				return n * c.ran(r.ID()), nil
			}
			proxy, serverURL := proxied(t, url)
			srv, _ := startServer(t, serverURL, func(s *amqprpc.Server) {
				amqprpc.Register(s, queue, handler, arrived.option(), idempotent())
			})
			cli := dial(t, url)
			call := func(id string) {
				t.Helper()
				got, err := amqprpc.Call[int, int](testContext(t), cli, queue, 7, amqprpc.WithCallID(id))
				require.NoError(t, err)
				require.Equal(t, 7, got)
			}
			// Measure the bytes of a call until two calls in a row have the same size.
			var sent, size int64
			calls := 0
			for same := false; !same; {
				require.Less(t, calls, 30, "numbers of calls no longer have one digit")
				call(fmt.Sprint("before ", calls))
				calls++
				before := sent
				sent = proxy.Stats().ToBroker
				same = sent-before == size
				size = sent - before
			}
			cut := proxy.CutAfter(faultproxy.ToBroker, size-missing, faultproxy.RST)
			call("id")
			<-cut
			eventually(t, "the request came again and was answered", func() bool { return srv.Stats().Handled >= int64(calls)+1 && arrived.Load() >= int32(calls)+2 })
			require.Equal(t, calls+1, c.total())
			require.Equal(t, 2, c.ran("id"), "it had run once")
		})
	}
}

// A handler that the loss of its connection cancels releases the call, so the call runs
// again.
func TestIdempotentRunsAgainAfterALostConnection(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	g := newGated()
	proxy, serverURL := proxied(t, url)
	startServer(t, serverURL, func(s *amqprpc.Server) { amqprpc.Register(s, queue, g.handle, idempotent()) })
	start := time.Now()
	f := amqprpc.Go[int, int](testContext(t), dial(t, url), queue, 9)
	<-g.started
	proxy.Cut(faultproxy.RST)
	<-g.started
	require.Less(t, time.Since(start), 5*time.Second, "it did not wait for the claim to run out")
	close(g.release)
	got, err := f.Await(testContext(t))
	require.NoError(t, err)
	require.Equal(t, 81, got)
	require.Equal(t, 2, g.total())
}

// A handler that finishes after its connection is lost has answered its call.
func TestIdempotentKeepsTheAnswerOfALostConnection(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	started, release := make(chan struct{}, 10), make(chan struct{})
	var runs atomic.Int32
	arrived := new(arrivals)
	proxy, serverURL := proxied(t, url)
	startServer(t, serverURL, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(context.Context, int) (int32, error) {
			started <- struct{}{}
			<-release
			return runs.Add(1), nil
		}, arrived.option(), idempotent())
	})
	f := amqprpc.Go[int, int32](testContext(t), dial(t, url), queue, 9)
	<-started
	proxy.Cut(faultproxy.RST)
	eventually(t, "it came again", func() bool { return arrived.Load() == 2 })
	close(release)
	got, err := f.Await(testContext(t))
	require.NoError(t, err)
	require.EqualValues(t, 1, got)
	require.EqualValues(t, 1, runs.Load())
}

// A client that gets no confirm resends the request under the same id while the first one
// still runs.
func TestIdempotentClientSendsAgain(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	g, arrived := newGated(), new(arrivals)
	startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, g.handle, arrived.option(), idempotent()) })
	proxy, clientURL := proxied(t, url)
	cli := dial(t, clientURL)
	proxy.Stall(faultproxy.ToClient) // holds back the broker's confirm
	f := amqprpc.Go[int, int](testContext(t), cli, queue, 9, amqprpc.WithIdempotent())
	<-g.started
	proxy.Cut(faultproxy.RST)
	proxy.Resume(faultproxy.ToClient)
	eventually(t, "it was sent again", func() bool { return arrived.Load() == 2 })
	close(g.release)
	got, err := f.Await(testContext(t))
	require.NoError(t, err)
	require.Equal(t, 81, got)
	require.Equal(t, 1, g.total())
	require.EqualValues(t, 1, cli.Stats().Resent)
}

// Callers repeat their calls until they get an answer, while connections on both sides are
// cut at random. Each call runs once, and all repetitions get the same answer.
func TestIdempotentUnderCuts(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	url, queue := brokerURL(t), queueName(t)
	c := new(counting)
	store := idempotency.NewMemoryStore(0, 0)
	var proxies []*faultproxy.Proxy
	for range 2 {
		proxy, serverURL := proxied(t, url)
		proxies = append(proxies, proxy)
		startServer(t, serverURL, func(s *amqprpc.Server) {
			amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
				r, _ := amqprpc.RequestFromContext(ctx)
				run := c.ran(r.ID())
				if n%5 == 0 {
					return 0, amqprpc.Errorf(amqprpc.CodeNotFound, "run %d", run)
				}
				return n*100 + run, nil
			}, amqprpc.WithMaxDeliveries(0), amqprpc.WithMiddleware(idempotency.New(store, idempotency.WithLogger(nil))))
		})
	}
	proxy, clientURL := proxied(t, url)
	proxies = append(proxies, proxy)
	cli, direct := dial(t, clientURL), dial(t, url)
	ctx := testContext(t)

	// ask repeats the call until the handler has answered. A handler whose connection is lost
	// may return an error. That error is not an answer, so a later run may answer.
	var words sync.Map
	ask := func(cli *amqprpc.Client, n int) {
		for ctx.Err() == nil {
			short, cancel := context.WithTimeout(ctx, 5*time.Second)
			got, err := amqprpc.Call[int, int](short, cli, queue, n, amqprpc.WithCallID(fmt.Sprint(n)), amqprpc.WithIdempotent())
			cancel()
			switch {
			case errors.Is(err, amqprpc.CodeNotFound):
				if first, _ := words.LoadOrStore(n, err.Error()); n%5 != 0 || err.Error() != first {
					t.Errorf("call %d: %v, after %v", n, err, first)
				}
				return
			case err == nil:
				if got != n*100+1 {
					t.Errorf("call %d: %d", n, got)
				}
				return
			}
		}
		t.Errorf("call %d was not answered", n)
	}
	const calls = 200
	next := make(chan int)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for n := range next {
				var both sync.WaitGroup
				both.Go(func() { ask(cli, n) })
				ask(direct, n)
				both.Wait()
			}
		})
	}
	for n := range calls {
		if n%25 == 0 {
			p := proxies[rng.IntN(len(proxies))]
			p.CutAfter(faultproxy.Direction(rng.IntN(2)), 1+rng.Int64N(2000), faultproxy.RST)
		}
		next <- n
	}
	close(next)
	all.Wait()
	for n := range calls {
		if n%5 != 0 {
			require.Equal(t, 2, c.ran(fmt.Sprint(n)), "call %d had run once", n)
		}
	}
}

// On an at-most-once queue, a redelivered request is refused. If the store has its answer,
// the caller gets the answer.
func TestIdempotentAtMostOnce(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	var runs atomic.Int32
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(context.Context, int) (int32, error) { return runs.Add(1), nil },
			amqprpc.WithAtMostOnce(), idempotent())
	})
	cli := dial(t, url)
	for range 3 {
		got, err := amqprpc.Call[int, int32](testContext(t), cli, queue, 1, amqprpc.WithCallID("id"))
		require.NoError(t, err)
		require.EqualValues(t, 1, got)
	}
	p := newPeer(t, url)
	message := func(id string) amqp.Publishing {
		return amqp.Publishing{MessageId: id, CorrelationId: "c", ContentType: "application/json", Body: []byte("1"), Headers: amqp.Table{"rpc-deliveries": int32(2)}}
	}
	require.Equal(t, "1", string(p.ask(queue, message("id")).Body))
	require.Equal(t, "aborted", p.ask(queue, message("another")).Headers["rpc-code"])
	require.EqualValues(t, 1, runs.Load())
}
