package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// envRabbitMQ selects the broker of the tests: a release series of RabbitMQ for a private
// node, unset for the in-process broker. A node that cannot be started fails the tests.
const envRabbitMQ = "AMQPRPC_RABBITMQ"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// brokerURL returns the URL of a broker for one test.
func brokerURL(t *testing.T) string {
	t.Helper()
	version := os.Getenv(envRabbitMQ)
	if version == "" {
		return amqptest.Start(t).URL()
	}
	exe := filepath.Join(t.TempDir(), "rabbitmqnode")
	out, err := exec.Command("go", "build", "-o", exe, "github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq/cmd/rabbitmqnode").CombinedOutput()
	require.NoError(t, err, "%s", out)
	node := exec.Command(exe, "-version", version)
	var log strings.Builder
	node.Stderr = &log
	stdin, err := node.StdinPipe() // the node stops when its input ends
	require.NoError(t, err)
	stdout, err := node.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, node.Start())
	t.Cleanup(func() {
		if err := errors.Join(stdin.Close(), node.Wait()); err != nil {
			t.Error(fmt.Errorf("%w: %s", err, &log))
		}
	})
	url, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err, "the node does not start")
	return strings.TrimSpace(url)
}
