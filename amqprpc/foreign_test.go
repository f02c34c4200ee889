package amqprpc_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/faultproxy"
)

// envNode is the variable with the path of Node for the JavaScript client. NODE_PATH must
// contain amqplib. If the variable is set, as in CI, a missing Node or amqplib fails the
// test.
const envNode = "AMQPRPC_NODE"

// heartbeat makes the broker give up a connection that is silent for three seconds.
const heartbeat = "?heartbeat=1"

// foreignClients are the core clients of docs/protocol.md.
var foreignClients = map[string]struct{ env, program string }{
	"python":     {envPython, "calls.py"},
	"javascript": {envNode, "client.mjs"},
}

// startForeign starts a program of examples/foreign. It skips the test if the interpreter's
// variable is unset.
func startForeign(t *testing.T, env, program string, args ...string) (io.Writer, *bufio.Reader) {
	t.Helper()
	interpreter := os.Getenv(env)
	if interpreter == "" {
		t.Skipf("%s is not set: it names an interpreter for %s", env, program)
	}
	cmd := exec.CommandContext(testContext(t), interpreter, append([]string{"../examples/foreign/" + program}, args...)...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return stdin, bufio.NewReader(stdout)
}

// foreignAnswer is a client's printed result of a call.
type foreignAnswer struct {
	Result  any
	Code    string
	Message string
	Outcome string
	Details []any
}

// foreignCaller returns a function that makes calls with a foreign client.
func foreignCaller(t *testing.T, client, url string) func(queue, request any, timeout time.Duration) foreignAnswer {
	t.Helper()
	stdin, stdout := startForeign(t, foreignClients[client].env, foreignClients[client].program, url+heartbeat)
	return func(queue, request any, timeout time.Duration) foreignAnswer {
		t.Helper()
		line, err := json.Marshal([]any{queue, request, timeout.Seconds()})
		require.NoError(t, err)
		_, err = stdin.Write(append(line, '\n'))
		require.NoError(t, err)
		line, err = stdout.ReadBytes('\n')
		require.NoError(t, err)
		var a foreignAnswer
		require.NoError(t, json.Unmarshal(line, &a), string(line))
		return a
	}
}

// idle waits until a peer has sent eight heartbeats. The broker would close a silent
// connection before that.
func idle(t *testing.T, proxy *faultproxy.Proxy) {
	t.Helper()
	const frame = 8
	want := proxy.Stats().ToBroker + 8*frame
	require.Eventually(t, func() bool { return proxy.Stats().ToBroker >= want }, patience, 10*time.Millisecond, "no heartbeats")
}

// Clients written from docs/protocol.md call our server.
func TestForeignClients(t *testing.T) {
	t.Parallel()
	for name := range foreignClients {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, queue := brokerURL(t), queueName(t)
			proxy, through := proxied(t, url)
			slow := queue + ".slow"
			entered, release := make(chan struct{}, 1), make(chan struct{})
			startServer(t, url, func(s *amqprpc.Server) {
				amqprpc.Register(s, queue, func(ctx context.Context, n int) (int, error) {
					if n < 0 {
						return 0, amqprpc.Errorf(amqprpc.CodeOutOfRange, "%d is below zero", n).WithDetail("least", 0)
					}
					return n * n, nil
				})
				amqprpc.Register(s, slow, func(ctx context.Context, _ int) (int, error) {
					entered <- struct{}{}
					select {
					case <-ctx.Done():
					case <-release:
					}
					return 0, ctx.Err()
				})
			})
			call := foreignCaller(t, name, through)
			require.Equal(t, foreignAnswer{Result: 144.0}, call(queue, 12, patience))
			require.Equal(t, foreignAnswer{
				Code: "out_of_range", Message: "-1 is below zero", Outcome: "executed",
				Details: []any{map[string]any{"name": "least", "value": 0.0}},
			}, call(queue, -1, patience))
			a := call(queue, "twelve", patience)
			require.Equal(t, []string{"invalid_argument", "not-executed"}, []string{a.Code, a.Outcome})
			a = call(queue+".nobody", 1, patience)
			require.Equal(t, []string{"unavailable", "not-executed"}, []string{a.Code, a.Outcome})
			a = call(slow, 1, 200*time.Millisecond)
			require.Equal(t, []string{"deadline_exceeded", "unknown"}, []string{a.Code, a.Outcome}, a.Message)
			<-entered

			idle(t, proxy)
			require.Equal(t, foreignAnswer{Result: 81.0}, call(queue, 9, patience))
			require.EqualValues(t, 1, proxy.Stats().Accepted, "it connected again")

			go func() {
				<-entered
				proxy.Cut(faultproxy.RST)
			}()
			a = call(slow, 1, patience)
			close(release)
			require.Equal(t, []string{"unavailable", "unknown"}, []string{a.Code, a.Outcome})
			require.Eventually(t, func() bool { return call(queue, 7, patience).Result == 49.0 }, patience, 10*time.Millisecond)
		})
	}
}

