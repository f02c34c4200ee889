package contender_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/contender"
)

// sent says which properties a message has. A message that comes alone and one that comes
// with others may differ.
type sent struct {
	contentType, headers, replyTo        string
	deliveryMode                         uint8
	correlationID, expiration, messageID bool
}

func kindOf(m amqptest.Message) sent {
	replyTo := strings.TrimRight(m.ReplyTo, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
	return sent{
		m.ContentType, strings.Join(slices.Sorted(maps.Keys(m.Headers)), " "), replyTo, m.DeliveryMode,
		m.CorrelationID != "", m.Expiration != "", m.MessageID != "",
	}
}

// The least client and server send what the framework sends: the same properties on requests,
// on replies and on batches of replies. Otherwise the comparison is worth nothing.
func TestLeastSendsWhatTheFrameworkSends(t *testing.T) {
	t.Parallel()
	var kinds []map[sent]bool
	for _, name := range []string{contender.Framework, contender.Least} {
		broker := amqptest.Start(t)
		var mu sync.Mutex
		seen := make(map[sent]bool)
		stop := broker.Tamper(func(m amqptest.Message) amqptest.Fate {
			mu.Lock()
			defer mu.Unlock()
			if m.RoutingKey == "echo" || m.ContentType != "" && strings.HasPrefix(m.RoutingKey, "amqprpc.reply.") {
				seen[kindOf(m)] = true
			}
			return amqptest.Fate{}
		})
		defer stop()
		record := broker.Record()
		defer record.Stop()
		callMany(t, name, contender.Options{URL: broker.URL(), Queue: "echo"})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := record.Wait(ctx, 1, func(e amqptest.Event) bool { return e.Kind == amqptest.Confirmed })
		require.NoError(t, err, "%s: there are no confirms", name)
		mu.Lock()
		kinds = append(kinds, seen)
		mu.Unlock()
	}
	for kind := range kinds[1] {
		require.True(t, kinds[0][kind], "only least sends %+v; the framework sends %+v", kind, kinds[0])
	}
	require.GreaterOrEqual(t, len(kinds[1]), 2, "requests and replies")
}

// A failure says what the broker said.
func TestLeastFails(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	o := contender.Options{URL: broker.URL(), Queue: "echo"}
	serve := func(o contender.Options) (contender.Server, error) {
		return contender.Serve(t.Context(), contender.Least, o, func(context.Context) {})
	}
	dial := func() contender.Client {
		cli, err := contender.Dial(t.Context(), contender.Least, o)
		require.NoError(t, err)
		return cli
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()

	cli := dial()
	err := cli.Call(ctx, 1)
	require.ErrorContains(t, err, "312 NO_ROUTE echo", "there is no queue")
	require.ErrorContains(t, cli.Call(ctx, 1), "312 NO_ROUTE echo", "the connection has failed")
	require.ErrorContains(t, cli.Close(), "312 NO_ROUTE echo")

	srv, err := serve(o)
	require.NoError(t, err)
	cli = dial()
	require.NoError(t, cli.Call(ctx, 1))
	broker.CutConnections()
	require.Error(t, cli.Call(ctx, 1))
	require.Error(t, cli.Close())
	require.Error(t, srv.Close())

	srv, err = serve(o)
	require.NoError(t, err)
	require.NoError(t, contender.Delete(o))
	require.Eventually(t, func() bool { return len(broker.Connections()) == 0 }, 10*time.Second, time.Millisecond)
	require.ErrorContains(t, srv.Close(), "cancelled the consumer echo")

	other := o
	other.QueueType = "quorum"
	require.NoError(t, contender.Declare(o))
	_, err = serve(other)
	require.ErrorContains(t, err, "406 PRECONDITION_FAILED")
	_, err = serve(contender.Options{URL: strings.Replace(broker.URL(), "guest", "nobody", 1), Queue: "echo"})
	require.ErrorContains(t, err, "403 ACCESS_REFUSED")
	_, err = contender.Dial(ctx, contender.Least, contender.Options{URL: broker.URL(), Queue: "echo", Reply: "direct"})
	require.ErrorContains(t, err, `"direct"`)
}
