package amqprpc_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/faultproxy"
	"github.com/bbebcec1/amqprpc-go/codec"
)

func TestServeReturnsWhatCannotSucceed(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	p := newPeer(t, url)
	_, err := p.ch.QueueDeclare(queue+".transient", false, true, false, false, nil)
	require.NoError(t, err)
	host := strings.TrimPrefix(url, "amqp://guest:guest@")
	for name, c := range map[string]struct {
		url   string
		queue string
		opts  []amqprpc.ServerOption
		q     amqprpc.Queue
		code  amqprpc.Code
		want  []string
	}{
		"password":         {"amqp://guest:secret99@" + host, queue, nil, amqprpc.Queue{}, amqprpc.CodeUnauthenticated, []string{"refused the user or password"}},
		"virtual host":     {"amqp://guest:guest@" + strings.TrimSuffix(host, "/") + "/nowhere", queue, nil, amqprpc.Queue{}, amqprpc.CodeNotFound, []string{"virtual host"}},
		"declare conflict": {url, queue + ".transient", nil, amqprpc.Queue{}, amqprpc.CodeFailedPrecondition, []string{queue + ".transient", "WithQueue", "PRECONDITION_FAILED"}},
		"passive":          {url, queue + ".absent", nil, amqprpc.Queue{Passive: true}, amqprpc.CodeNotFound, []string{queue + ".absent", "Passive"}},
		"reserved name":    {url, "amq.mine", nil, amqprpc.Queue{}, amqprpc.CodePermissionDenied, []string{"amq.mine"}},
		"not a URL":        {"http://guest:secret99@x/", queue, nil, amqprpc.Queue{}, amqprpc.CodeInvalidArgument, []string{"amqp://"}},
		"bad URL":          {"amqp://guest:secret99@x:port/", queue, nil, amqprpc.Queue{}, amqprpc.CodeInvalidArgument, []string{"amqp://"}},
		"bad pattern":      {url, queue, []amqprpc.ServerOption{amqprpc.WithAllowedReplyTo("[")}, amqprpc.Queue{}, amqprpc.CodeInvalidArgument, []string{"WithAllowedReplyTo"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := amqprpc.NewServer(c.url, append(c.opts, amqprpc.WithLogger(nil))...)
			amqprpc.Register(srv, c.queue, square, amqprpc.WithQueue(c.q))
			err := srv.Serve(testContext(t))
			require.ErrorIs(t, err, c.code)
			require.Equal(t, c.code, amqprpc.CodeOf(err))
			for _, w := range c.want {
				require.Contains(t, err.Error(), w)
			}
			require.NotContains(t, err.Error(), "secret99")
		})
	}
	srv := amqprpc.NewServer(url)
	require.ErrorContains(t, srv.Serve(context.Background()), "no handler")
	amqprpc.Register(srv, queue, square)
	done, cancel := context.WithCancel(context.Background())
	cancel()
	require.NoError(t, srv.Serve(done))
	require.ErrorContains(t, srv.Serve(done), "already")
}

