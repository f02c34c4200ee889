package amqprpc_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/compress"
)

const foreignCompression = "../../amqprpc/testdata/compressed.py"

// A client in Python sends a compressed request, and gets a compressed reply.
func TestForeignClientCompresses(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, doubled) })
	_, out := startForeign(t, envPython, foreignCompression, "call", url, queue, longText)
	line, err := out.ReadBytes('\n')
	require.NoError(t, err)
	var got []string
	require.NoError(t, json.Unmarshal(line, &got))
	require.Equal(t, []string{"gzip", longText + longText}, got)
}

// A server in Python takes compressed requests, and compresses its replies.
func TestForeignServerCompresses(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	startForeign(t, envPython, foreignCompression, "serve", url, queue)
	t.Cleanup(func() { newPeer(t, url).ch.QueueDelete(queue, false, false, false) })
	cli := dial(t, url, amqprpc.WithCompression(compress.Gzip{}))
	call := func(opts ...amqprpc.CallOption) []string {
		got, _ := amqprpc.Call[string, []string](testContext(t), cli, queue, longText, opts...)
		return got
	}
	require.Eventually(t, func() bool { return call() != nil }, patience, 10*time.Millisecond)
	require.Equal(t, []string{"gzip", longText}, call())
	require.Equal(t, []string{"", longText}, call(amqprpc.WithCompression(nil)))
}
