package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// output holds a program's output. A test can read it while the program runs.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func (o *output) waitFor(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(o.String(), text) },
		patience, time.Millisecond, "waiting for %q", text)
}

// play runs the program within the test's process.
func play(t *testing.T, envURL string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var out, errs output
	code = run(ctx, args, envURL, &out, &errs)
	return code, out.String(), errs.String()
}

func startBroker(t *testing.T) *amqptest.Broker {
	t.Helper()
	b := amqptest.NewBroker()
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

// freeAddr returns a loopback address without a listener.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

// The codec chooses the text after this prefix.
var undecoded = regexp.MustCompile(`(the request does not decode: ).*`)

// On a busy machine, the request with the deadline may not reach the handler.
var handled = regexp.MustCompile(`10[45] requests handled`)

var duration = regexp.MustCompile(`\b[0-9.]+(µs|ms|s)\b`)

// whatBothShows is the output of role both without times.
const whatBothShows = `
1. One call, as in the tutorial
   fib(30) = 832040
   answered in TIME

2. A hundred calls at once, over the same client
   fib(0) = 0, fib(1) = 1, … fib(92) = 7540113804746346429
   100 answers in TIME, each to its own question: fib(n) = fib(n-1) + fib(n-2) throughout

3. The server's own error, for fib(-1)
   code     invalid_argument
   message  there is no Fibonacci number before the first: n is -1
   detail   bounds: 0 to 92
   outcome  executed: the handler ran, and answered so

4. A bound of the server's, for fib(93)
   code     out_of_range
   message  fib(93) does not fit an int64
   detail   bounds: 0 to 92
   outcome  executed: the handler ran, and answered so

5. A body that does not decode: the text "thirty", where the server takes a number
   code     invalid_argument
   message  the request does not decode: …
   outcome  not-executed: no handler ran, or ever will

6. A call to a queue that nobody serves, with ten seconds to wait
   code     unavailable
   message  there is no such queue (312 NO_ROUTE): has a server registered it on this virtual host?
   outcome  not-executed: no handler ran, or ever will
   known after TIME, not after ten seconds

7. A call that meets its deadline: fib(90) by plain recursion, in TIME
   deadline_exceeded after TIME
   and the server has stopped computing, since nobody waits any more

The server has stopped: HANDLED, none left unanswered.
`

func TestBoth(t *testing.T) {
	t.Parallel()
	first, second := startBroker(t), startBroker(t)
	for _, tt := range []struct {
		name, env string
		args      []string
		first     string
	}{
		{name: "own broker", first: "A broker, a server and a client, all in this process. (-url plays on a RabbitMQ.)\n"},
		{name: "url", args: []string{"-url", first.URL()}, first: "A server and a client in this process, and the broker at " + first.Addr() + ".\n"},
		{name: "environment", env: second.URL(), args: []string{"-role", "both", "-n", "30"}, first: "A server and a client in this process, and the broker at " + second.Addr() + ".\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := play(t, tt.env, tt.args...)
			require.Zero(t, code, stderr)
			require.Empty(t, stderr)
			stdout = duration.ReplaceAllString(stdout, "TIME")
			stdout = handled.ReplaceAllString(stdout, "HANDLED")
			stdout = undecoded.ReplaceAllString(stdout, "${1}…")
			require.Equal(t, tt.first+whatBothShows, stdout)
		})
	}
}

func TestVerbose(t *testing.T) {
	t.Parallel()
	code, _, stderr := play(t, "", "-v")
	require.Zero(t, code)
	require.Contains(t, stderr, "level=INFO msg=rpc side=server kind=unary queue=rpc_queue ")
	require.Contains(t, stderr, "level=DEBUG msg=rpc side=client kind=unary queue=rpc_queue ")
}

// build builds the program for tests that run it as a process.
func build(t *testing.T) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "fibonacci")
	out, err := exec.Command("go", "build", "-o", exe, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	return exe
}

// command prepares the built program. AMQP_URL is unset unless a test sets it.
func command(ctx context.Context, exe string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Env = append(os.Environ(), "AMQP_URL=")
	return cmd
}

