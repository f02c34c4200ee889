package amqprpc_test

import (
	"testing"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// brokerURL is a broker for one test: of its own in process, or the package's
// real one.
func brokerURL(t *testing.T) string {
	t.Helper()
	if node != nil {
		return node.URL()
	}
	b := amqptest.NewBroker()
	t.Cleanup(func() { b.Close() })
	return b.URL()
}