func TestDialReturnsWhatCannotSucceed(t *testing.T) {
	t.Parallel()
	url := brokerURL(t)
	host := strings.TrimPrefix(url, "amqp://guest:guest@")
	_, err := amqprpc.Dial(testContext(t), "amqp://guest:secret99@"+host, amqprpc.WithLogger(nil))
	require.ErrorContains(t, err, "refused the user or password")
	require.Equal(t, amqprpc.CodeUnauthenticated, amqprpc.CodeOf(err))
	require.NotContains(t, err.Error(), "secret99")
	_, err = amqprpc.Dial(testContext(t), strings.TrimSuffix(url, "/")+"/nowhere", amqprpc.WithLogger(nil))
	require.Equal(t, amqprpc.CodeNotFound, amqprpc.CodeOf(err), "%v", err)
	_, err = amqprpc.Dial(testContext(t), "amqp://guest:secret99@x:port/", amqprpc.WithLogger(nil))
	require.Equal(t, amqprpc.CodeInvalidArgument, amqprpc.CodeOf(err))
	require.ErrorContains(t, err, "amqp://user:password@host:port/vhost")
	require.NotContains(t, err.Error(), "secret99")
	ctx, cancel := context.WithTimeout(testContext(t), 300*time.Millisecond)
	defer cancel()
	_, err = amqprpc.Dial(ctx, "amqp://127.0.0.1:1/", amqprpc.WithLogger(nil))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, amqprpc.CodeDeadlineExceeded, amqprpc.CodeOf(err))
	require.ErrorContains(t, err, "connection refused")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)

	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	ctx, cancel = context.WithTimeout(testContext(t), 50*time.Millisecond)
	defer cancel()
	_, err = amqprpc.Dial(ctx, "amqp://"+silent.Addr().String()+"/", amqprpc.WithLogger(nil))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, silent.Addr().String())
}

// If the user lacks a permission, Serve and Dial return at once with an error that names it.
// On the in-process broker, a test in docs checks the table of docs/operations.md.
func TestPermissions(t *testing.T) {
	t.Parallel()
	brokerURL(t)
	if node == nil {
		t.Skip("it makes users with rabbitmqctl")
	}
	queue := queueName(t)
	user := func(configure, write, read string) string {
		name := "u" + uuid.NewString()[:8]
		for _, args := range [][]string{{"add_user", name, "pw"}, {"set_permissions", name, configure, write, read}} {
			_, err := node.Ctl(testContext(t), args...)
			require.NoError(t, err)
		}
		return strings.Replace(node.URL(), "guest:guest", name+":pw", 1)
	}
	serves := func(url string) error {
		srv := amqprpc.NewServer(url, amqprpc.WithLogger(nil))
		amqprpc.Register(srv, queue, square)
		ctx, cancel := context.WithCancel(testContext(t))
		defer cancel()
		go func() {
			select {
			case <-srv.Ready():
				cancel()
			case <-ctx.Done():
			}
		}()
		return srv.Serve(ctx)
	}
	dials := func(url string, m amqprpc.ReplyMode) error {
		cli, err := amqprpc.Dial(testContext(t), url, amqprpc.WithLogger(nil), amqprpc.WithReplyMode(m))
		if err == nil {
			cli.Close()
		}
		return err
	}
	least := user(regexp.QuoteMeta(queue)+"|amqprpc\\.reply\\..*", "amq\\.default", regexp.QuoteMeta(queue)+"|amqprpc\\.reply\\..*")
	require.NoError(t, serves(least))
	require.NoError(t, dials(least, amqprpc.ReplyResumable))
	require.NoError(t, dials(least, amqprpc.ReplyDirect))
	require.ErrorContains(t, dials(least, amqprpc.ReplyExclusive), "grant it configure")
	mute := user(".*", "", ".*")
	require.ErrorContains(t, serves(mute), "grant it write on amq.default")
	require.ErrorIs(t, serves(mute), amqprpc.CodePermissionDenied)
	require.ErrorContains(t, dials(mute, amqprpc.ReplyResumable), "grant it write on amq.default")
	deaf := user("", "amq\\.default", "")
	require.ErrorContains(t, serves(deaf), "grant it configure and read on the queue")
	require.ErrorContains(t, dials(deaf, amqprpc.ReplyResumable), "ReplyDirect")
	require.ErrorIs(t, dials(deaf, amqprpc.ReplyResumable), amqprpc.CodePermissionDenied)
	require.NoError(t, dials(deaf, amqprpc.ReplyDirect))
}

