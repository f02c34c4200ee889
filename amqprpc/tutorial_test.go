package amqprpc_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
)

// envPython is the variable with the path of Python, with pika, for the tutorial's programs.
// If the variable is set, as in CI, a missing Python or pika fails the test.
const envPython = "AMQPRPC_PYTHON"

func fibonacci(_ context.Context, n int) (int, error) {
	if n < 0 {
		return 0, amqprpc.Errorf(amqprpc.CodeInvalidArgument, "fib of a negative number")
	}
	a, b := 0, 1
	for range n {
		a, b = b, a+b
	}
	return a, nil
}

// RabbitMQ's unchanged tutorial works with this library on both sides. The tutorial's queue
// name is fixed, so this is one test.
func TestTutorial(t *testing.T) {
	python := os.Getenv(envPython)
	if python == "" {
		t.Skipf("%s is not set: it names a Python that has pika", envPython)
	}
	url := brokerURL(t)
	const queue = "rpc_queue"
	program := func(name string) *exec.Cmd {
		cmd := exec.CommandContext(testContext(t), python, "-u", "../examples/tutorial/"+name)
		cmd.Env = append(os.Environ(), "AMQP_URL="+url)
		return cmd
	}
	_, stop := startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, fibonacci) })
	out, err := program("rpc_client.py").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, " [x] Requesting fib(30)\n [.] Got 832040\n", string(out))
	stop()
	// The tutorial declares the queue with other arguments.
	_, err = newPeer(t, url).ch.QueueDelete(queue, false, false, false)
	require.NoError(t, err)

	server := program("rpc_server.py")
	stdout, err := server.StdoutPipe()
	require.NoError(t, err)
	server.Stderr = os.Stderr
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
		newPeer(t, url).ch.QueueDelete(queue, false, false, false)
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, " [x] Awaiting RPC requests\n", line)
	fib := amqprpc.Method[int, int](queue)
	for _, mode := range []amqprpc.ReplyMode{amqprpc.ReplyResumable, amqprpc.ReplyExclusive, amqprpc.ReplyDirect} {
		cli := dial(t, url, amqprpc.WithReplyMode(mode))
		for n, want := range map[int]int{0: 0, 10: 55, 20: 6765} {
			got, err := fib.Call(testContext(t), cli, n)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	}
}
