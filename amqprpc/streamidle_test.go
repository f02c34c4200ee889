package amqprpc_test

import (
	"bytes"
	"context"
	"runtime/pprof"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// An idle stream has a goroutine of the client's only where there is middleware, which is
// then around the whole stream.
func TestIdleStreamHasNoGoroutine(t *testing.T) {
	t.Parallel()
	url, method := brokerURL(t), doubles(queueName(t))
	startServer(t, url, func(s *amqprpc.Server) { method.Register(s, double) })
	cli := dial(t, url)
	passes := amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker { return next })
	for name, x := range map[string]struct {
		opts []amqprpc.CallOption
		runs bool
	}{"bare": {nil, false}, "middleware": {[]amqprpc.CallOption{passes}, true}} {
		label := t.Name() + " " + name // a goroutine has the labels of the one that started it
		var conv *amqprpc.BidiStreamCall[int, int]
		var err error
		pprof.Do(testContext(t), pprof.Labels("test", label), func(ctx context.Context) {
			conv, err = method.Open(ctx, cli, x.opts...)
		})
		require.NoError(t, err)
		var all bytes.Buffer
		require.NoError(t, pprof.Lookup("goroutine").WriteTo(&all, 1))
		require.Equal(t, x.runs, bytes.Contains(all.Bytes(), []byte(label)), name)
		require.NoError(t, conv.Close())
	}
}