func TestRegisterPanics(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	srv := amqprpc.NewServer(url)
	amqprpc.Register(srv, queue, square)
	require.Panics(t, func() { amqprpc.Register(srv, queue, square) }, "repeated")
	require.Panics(t, func() { amqprpc.Register(srv, "", square) }, "empty")
	require.Panics(t, func() { amqprpc.Register(srv, strings.Repeat("q", 256), square) }, "too long")
	require.Panics(t, func() { amqprpc.Register[int, int](srv, queue+".nil", nil) }, "nil handler")
	require.Panics(t, func() {
		amqprpc.Register(srv, queue+".codecs", square, amqprpc.WithAcceptedCodecs(codec.JSON{}, codec.JSON{}))
	}, "codecs that contradict each other")
	for _, q := range []amqprpc.Queue{{Bounce: true, DeadLetterRoutingKey: "dead"}, {Bounce: true, DeadLetterExchange: "dead"}} {
		require.Panics(t, func() { amqprpc.Register(srv, queue+".bounce", square, amqprpc.WithQueue(q)) }, "two places for dead letters")
	}
	serving, _ := startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) })
	require.Panics(t, func() { amqprpc.Register(serving, queue+".late", square) }, "serving")
}

func TestConcurrencyIsBounded(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	var running, most atomic.Int64
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			now := running.Add(1)
			defer running.Add(-1)
			for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
			}
			select {
			case <-time.After(2 * time.Millisecond):
			case <-ctx.Done():
			}
			return n, nil
		}, amqprpc.WithConcurrency(3), amqprpc.WithPrefetch(10))
	})
	cli, ctx := dial(t, url), testContext(t)
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			_, err := amqprpc.Call[int, int](ctx, cli, queue, i)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	require.EqualValues(t, 3, most.Load())
}

func TestDrainFinishesWhatWasPrefetched(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	var runs counting
	started, release := make(chan struct{}, 100), make(chan struct{})
	_, stop := serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			r, _ := amqprpc.RequestFromContext(ctx)
			runs.ran(r.ID())
			started <- struct{}{}
			<-release
			return n * n, ctx.Err()
		}, amqprpc.WithConcurrency(2), amqprpc.WithPrefetch(8))
	})
	cli, ctx := dial(t, url), testContext(t)
	var calls []*amqprpc.Future[int]
	for i := range 8 {
		calls = append(calls, amqprpc.Go[int, int](ctx, cli, queue, i))
	}
	<-started
	<-started
	// When the queue is empty, all eight requests are prefetched.
	p := newPeer(t, url)
	eventually(t, "the requests are prefetched", func() bool {
		q, err := p.ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		return err == nil && q.Messages == 0 && cli.Stats().Pending == 8
	})
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	eventually(t, "the consumer is cancelled", func() bool {
		q, err := p.ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		return err == nil && q.Consumers == 0
	})
	late := amqprpc.Go[int, int](ctx, cli, queue, 9)
	close(release)
	for i, f := range calls {
		got, err := f.Await(ctx)
		require.NoError(t, err)
		require.Equal(t, i*i, got)
	}
	require.NoError(t, <-stopped)
	startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) })
	got, err := late.Await(ctx)
	require.NoError(t, err, "what came during the drain is the next server's")
	require.Equal(t, 81, got)
	require.Equal(t, 8, runs.total())
}

func TestDrainLimitHandsBack(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	started := make(chan struct{})
	_, stop := serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			close(started)
			<-ctx.Done()
			return 0, ctx.Err()
		})
	}, amqprpc.WithDrainTimeout(50*time.Millisecond))
	cli, ctx := dial(t, url), testContext(t)
	f := amqprpc.Go[int, int](ctx, cli, queue, 3)
	<-started
	err := stop()
	require.ErrorContains(t, err, "1 request had to be handed back")
	redelivered := make(chan bool, 1)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			r, _ := amqprpc.RequestFromContext(ctx)
			redelivered <- r.Redelivered()
			return n, nil
		})
	})
	got, err := f.Await(ctx)
	require.NoError(t, err)
	require.Equal(t, 3, got)
	require.True(t, <-redelivered)
}

