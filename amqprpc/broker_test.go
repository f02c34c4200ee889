package amqprpc_test

import (
	"testing"
)

// brokerURL is a broker for one test: of its own in process, or the package's
// real one.
func brokerURL(t *testing.T) string {
	t.Helper()
	if node != nil {
		return node.URL()
	}
	t.Fatal("amqptest is not there yet")
	return ""
}
