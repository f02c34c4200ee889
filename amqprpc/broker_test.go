package amqprpc_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq"
)

// brokerURL returns the URL of a broker for one test: a new in-process broker, or the
// package's real broker.
func brokerURL(t testing.TB) string {
	t.Helper()
	// This read makes go test's cache depend on the variable.
	require.Equal(t, os.Getenv(rabbitmq.EnvVersion) != "", node != nil, rabbitmq.EnvVersion)
	if node != nil {
		return node.URL()
	}
	b := amqptest.NewBroker()
	t.Cleanup(func() { b.Close() })
	return b.URL()
}
