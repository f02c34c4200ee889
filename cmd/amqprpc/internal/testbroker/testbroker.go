// Package testbroker gives the tests of this module their broker: one in the process, or a
// private RabbitMQ node if the environment asks for one.
package testbroker

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/discovery"
	"github.com/bbebcec1/amqprpc-go/internal/testnode"
)

// Main runs the tests of a package, and fails if a goroutine is left. f is called with the URL
// of the node that all tests share, if there is one.
func Main(m *testing.M, f func(nodeURL string)) { goleak.VerifyTestMain(testnode.On(m, f)) }

// URL returns the URL of a broker for one test: that of the node, or of a new broker in the
// process.
func URL(t testing.TB, nodeURL string) string {
	t.Helper()
	if (os.Getenv(testnode.EnvVersion) != "") != (nodeURL != "") { // the read tells go test's cache
		t.Fatalf("%s=%q, and the node is %q", testnode.EnvVersion, os.Getenv(testnode.EnvVersion), nodeURL)
	}
	if nodeURL != "" {
		return nodeURL
	}
	return amqptest.Start(t).URL()
}

// Found waits until a server answers questions, which it does soon after it is ready.
func Found(t testing.TB, url string, srv *amqprpc.Server) {
	t.Helper()
	cli, err := amqprpc.Dial(t.Context(), url, amqprpc.WithLogger(nil))
	require.NoError(t, err)
	defer cli.Close()
	require.Eventually(t, func() bool {
		for _, err := range discovery.Instances(t.Context(), cli, discovery.OfInstance(srv.Instance())) {
			return err == nil
		}
		return false
	}, 20*time.Second, 5*time.Millisecond, "the server cannot be found")
}

// Queue returns a name for a queue of one test.
func Queue(t testing.TB, suffix string) string {
	return strings.NewReplacer("/", ".", " ", "_").Replace(t.Name()) + suffix
}