// The server in docs/protocol.md serves our clients and foreign clients.
func TestForeignServer(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	proxy, through := proxied(t, url)
	startForeign(t, envPython, "fibonacci.py", through+heartbeat, queue)
	t.Cleanup(func() { newPeer(t, url).ch.QueueDelete(queue, false, false, false) })

	fib := amqprpc.Method[int, int](queue)
	cli := dial(t, url)
	serves := func() bool {
		got, err := fib.Call(testContext(t), cli, 30)
		return err == nil && got == 832040
	}
	require.Eventually(t, serves, patience, 10*time.Millisecond)
	_, err := fib.Call(testContext(t), cli, -1)
	require.ErrorIs(t, err, amqprpc.CodeOutOfRange)
	require.Equal(t, amqprpc.OutcomeExecuted, amqprpc.OutcomeOf(err))
	least, ok := amqprpc.Detail[int](err, "least")
	require.True(t, ok)
	require.Zero(t, least)
	require.NoError(t, amqprpc.Notify(testContext(t), cli, queue, 5))

	checkForeignRefusals(t, url, queue)

	idle(t, proxy)
	require.True(t, serves())
	require.EqualValues(t, 1, proxy.Stats().Accepted, "it connected again")
	proxy.Cut(faultproxy.RST)
	require.Eventually(t, serves, patience, 10*time.Millisecond)
	_, err = newPeer(t, url).ch.QueueDelete(queue, false, false, false) // which cancels its consumer
	require.NoError(t, err)
	require.Eventually(t, serves, patience, 10*time.Millisecond)
	for name := range foreignClients {
		t.Run(name, func(t *testing.T) {
			call := foreignCaller(t, name, url)
			require.Equal(t, foreignAnswer{Result: 55.0}, call(queue, 10, patience))
			a := call(queue, -1, patience)
			require.Equal(t, []string{"out_of_range", "executed"}, []string{a.Code, a.Outcome})
		})
	}
}

// checkForeignRefusals checks the refusals of a core server and their order.
func checkForeignRefusals(t *testing.T, url, queue string) {
	t.Helper()
	p := newPeer(t, url)
	past := time.Now().Add(-time.Minute).UnixMilli()
	for _, c := range []struct {
		m    amqp.Publishing
		code string
	}{
		{amqp.Publishing{Body: []byte("5"), ContentType: "text/csv"}, "invalid_argument"},
		{amqp.Publishing{Body: []byte("5"), ContentType: "\xff"}, "invalid_argument"},
		{amqp.Publishing{Body: []byte("5"), ContentEncoding: "gzip"}, "invalid_argument"},
		{amqp.Publishing{Body: []byte("5"), ContentEncoding: "\xff"}, "invalid_argument"},
		{amqp.Publishing{Body: []byte(strings.Repeat("[", 200_000))}, "invalid_argument"},
		{amqp.Publishing{}, "invalid_argument"},
		{amqp.Publishing{Body: []byte("\xef\xbb\xbf5")}, "invalid_argument"},
		{amqp.Publishing{Body: []byte("NaN")}, "invalid_argument"},
		{amqp.Publishing{Body: []byte("5"), Headers: amqp.Table{"rpc-deadline": past}}, "deadline_exceeded"},
		{amqp.Publishing{Body: []byte("5"), Headers: amqp.Table{"rpc-version": int64(2), "rpc-attempt": "1"}}, "unimplemented"},
		{amqp.Publishing{Body: []byte("5"), Headers: amqp.Table{"rpc-stream": "x", "rpc-attempt": "1"}}, "unimplemented"},
		{amqp.Publishing{Body: []byte("5"), Headers: amqp.Table{"rpc-version": nil}}, "invalid_argument"},
		{amqp.Publishing{Body: []byte("5"), Headers: amqp.Table{"rpc-attempt": "1"}}, "invalid_argument"},
		{amqp.Publishing{Body: []byte("x"), Headers: amqp.Table{"rpc-deadline": past}}, "invalid_argument"},
	} {
		d := p.ask(queue, c.m)
		require.Equal(t, c.code, d.Headers["rpc-code"], "%+v: %s", c.m, d.Body)
		require.Equal(t, "not-executed", d.Headers["rpc-outcome"])
		require.Equal(t, "application/json", d.ContentType)
	}
	foreign, deliveries := p.own(queueName(t))
	for _, to := range []string{foreign, "\xff", "amqprpc.reply.\xff", "amqprpc.reply.\n", "amq.rabbitmq.reply-to.x"} {
		p.send(queue, amqp.Publishing{Body: []byte("5"), ReplyTo: to})
	}
	d := p.ask(queue, amqp.Publishing{Body: []byte("6"), ContentType: "Application/JSON; charset=utf-8", MessageId: "m"})
	require.Equal(t, []string{"m", "8"}, []string{d.CorrelationId, string(d.Body)})
	require.Empty(t, deliveries)
}