// The loss of the connection during a stop does not make the stop fail.
func TestStopAsTheConnectionIsLost(t *testing.T) {
	t.Parallel()
	url := brokerURL(t)
	for range 40 {
		proxy, proxyURL := proxied(t, url)
		_, stop := startServer(t, proxyURL, func(s *amqprpc.Server) {
			amqprpc.Register(s, queueName(t), func(context.Context, int) (int, error) { return 0, nil })
		})
		go proxy.Cut(faultproxy.RST)
		time.Sleep(time.Duration(rand.IntN(500)) * time.Microsecond)
		stop()
	}
}

func TestServeReportsHandlersThatDoNotHeedTheirContext(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	started, release := make(chan struct{}), make(chan struct{})
	srv, stop := serve(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(context.Context, int) (int, error) { close(started); <-release; return 0, nil })
	}, amqprpc.WithDrainTimeout(10*time.Millisecond))
	cli := dial(t, url)
	require.NoError(t, amqprpc.Notify(testContext(t), cli, queue, 1))
	<-started
	require.ErrorContains(t, stop(), "handed back")
	close(release)
	eventually(t, "the handler is done", func() bool { return srv.Stats().InFlight == 0 })
	newPeer(t, url).ch.QueueDelete(queue, false, false, false)
}

func TestQueueProperties(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	p := newPeer(t, url)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue+".a", square)
		amqprpc.Register(s, queue+".b", square, amqprpc.WithQueue(amqprpc.Queue{Transient: true, Expires: time.Minute, MaxLength: 10, Overflow: "reject-publish"}))
		amqprpc.Register(s, queue+".c", square, amqprpc.WithQueue(amqprpc.Queue{Type: "quorum"}))
	})
	_, err := p.ch.QueueDeclare(queue+".a", true, false, false, false, nil)
	require.NoError(t, err)
	_, err = p.ch.QueueDeclare(queue+".b", false, false, false, false, amqp.Table{
		"x-expires": int64(60000), "x-max-length": int64(10), "x-overflow": "reject-publish"})
	require.NoError(t, err)
	_, err = p.ch.QueueDeclare(queue+".c", true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
	require.NoError(t, err)
	// The server uses the existing queue with any arguments.
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue+".b", square, amqprpc.WithQueue(amqprpc.Queue{Passive: true}))
	})
	cli := dial(t, url)
	for _, q := range []string{".a", ".b", ".c"} {
		got, err := amqprpc.Call[int, int](testContext(t), cli, queue+q, 4)
		require.NoError(t, err)
		require.Equal(t, 16, got)
		_, err = p.ch.QueueDelete(queue+q, false, false, false)
		require.NoError(t, err)
	}
}

// A request that is past its deadline after waiting does not start.
func TestDeadlineIsCheckedBeforeTheHandlerStarts(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	var runs counting
	started, release := make(chan struct{}, 2), make(chan struct{})
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
			runs.ran(fmt.Sprint(n))
			started <- struct{}{}
			<-release
			return n, nil
		}, amqprpc.WithConcurrency(1), amqprpc.WithPrefetch(5))
	})
	p := newPeer(t, url)
	p.send(queue, amqp.Publishing{Body: []byte("1"), CorrelationId: "first"})
	<-started
	p.send(queue, amqp.Publishing{Body: []byte("2"), CorrelationId: "second", Expiration: "30"})
	expired := time.After(60 * time.Millisecond)
	// When the queue is empty, the request is prefetched, so the broker cannot drop it.
	q := newPeer(t, url)
	eventually(t, "prefetched", func() bool {
		info, err := q.ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		return err == nil && info.Messages == 0
	})
	<-expired
	close(release)
	require.Equal(t, "first", p.reply().CorrelationId)
	d := p.reply()
	if d.CorrelationId == "second" {
		require.Equal(t, "deadline_exceeded", d.Headers["rpc-code"])
		require.Equal(t, "not-executed", d.Headers["rpc-outcome"])
	}
	require.Equal(t, 0, runs.ran("2")-1)
}
