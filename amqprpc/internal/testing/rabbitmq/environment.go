package rabbitmq

import (
	"context"
	"fmt"
	"os"
)

// EnvVersion is the environment variable that selects the broker of the tests: "3.10",
// "4.0" or "4.3" for a private node of that series, unset for the in-process broker.
const EnvVersion = "AMQPRPC_RABBITMQ"

// FromEnv starts the node that AMQPRPC_RABBITMQ asks for. It returns nil without an
// error if the variable is unset. If it returns an error, the requested broker is
// missing, and the caller must fail.
func FromEnv(ctx context.Context) (*Node, error) {
	version := os.Getenv(EnvVersion)
	if version == "" {
		return nil, nil
	}
	n, err := Start(ctx, Config{Version: version})
	if err != nil {
		return nil, fmt.Errorf("%s=%s: %w", EnvVersion, version, err)
	}
	return n, nil
}

// Runner is the interface of *testing.M that Main needs, and that goleak needs of Main.
type Runner interface{ Run() int }

// Main makes the tests of a package run on the node that the environment asks for, one
// node for the whole package. use is called before the tests, with that node or with
// nil:
//
//	var broker *rabbitmq.Node
//
//	func TestMain(m *testing.M) {
//		goleak.VerifyTestMain(rabbitmq.Main(m, func(n *rabbitmq.Node) { broker = n }))
//	}
//
// If the node cannot be started, no test runs and the package fails.
func Main(m Runner, use func(*Node)) Runner { return &main{tests: m, use: use} }

type main struct {
	tests Runner
	use   func(*Node)
}

// Run implements [Runner].
func (m *main) Run() int {
	n, err := FromEnv(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	m.use(n)
	code := m.tests.Run()
	if err := n.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
