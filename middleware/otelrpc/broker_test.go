package otelrpc_test

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

// nodeProgram starts a private RabbitMQ node and stops it when its input ends.
const nodeProgram = "github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq/cmd/rabbitmqnode"

// nodeURL is the URL of the node that all tests share, "" for in-process brokers.
var nodeURL string

func TestMain(m *testing.M) { goleak.VerifyTestMain(onNode{m}) }

// onNode runs tests on the node that the environment asks for.
type onNode struct{ tests interface{ Run() int } }

func (n onNode) Run() int {
	version := os.Getenv(envRabbitMQ)
	if version == "" {
		return n.tests.Run()
	}
	url, stop, err := startNode(version)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s=%s: %v\n", envRabbitMQ, version, err)
		return 1
	}
	nodeURL = url
	code := n.tests.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func startNode(version string) (url string, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "otelrpc-")
	if err != nil {
		return "", nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	exe := filepath.Join(dir, "rabbitmqnode")
	if out, err := exec.Command("go", "build", "-o", exe, nodeProgram).CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("%w: %s", err, out)
	}
	cmd := exec.Command(exe, "-version", version)
	var log strings.Builder
	cmd.Stderr = &log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		stdin.Close()
		return "", nil, errors.Join(err, cmd.Wait(), errors.New(log.String()))
	}
	return strings.TrimSpace(line), func() error {
		stdin.Close()
		return errors.Join(cmd.Wait(), os.RemoveAll(dir))
	}, nil
}

// brokerURL returns the URL of a broker for one test.
func brokerURL(t testing.TB) string {
	t.Helper()
	require.Equal(t, os.Getenv(envRabbitMQ) != "", nodeURL != "", envRabbitMQ) // the read tells go test's cache
	if nodeURL != "" {
		return nodeURL
	}
	return amqptest.Start(t).URL()
}

// queueName returns a name for the queue of one test, with a suffix.
func queueName(t testing.TB, suffix string) string {
	return strings.ReplaceAll(t.Name(), "/", ".") + suffix
}
