package contender_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/benchmarks/internal/contender"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Every contender answers concurrent calls with each of its options, and runs its handler
// once for each call.
func TestContenders(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	names := []string{contender.Framework, contender.Baseline, contender.ByHand, contender.Tutorial, contender.Least}
	options := map[string]contender.Options{
		"int":                {},
		"text":               {Payload: 100},
		"msgpack":            {Codec: "msgpack", Payload: 1000},
		"raw":                {Codec: "raw", Payload: 200_000},
		"persistent":         {Persistent: true},
		"quorum":             {QueueType: "quorum"},
		"exclusive":          {Reply: "exclusive"},
		"direct":             {Reply: "direct"},
		"no confirms":        {Unconfirmed: true},
		"nothing on the way": {Unconfirmed: true, NoMandatory: true, NoExpiration: true, NoDeadline: true, NoMessageID: true},
		"concurrency":        {Concurrency: 2},
	}
	for _, name := range names {
		for what, o := range options {
			if name == contender.Least && o.Reply == "direct" {
				continue // it has a queue for its replies
			}
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				o.URL, o.Queue = broker.URL(), name+"."+what
				callMany(t, name, o)
			})
		}
	}
	for _, name := range []string{contender.Framework, contender.Least} {
		t.Run("several queues/"+name, func(t *testing.T) {
			t.Parallel()
			callMany(t, name, contender.Options{URL: broker.URL(), Queue: "several." + name, Queues: 3, Clients: 2})
		})
	}
}

func callMany(t *testing.T, name string, o contender.Options) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var executed atomic.Int64
	srv, err := contender.Serve(ctx, name, o, func(context.Context) { executed.Add(1) })
	require.NoError(t, err)
	cli, err := contender.Dial(ctx, name, o)
	require.NoError(t, err)
	const callers, calls = 8, 5
	failed := make(chan error, callers*calls)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for k := range calls {
				if err := cli.Call(ctx, i*calls+k); err != nil {
					failed <- fmt.Errorf("call %d of caller %d: %w", k, i, err)
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	require.EqualValues(t, callers*calls, executed.Load())
	require.NoError(t, errors.Join(cli.Close(), srv.Close()))
	require.NoError(t, contender.Delete(o))
}

// A call without an answer ends with its ctx.
func TestCallGivesUp(t *testing.T) {
	t.Parallel()
	broker := amqptest.Start(t)
	for _, name := range []string{contender.Framework, contender.Baseline, contender.ByHand, contender.Tutorial, contender.Least} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := contender.Options{URL: broker.URL(), Queue: "nobody." + name}
			require.NoError(t, contender.Declare(o))
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			cli, err := contender.Dial(ctx, name, o)
			require.NoError(t, err)
			short, stop := context.WithTimeout(ctx, 50*time.Millisecond)
			defer stop()
			require.ErrorIs(t, cli.Call(short, 1), context.DeadlineExceeded)
			require.NoError(t, cli.Close())
		})
	}
}

func TestUnknown(t *testing.T) {
	t.Parallel()
	_, err := contender.Dial(t.Context(), "nobody", contender.Options{})
	require.ErrorContains(t, err, "nobody")
	_, err = contender.Serve(t.Context(), "nobody", contender.Options{}, nil)
	require.ErrorContains(t, err, "nobody")
	_, err = contender.Dial(t.Context(), contender.Baseline, contender.Options{Codec: "xml"})
	require.ErrorContains(t, err, "xml")
	_, err = contender.Dial(t.Context(), contender.Baseline, contender.Options{Codec: "raw"})
	require.ErrorContains(t, err, "payload")
}
