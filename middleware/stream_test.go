package middleware_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/middleware"
	"github.com/bbebcec1/amqprpc-go/middleware/internal/harness"
)

const (
	upTo  amqprpc.ServerStream[byValue, byValue] = "up_to"
	total amqprpc.ClientStream[byValue, int]     = "total"
	same  amqprpc.BidiStream[byValue, byValue]   = "same"
)

// sendUpTo sends the numbers from n down to 1.
func sendUpTo(_ context.Context, n byValue, out *amqprpc.Sender[byValue]) error {
	for i := n.N; i > 0; i-- {
		if err := out.Send(byValue{i}); err != nil {
			return err
		}
	}
	return nil
}

func addUp(_ context.Context, in *amqprpc.Receiver[byValue]) (int, error) {
	sum := 0
	for v, err := range in.All() {
		if err != nil {
			return 0, err
		}
		sum += v.N
	}
	return sum, nil
}

func sendBack(_ context.Context, in *amqprpc.Receiver[byValue], out *amqprpc.Sender[byValue]) error {
	for v, err := range in.All() {
		if err == nil {
			err = out.Send(v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// values are the messages of n numbers from 1 on.
func values(n int) []byValue {
	all := make([]byValue, n)
	for i := range all {
		all[i].N = i + 1
	}
	return all
}

func TestLoggingOfStreams(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	var server, client jsonLog
	harness.Serve(t, url, func(s *amqprpc.Server) {
		upTo.Register(s, sendUpTo)
		total.Register(s, addUp)
		same.Register(s, sendBack)
	}, amqprpc.WithMiddleware(middleware.Logging(server.logger(slog.LevelDebug))))
	cli := harness.Dial(t, url, amqprpc.WithMiddleware(middleware.Logging(client.logger(slog.LevelDebug))))
	ctx := harness.Context(t)
	lines := func(kind, code string, sent, received int) (c, s map[string]any) {
		t.Helper()
		c, s = client.one(t), server.one(t)
		for _, line := range []map[string]any{c, s} {
			require.Equal(t, kind, line["kind"])
			require.Equal(t, code, line["code"])
		}
		require.EqualValues(t, sent, c["sent"])
		require.EqualValues(t, received, c["received"])
		return c, s
	}

	for _, err := range upTo.Call(ctx, cli, byValue{3}) {
		require.NoError(t, err)
	}
	c, s := lines("server stream", "ok", 0, 3)
	require.EqualValues(t, 3, s["sent"])
	require.EqualValues(t, 0, s["received"])
	require.NotContains(t, c, "stopped")

	_, err := total.Call(ctx, cli, amqprpc.Items(slices.Values(values(4))))
	require.NoError(t, err)
	_, s = lines("client stream", "ok", 4, 0)
	require.EqualValues(t, 0, s["sent"])
	require.EqualValues(t, 4, s["received"])

	conv, err := same.Open(ctx, cli)
	require.NoError(t, err)
	for _, v := range values(2) {
		require.NoError(t, conv.Send(v))
		_, err := conv.Recv()
		require.NoError(t, err)
	}
	require.NoError(t, conv.CloseSend())
	for range conv.All() {
	}
	_, s = lines("bidi stream", "ok", 2, 2)
	require.EqualValues(t, 2, s["sent"])
	require.EqualValues(t, 2, s["received"])

	for range upTo.Call(ctx, cli, byValue{1_000_000}) {
		break
	}
	c, s = client.one(t), server.one(t)
	require.Equal(t, true, c["stopped"])
	require.Equal(t, "ok", c["code"])
	require.EqualValues(t, 1, c["received"])
	require.Equal(t, "canceled", s["code"])
	require.NotContains(t, s, "stopped", "a server does not know why")

	_, err = amqprpc.Call[string, string](ctx, cli, "nobody", "")
	require.ErrorIs(t, err, amqprpc.CodeUnavailable)
	require.NotContains(t, client.one(t), "sent", "a call is not a stream")
}

// Timeout leaves a stream alone, unless it is told otherwise.
func TestTimeoutOfStreams(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	const limit = 30 * time.Millisecond
	const clock amqprpc.ServerStream[int, bool] = "clock"
	harness.Serve(t, url, func(s *amqprpc.Server) {
		clock.Register(s, func(ctx context.Context, _ int, out *amqprpc.Sender[bool]) error {
			_, has := ctx.Deadline()
			select {
			case <-time.After(3 * limit):
				return out.Send(has)
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	cli := harness.Dial(t, url)
	ctx, cancel := context.WithCancel(context.Background()) // without a deadline
	defer cancel()
	for has, err := range clock.Call(ctx, cli, 1, amqprpc.WithMiddleware(middleware.Timeout(limit))) {
		require.NoError(t, err)
		require.False(t, has)
	}

	var last error
	for _, err := range clock.Call(ctx, cli, 1, amqprpc.WithMiddleware(middleware.Timeout(limit, middleware.WithStreams()))) {
		last = err
	}
	require.ErrorIs(t, last, amqprpc.CodeDeadlineExceeded)
	require.ErrorContains(t, last, "time limit of 30ms")
}

// On a server, the limit ends the handler's context.
func TestTimeoutOfStreamsOnServer(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	const limit = 30 * time.Millisecond
	const quiet amqprpc.BidiStream[int, int] = "quiet"
	harness.Serve(t, url, func(s *amqprpc.Server) {
		quiet.Register(s, func(ctx context.Context, _ *amqprpc.Receiver[int], _ *amqprpc.Sender[int]) error {
			<-ctx.Done()
			return ctx.Err()
		}, amqprpc.WithMiddleware(middleware.Timeout(limit, middleware.WithStreams())))
	})
	conv, err := quiet.Open(harness.Context(t), harness.Dial(t, url))
	require.NoError(t, err)
	_, err = conv.Recv()
	require.EqualError(t, err, "quiet: deadline_exceeded: context deadline exceeded (time limit of 30ms)")
	require.True(t, amqprpc.IsRemote(err))
	require.NoError(t, conv.Close())
}

// Each side checks the messages of both directions.
func TestValidateStreams(t *testing.T) {
	t.Parallel()
	validate := amqprpc.WithMiddleware(middleware.Validate())
	for _, tt := range []struct {
		name   string
		server []amqprpc.ServerOption
		client []amqprpc.ClientOption
	}{
		{name: "on the server", server: []amqprpc.ServerOption{validate}},
		{name: "on the client", client: []amqprpc.ClientOption{validate}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url := amqptest.Start(t).URL()
			const bad amqprpc.ServerStream[int, byPointer] = "bad"
			harness.Serve(t, url, func(s *amqprpc.Server) {
				upTo.Register(s, sendUpTo)
				total.Register(s, addUp)
				same.Register(s, sendBack)
				bad.Register(s, func(_ context.Context, n int, out *amqprpc.Sender[byPointer]) error {
					for i := n; ; i-- {
						if err := out.Send(byPointer{i}); err != nil {
							return err
						}
					}
				})
			}, tt.server...)
			cli := harness.Dial(t, url, tt.client...)
			ctx := harness.Context(t)

			var last error
			for _, err := range upTo.Call(ctx, cli, byValue{-1}) {
				last = err
			}
			require.ErrorIs(t, last, amqprpc.CodeInvalidArgument)
			require.ErrorContains(t, last, "n is -1, not positive")

			_, err := total.Call(ctx, cli, amqprpc.Items(slices.Values([]byValue{{1}, {-2}, {3}})))
			require.ErrorIs(t, err, amqprpc.CodeInvalidArgument)
			require.ErrorContains(t, err, "n is -2, not positive")

			got, last := 0, nil
			for _, err := range bad.Call(ctx, cli, 2) {
				if last = err; err == nil {
					got++
				}
			}
			require.Equal(t, 2, got)
			require.ErrorIs(t, last, amqprpc.CodeInternal, "the caller is not to blame")
			require.ErrorContains(t, last, "n is 0, not positive")

			conv, err := same.Open(ctx, cli)
			require.NoError(t, err)
			require.NoError(t, conv.Send(byValue{1}))
			v, err := conv.Recv()
			require.NoError(t, err)
			require.Equal(t, byValue{1}, v)
			require.NoError(t, conv.Close())
		})
	}
}

// A message that a side may not send does not end the stream.
func TestStreamGoesOnAfterARefusedMessage(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	harness.Serve(t, url, func(s *amqprpc.Server) { total.Register(s, addUp) })
	up, err := total.Open(harness.Context(t), harness.Dial(t, url, amqprpc.WithMiddleware(middleware.Validate())))
	require.NoError(t, err)
	require.NoError(t, up.Send(byValue{1}))
	require.ErrorIs(t, up.Send(byValue{-1}), amqprpc.CodeInvalidArgument)
	require.NoError(t, up.Send(byValue{2}))
	sum, err := up.CloseAndRecv()
	require.NoError(t, err)
	require.Equal(t, 3, sum)
}
