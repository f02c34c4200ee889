package amqprpc_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/compress"
)

// What options of streams and of compression take, at its limits: both sides work.
func TestStreamOptionsAtTheirLimits(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	var methods []countTo
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		for i, n := range counts {
			method := countTo(fmt.Sprint(queue, i))
			method.Register(s, count, amqprpc.WithMaxStreams(n))
			methods = append(methods, method)
		}
	})
	conn := map[string][]amqprpc.ConnOption{
		"WithWindow":          atLimits(counts, amqprpc.WithWindow),
		"WithStreamMemory":    atLimits(counts, amqprpc.WithStreamMemory),
		"WithStallLimit":      atLimits(durations[4:], amqprpc.WithStallLimit), // a shorter one ends the stream, as it says
		"WithMinCompressSize": atLimits(counts, amqprpc.WithMinCompressSize),
	}
	for name, opts := range conn {
		for i, o := range opts {
			other := countTo(fmt.Sprint(queue, name, i))
			_, stop := startServer(t, url, func(s *amqprpc.Server) { other.Register(s, count) }, o)
			cli := dial(t, url, o, amqprpc.WithCompression(compress.Gzip{}))
			for _, method := range append(methods, other) {
				require.Len(t, drained(t, method.Call(testContext(t), cli, 10)), 10, "%s %d", name, i)
			}
			stop()
		}
	}
	require.Zero(t, srv.Stats().Reconnects)
}

func TestBroadcastOptionsAtTheirLimits(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	srv, _ := startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, echo, amqprpc.WithBroadcast()) })
	cli := dial(t, url)
	listening(t, url, srv)
	for _, wait := range durations {
		for a, err := range amqprpc.All[int, int](testContext(t), cli, queue, 7, amqprpc.WithAcceptWait(wait), amqprpc.WithTimeout(time.Second)) {
			if err != nil { // a short wait may hear nobody, and a long one goes on to the deadline
				require.Contains(t, []amqprpc.Code{amqprpc.CodeUnavailable, amqprpc.CodeDeadlineExceeded}, amqprpc.CodeOf(err), "%v", wait)
				continue
			}
			require.Equal(t, 7, a.Value)
		}
	}
	require.Zero(t, cli.Stats().Reconnects)
}

// A sender whose window is smaller than the receiver's does not wait for the receiver to
// acknowledge some time, with each window.
func TestStreamOfASmallWindow(t *testing.T) {
	t.Parallel()
	const windows, least = 200, 4 << 10
	url, method := brokerURL(t), amqprpc.ServerStream[int, []byte](queueName(t))
	startServer(t, url, func(s *amqprpc.Server) {
		method.Register(s, func(_ context.Context, n int, out *amqprpc.Sender[[]byte]) error {
			for range n {
				if err := out.Send(make([]byte, least)); err != nil {
					return err
				}
			}
			return nil
		})
	}, amqprpc.WithWindow(least))
	start := time.Now()
	require.Len(t, drained(t, method.Call(testContext(t), dial(t, url), windows)), windows)
	require.Less(t, time.Since(start), 10*time.Second) // of 100 ms for each window
}
