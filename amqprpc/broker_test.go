package amqprpc_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq"
)

// brokerURL is a broker for one test: of its own in process, or the package's
// real one.
func brokerURL(t *testing.T) string {
	t.Helper()
	// Asked here as well, the variable counts for go test's cache of results.
	require.Equal(t, os.Getenv(rabbitmq.EnvVersion) != "", node != nil, rabbitmq.EnvVersion)
	if node != nil {
		return node.URL()
	}
	b := amqptest.NewBroker()
	t.Cleanup(func() { b.Close() })
	return b.URL()
}
