package otelrpc_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/internal/testnode"
)

// nodeURL is the URL of the node that all tests share, "" for in-process brokers.
var nodeURL string

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(testnode.On(m, func(url string) { nodeURL = url }))
}

// brokerURL returns the URL of a broker for one test.
func brokerURL(t testing.TB) string {
	t.Helper()
	require.Equal(t, os.Getenv(testnode.EnvVersion) != "", nodeURL != "", testnode.EnvVersion) // the read tells go test's cache
	if nodeURL != "" {
		return nodeURL
	}
	return amqptest.Start(t).URL()
}

// queueName returns a name for the queue of one test, with a suffix.
func queueName(t testing.TB, suffix string) string {
	return strings.ReplaceAll(t.Name(), "/", ".") + suffix
}
