package clients

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq"
)

var node *rabbitmq.Node // nil unless AMQPRPC_RABBITMQ asks for one

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(rabbitmq.Main(m, func(n *rabbitmq.Node) { node = n }))
}

func brokerURL(t *testing.T) string {
	t.Helper()
	if node != nil {
		return node.URL()
	}
	b := amqptest.NewBroker()
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b.URL()
}

// what every client prints; only the name in the last line is its own.
const play = `rpc: 0 1 1 2 3 5 8 13 21 34
direct reply-to: 832040
work: 0 1 2 3 4 5 6 7 8 9 | redelivered: 3 | left: 0
pub/sub: one two three | one two three
topics: kern.error auth.error | kern.error kern.disk.full kern
confirms: 20 | returned: 312 NO_ROUTE
dead letters: bad rejected x1, late expired x1
errors: 404 NOT_FOUND - no queue 'clients.NAME.missing' in vhost '/'
`

func TestForeignClients(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, script, interpreter string }{
		{"pika", "pika_client.py", "AMQPRPC_PYTHON"},
		{"kombu", "kombu_client.py", "AMQPRPC_PYTHON"},
		{"amqplib", "amqplib_client.js", "AMQPRPC_NODE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			interpreter := os.Getenv(c.interpreter)
			if interpreter == "" {
				t.Skip("no foreign client asked for: set " + c.interpreter)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, interpreter, c.script)
			cmd.Env = append(os.Environ(), "AMQP_URL="+brokerURL(t))
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			err := cmd.Run()
			require.NoError(t, err, "%s%s", stdout.String(), stderr.String())
			require.Equal(t, strings.ReplaceAll(play, "NAME", c.name), stdout.String(), "%s", stderr.String())
		})
	}
}
