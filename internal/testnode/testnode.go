// Package testnode runs a private RabbitMQ node for the tests of nested modules. They cannot
// import the package that starts nodes, so that a program of its own does.
package testnode

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// EnvVersion selects the broker of tests: a release series of RabbitMQ for a private node,
// unset for the in-process broker. A node that cannot be started fails the tests.
const EnvVersion = "AMQPRPC_RABBITMQ"

// program starts a private RabbitMQ node and stops it when its input ends.
const program = "github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq/cmd/rabbitmqnode"

// Start starts a node, and returns its URL. stop ends the node and waits for it.
func Start(version string) (url string, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "amqprpc-node-")
	if err != nil {
		return "", nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	exe := filepath.Join(dir, "rabbitmqnode")
	if out, err := exec.Command("go", "build", "-o", exe, program).CombinedOutput(); err != nil {
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

// Tests are the tests of a package, for example a *testing.M.
type Tests interface{ Run() int }

// On returns tests that run on a node if the environment asks for one. use is called with the
// URL of the node before they run.
func On(tests Tests, use func(url string)) Tests { return onNode{tests, use} }

type onNode struct {
	tests Tests
	use   func(string)
}

// Run implements Tests.
func (n onNode) Run() int {
	version := os.Getenv(EnvVersion)
	if version == "" {
		return n.tests.Run()
	}
	url, stop, err := Start(version)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s=%s: %v\n", EnvVersion, version, err)
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
