// Package testbroker gives the tests of this module their broker: one in the process, or a
// private RabbitMQ node if the environment asks for one.
package testbroker

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/discovery"
)

// envRabbitMQ selects the broker: a release series of RabbitMQ, unset for the in-process
// broker. A node that cannot be started fails the tests.
const envRabbitMQ = "AMQPRPC_RABBITMQ"

// nodeProgram starts a private RabbitMQ node and stops it when its input ends.
const nodeProgram = "github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq/cmd/rabbitmqnode"

// Main runs the tests of a package, and fails if a goroutine is left. f is called with the URL
// of the node that all tests share, or "".
func Main(m *testing.M, f func(nodeURL string)) { goleak.VerifyTestMain(onNode{m, f}) }

type onNode struct {
	tests *testing.M
	use   func(string)
}

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
	n.use(url)
	code := n.tests.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func startNode(version string) (url string, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "amqprpc-")
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

// URL returns the URL of a broker for one test: that of the node, or of a new broker in the
// process.
func URL(t testing.TB, nodeURL string) string {
	t.Helper()
	if (os.Getenv(envRabbitMQ) != "") != (nodeURL != "") { // the read tells go test's cache
		t.Fatalf("%s=%q, and the node is %q", envRabbitMQ, os.Getenv(envRabbitMQ), nodeURL)
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
