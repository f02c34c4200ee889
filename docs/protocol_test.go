package docs_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// envPython names the Python, with pika, that runs the client of the protocol's
// page. Where it is set, as it is in CI, a Python or pika that is missing fails the
// test.
const envPython = "AMQPRPC_PYTHON"

// callAll is what the test adds to the page's client: calls of each kind.
const callAll = `
import sys

client = Client(sys.argv[1])
for queue, message, timeout in [
    ("square", 12, 10), ("square", -1, 10), ("square", "twelve", 10), ("nobody", 1, 10), ("slow", 1, 0.2), ("square", 9, 10),
]:
    try:
        print(queue, message, "=", client.call(queue, message, timeout))
    except CallError as e:
        print(queue, message, "->", e, e.details, e.outcome)
`

// The client that docs/protocol.md prints works, and tells errors from results.
func TestClientOfTheProtocolPage(t *testing.T) {
	t.Parallel()
	python := os.Getenv(envPython)
	if python == "" {
		t.Skipf("%s is not set: it names a Python that has pika", envPython)
	}
	var program string
	for _, b := range blocks("protocol.md", pages(t)["docs/protocol.md"]) {
		if b.lang == "python" {
			program += b.text
		}
	}
	require.Contains(t, program, "class Client")

	broker := amqptest.NewBroker()
	defer broker.Close()
	srv := amqprpc.NewServer(broker.URL(), amqprpc.WithLogger(nil))
	amqprpc.Register(srv, "square", func(_ context.Context, n int) (int, error) {
		if n < 0 {
			return 0, amqprpc.Errorf(amqprpc.CodeOutOfRange, "%d is below zero", n).WithDetail("least", 0)
		}
		return n * n, nil
	})
	amqprpc.Register(srv, "slow", func(ctx context.Context, _ int) (int, error) {
		<-ctx.Done()
		return 0, ctx.Err()
	})
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	<-srv.Ready()

	out, err := exec.CommandContext(ctx, python, "-c", program+callAll, broker.URL()).CombinedOutput()
	require.NoError(t, err, string(out))
	lines := strings.Split(string(out), "\n")
	require.Len(t, lines, 7, string(out))
	require.Equal(t, "square 12 = 144", lines[0])
	require.Equal(t, "square -1 -> out_of_range: -1 is below zero [{'name': 'least', 'value': 0}] executed", lines[1])
	require.Regexp(t, "^square twelve -> invalid_argument: .* not-executed$", lines[2])
	require.Equal(t, "nobody 1 -> unavailable: there is no queue nobody [] not-executed", lines[3])
	require.Regexp(t, "^slow 1 -> deadline_exceeded: ", lines[4]) // its own, or the server's a moment before
	require.Equal(t, "square 9 = 81", lines[5])
	stop()
	require.NoError(t, <-served)
}