// TestTwoTerminals follows the tutorial: a server, a second server that shares the work, and
// several clients, each in a process of its own.
func TestTwoTerminals(t *testing.T) {
	t.Parallel()
	exe := build(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	for _, tt := range []struct {
		name  string
		where []string
		first string
	}{
		{
			name:  "no url",
			where: []string{"-addr", freeAddr(t)},
			first: "a broker of its own at",
		},
		{
			name:  "url",
			where: []string{"-url", startBroker(t).URL()},
			first: "the broker at ",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs [2]output
			var servers [2]*exec.Cmd
			for i := range servers {
				servers[i] = command(ctx, exe, append([]string{"-role", "server"}, tt.where...)...)
				servers[i].Stdout, servers[i].Stderr = &out[i], &errs[i]
				require.NoError(t, servers[i].Start())
				out[i].waitFor(t, "[*] Awaiting RPC requests on rpc_queue. To exit press CTRL+C\n")
			}
			require.Contains(t, out[0].String(), "[*] Connecting to "+tt.first)

			for range 2 {
				client := command(ctx, exe, append([]string{"-role", "client", "-n", "30"}, tt.where...)...)
				got, err := client.CombinedOutput()
				require.NoError(t, err, string(got))
				require.Equal(t, "fib(30) = 832040\n", string(got))
			}
			client := command(ctx, exe, append([]string{"-role", "client", "-n", "-1"}, tt.where...)...)
			got, err := client.CombinedOutput()
			require.Error(t, err)
			require.Equal(t, 1, client.ProcessState.ExitCode())
			require.Equal(t, "fibonacci: rpc_queue: invalid_argument: there is no Fibonacci number before the first: n is -1\n", string(got))

			for i := 1; i >= 0; i-- { // the first server runs the broker
				require.NoError(t, servers[i].Process.Signal(syscall.SIGTERM))
				require.NoError(t, servers[i].Wait(), errs[i].String())
			}
			both := out[0].String() + out[1].String()
			require.Equal(t, 2, strings.Count(both, "[.] fib(30)\n"), both)
			require.Equal(t, 1, strings.Count(both, "[.] fib(-1): invalid_argument: "), both)
			require.Equal(t, 2, strings.Count(both, ", none left unanswered\n"), both)
			require.Empty(t, errs[0].String()+errs[1].String())
		})
	}
}

func TestWrongUsage(t *testing.T) {
	t.Parallel()
	nobody := freeAddr(t)
	url := startBroker(t).URL()
	for _, tt := range []struct {
		name   string
		args   []string
		code   int
		stderr []string
		not    string
	}{
		{name: "role", args: []string{"-role", "spectator"}, code: 2, stderr: []string{`-role is both, server or client, not "spectator"`}},
		{name: "argument", args: []string{"30"}, code: 2, stderr: []string{`what is "30"?`}},
		{name: "number", args: []string{"-n", "thirty"}, code: 2, stderr: []string{`invalid value "thirty" for flag -n`, "Usage of fibonacci"}},
		{name: "flag", args: []string{"-x"}, code: 2, stderr: []string{"flag provided but not defined: -x"}},
		{name: "help", args: []string{"-h"}, code: 0, stderr: []string{"Usage of fibonacci", "-role", "-url", "AMQP_URL"}},
		{name: "scheme", args: []string{"-url", "http://localhost/"}, code: 1, stderr: []string{"not of the form amqp://user:password@host:port/vhost"}},
		{
			name: "port", args: []string{"-role", "client", "-url", "amqp://me:s3cret@localhost:port/"}, code: 1,
			stderr: []string{"not of the form amqp://"}, not: "s3cret",
		},
		{
			name: "password", args: []string{"-url", strings.Replace(url, "guest:guest", "guest:s3cret", 1)}, code: 1,
			stderr: []string{"the broker refused the user or password of the URL"}, not: "s3cret",
		},
		{
			name: "server's password", args: []string{"-role", "server", "-url", strings.Replace(url, "guest:guest", "guest:s3cret", 1)}, code: 1,
			stderr: []string{"the broker refused the user or password of the URL"}, not: "s3cret",
		},
		{name: "vhost", args: []string{"-role", "server", "-url", url + "nowhere"}, code: 1, stderr: []string{"the virtual host does not exist"}},
		{name: "no broker", args: []string{"-url", "amqp://guest:guest@" + nobody + "/"}, code: 1, stderr: []string{nobody, "connection refused", "is a broker running there?"}},
		{name: "no broker for the client", args: []string{"-role", "client", "-addr", nobody}, code: 1, stderr: []string{nobody, "connection refused", "-role server"}},
		{name: "no server", args: []string{"-role", "client", "-url", startBroker(t).URL()}, code: 1, stderr: []string{"there is no such queue", "is a server running?"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, _, stderr := play(t, "", tt.args...)
			require.Equal(t, tt.code, code, stderr)
			for _, text := range tt.stderr {
				require.Contains(t, stderr, text)
			}
			if tt.not != "" {
				require.NotContains(t, stderr, tt.not)
			}
			if code == 1 {
				require.Regexp(t, "(?m)^fibonacci: ", stderr)
			}
		})
	}
}

// An interrupt ends a waiting client with one short message.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, errs output
	require.Equal(t, 1, run(ctx, []string{"-role", "client", "-url", startBroker(t).URL()}, "", &out, &errs))
	require.Equal(t, "fibonacci: interrupted\n", errs.String())
}
