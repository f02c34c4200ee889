package amqprpc_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// serveError is what Serve returns by itself.
func serveError(t *testing.T, url string, register func(*amqprpc.Server)) error {
	t.Helper()
	srv := amqprpc.NewServer(url, amqprpc.WithLogger(nil))
	register(srv)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := srv.Serve(ctx)
	require.NoError(t, ctx.Err(), "Serve has not returned by itself: %v", err)
	return err
}

// Arguments and names that no broker can take are an error of Serve that names the queue.
func TestServeRefusesWhatCannotBeDeclared(t *testing.T) {
	t.Parallel()
	url := brokerURL(t)
	for name, c := range map[string]struct {
		arguments map[string]any
		want      string
	}{
		"uint":            {map[string]any{"x-max-length": uint(3)}, "the argument x-max-length is a uint"},
		"uint64":          {map[string]any{"x-max-length": uint64(3)}, "is a uint64"},
		"duration":        {map[string]any{"x-message-ttl": time.Second}, "is a time.Duration"},
		"strings":         {map[string]any{"x-own": []string{"a"}}, "is a []string"},
		"map":             {map[string]any{"x-own": map[string]string{"a": "b"}}, "is a map[string]string"},
		"nested in array": {map[string]any{"x-own": []any{1, uint(2)}}, "the argument x-own"},
		"nested in table": {map[string]any{"x-own": amqp.Table{"in": struct{}{}}}, "the argument x-own"},
		"no name":         {map[string]any{"": 1}, "argument's name"},
		"long name":       {map[string]any{strings.Repeat("x", 256): 1}, "has 256 bytes"},
		"beyond a frame":  {map[string]any{"x-own": strings.Repeat("x", 200_000)}, "the limit is"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			queue := queueName(t)
			err := serveError(t, url, func(s *amqprpc.Server) {
				amqprpc.Register(s, queue, square, amqprpc.WithQueue(amqprpc.Queue{Arguments: c.arguments}))
			})
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, fmt.Sprintf("%q", queue))
		})
	}
	for name, queue := range map[string]string{"not UTF-8": "q\xff", "newline": "q\n", "reserved": "amq.rabbitmq.reply-to.x"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := serveError(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) })
			require.Error(t, err)
		})
	}
}

// A 406 is said as what it is.
func TestServeExplainsPreconditionFailed(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	p := newPeer(t, url)
	_, err := p.ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-expires": int32(60_000)})
	require.NoError(t, err)
	err = serveError(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, square) })
	require.ErrorContains(t, err, "it exists with other properties")

	err = serveError(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue+".new", square, amqprpc.WithQueue(amqprpc.Queue{Arguments: map[string]any{"x-max-length": int64(-1)}}))
	})
	require.ErrorContains(t, err, "a value that the broker does not accept")
	require.NotContains(t, err.Error(), "it exists with other properties")
}

func TestServeExplainsTheQueueLimitOfAVirtualHost(t *testing.T) {
	t.Parallel()
	if node == nil {
		t.Skip("amqptest has no limits of queues: run with AMQPRPC_RABBITMQ")
	}
	ctx := testContext(t)
	vhost := "limited." + queueName(t)
	for _, args := range [][]string{
		{"add_vhost", vhost}, {"set_permissions", "-p", vhost, "guest", ".*", ".*", ".*"},
		{"set_vhost_limits", "-p", vhost, `{"max-queues": 0}`},
	} {
		_, err := node.Ctl(ctx, args...)
		require.NoError(t, err)
	}
	err := serveError(t, node.URL()+vhost, func(s *amqprpc.Server) { amqprpc.Register(s, queueName(t), square) })
	require.ErrorContains(t, err, "a limit of queues is reached")
	require.NotContains(t, err.Error(), "it exists with other properties")
}

func TestServeSaysHowManyChannelsThereAre(t *testing.T) {
	t.Parallel()
	b := amqptest.NewBroker(amqptest.WithChannelMax(3))
	t.Cleanup(func() { b.Close() })
	register := func(queues int) func(*amqprpc.Server) {
		return func(s *amqprpc.Server) {
			for i := range queues {
				amqprpc.Register(s, fmt.Sprint("q", i), square)
			}
		}
	}
	startServer(t, b.URL(), register(2*512), amqprpc.WithoutControl())
	err := serveError(t, b.URL(), register(2*512+1))
	require.ErrorContains(t, err, "1025 queues need 4 channels")
	require.ErrorContains(t, err, "channel_max")
}

// A queue that cannot be declared for now costs no channel a try.
func TestDeclareLeaksNoChannel(t *testing.T) {
	t.Parallel()
	b := amqptest.NewBroker()
	t.Cleanup(func() { b.Close() })
	srv, _ := startServer(t, b.URL(), func(s *amqprpc.Server) {
		amqprpc.Register(s, "q", square, amqprpc.WithQueue(amqprpc.Queue{MaxLength: 7}))
	}, amqprpc.WithConnectionName("server"))
	p := newPeer(t, b.URL())
	_, err := p.ch.QueueDelete("q", false, false, false)
	require.NoError(t, err)
	_, err = p.ch.QueueDeclare("q", true, false, false, false, nil) // with other properties
	require.NoError(t, err)
	record := b.Record()
	_, err = record.Wait(testContext(t), 4, func(e amqptest.Event) bool {
		return e.Kind == amqptest.ChannelOpened && e.Connection == "server"
	})
	require.NoError(t, err, "it tries again and again")
	eventually(t, "the channels are closed", func() bool { return len(b.Connection("server").Info().Channels) <= 2 })
	_ = srv
}
