package amqprpc

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
)

// The publisher may come to an attempt when its call has just ended, or has gone on to another
// attempt. What it then publishes names no stream that anybody has.
func TestOpeningOfAnAttemptThatIsOver(t *testing.T) {
	t.Parallel()
	cli, err := Dial(t.Context(), amqptest.Start(t).URL(), WithLogger(nil))
	require.NoError(t, err)
	defer cli.Close()
	published := func(a *attempt) Kind {
		var p messaging.Publishing
		a.Publishing(&p, "replies")
		require.NotEmpty(t, p.Properties)
		return a.call.req.kind
	}
	var attempts []*attempt
	var tokens []any
	twice := func(next Invoker) Invoker {
		return func(ctx context.Context, req *Request) (*Response, error) {
			for range 2 {
				_, err := next(ctx, req)
				require.ErrorIs(t, err, CodeUnavailable, "there is no such queue")
				a := req.out.call.inFlight()
				attempts = append(attempts, a)
				tokens = append(tokens, req.streaming.stream.local)
			}
			for _, a := range attempts {
				require.NotContains(t, tokens, a.opening().Token)
			}
			return nil, errors.New("enough")
		}
	}
	for _, err := range ServerStream[int, int]("nobody").Call(t.Context(), cli, 1, WithMiddleware(twice)) {
		require.Error(t, err)
	}
	require.Len(t, attempts, 2)
	for _, a := range attempts {
		require.Equal(t, KindServerStream, published(a))
		require.NotContains(t, tokens, a.opening().Token)
	}

	// While it counts, it names its own.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	counts := func(next Invoker) Invoker {
		return func(ctx context.Context, req *Request) (*Response, error) {
			pc := &req.out.call
			pc.setStream(cli.streams.add(1, 0, func(error) {}))
			a := pc.begin(nil, 0)
			require.Equal(t, req.streaming.stream.local, a.opening().Token)
			require.Positive(t, a.opening().Window)
			return nil, errors.New("enough")
		}
	}
	for _, err := range ServerStream[int, int]("nobody").Call(ctx, cli, 1, WithMiddleware(counts)) {
		require.Error(t, err)
	}
}
