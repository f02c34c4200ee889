package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/cli"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/invoke"
)

func TestContextCommands(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	start(t, url, shop("shop"))
	s := shellFor(t, "")
	require.Contains(t, s.run("context", "ls").err, "there are no contexts")
	require.Contains(t, s.ok("context", "add", "test", url), "*  test  ")
	out := s.with(strings.NewReader("amqp://user:secret@elsewhere/\n"), "context", "add", "other", "-")
	require.Zero(t, out.status)
	require.NotContains(t, out.out, "secret")
	require.Contains(t, out.out, "amqp://user:xxxxx@elsewhere/")
	require.Contains(t, s.ok("ls"), "shop.order")
	s.ok("context", "use", "other")
	require.Contains(t, s.ok("ls", "--context", "test"), "shop.order")
	require.NotContains(t, s.ok("context", "ls", "--json"), "secret")
	require.Equal(t, []string{"other", "test"}, completions(s, "context", "use", ""))
	s.ok("context", "rm", "other")
	for _, args := range [][]string{{"context", "use", "none"}, {"context", "rm", "none"}, {"context", "add", "a b", url}, {"context", "add", "x", "http://u:secret@h"}, {"context", "nonsense"}, {"ls", "--context", "none"}} {
		r := s.run(args...)
		require.Equal(t, 2, r.status, args)
		require.NotContains(t, r.err, "secret")
	}
	info, err := os.Stat(filepath.Join(s.dir, "amqprpc", "contexts.json"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

// completions returns what a shell would offer, without descriptions.
func completions(s *shell, args ...string) (names []string) {
	s.t.Helper()
	for line := range strings.Lines(s.ok(append([]string{"__complete"}, args...)...)) {
		if name, _, _ := strings.Cut(strings.TrimSpace(line), "\t"); name != "" && !strings.HasPrefix(name, ":") {
			names = append(names, name)
		}
	}
	return names
}

// A wrong command line is refused with a text that says what to write.
func TestWrongCommandLines(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	start(t, url, shop("shop"))
	s := shellFor(t, url)
	for _, tc := range []struct {
		want string
		args []string
	}{
		{"write -- before a request that begins with a minus", []string{"call", "shop.order", "-5"}},
		{"--wait -1s: it is at least 0", []string{"ls", "--wait", "-1s"}},
		{"--limit -1: it is at least 0", []string{"stream", "shop.prices", "item=a", "-n", "-1"}},
		{"--callers -1: it is at least 0", []string{"bench", "shop.order", "-c", "-1"}},
		{"--warmup -1s: it is at least 0", []string{"bench", "shop.order", "--warmup", "-1s"}},
		{"the name of the file behind @ is missing", []string{"call", "shop.order", "@"}},
		{"--url: the URL is no AMQP URI", []string{"ls", "--url", "localhost"}},
		{"write it as host:port", []string{"web", "--listen", "localhost"}},
		{"set a token with --token", []string{"web", "--listen", "0.0.0.0:0"}},
		{"the token is too short", []string{"web", "--token", "short"}},
	} {
		r := s.run(tc.args...)
		require.Equal(t, 2, r.status, tc.args)
		require.Contains(t, r.err, tc.want)
	}
	s.env["AMQP_URL"] = "localhost"
	require.Contains(t, s.run("ls").err, "AMQP_URL: the URL is no AMQP URI")
}

// No request has been sent without a connection, and the error names the broker.
func TestJSONWithoutAConnection(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(amqptest.Start(t).URL())
	require.NoError(t, err)
	u.User = url.UserPassword("guest", "secret")
	r := shellFor(t, u.String()).run("call", "shop.order", "--json")
	require.Equal(t, 6, r.status)
	var failure struct{ Error invoke.Failure }
	require.NoError(t, json.Unmarshal([]byte(r.out), &failure), r.out)
	require.Equal(t, "unauthenticated", failure.Error.Code)
	require.Equal(t, "not-sent", failure.Error.Outcome)
	require.Contains(t, failure.Error.Message, u.Host)
	require.NotContains(t, r.out, "secret")
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	start(t, url, shop("shop"), amqprpc.WithService(amqprpc.Service{Name: "tea", Description: "Sells tea."}))
	s := shellFor(t, url)
	methods := []string{"shop.chat", "shop.import", "shop.order", "shop.prices", "shop.reload"}
	for _, command := range []string{"call", "stream", "all", "describe", "bench"} {
		require.Equal(t, methods, completions(s, command, ""), command)
	}
	for _, command := range []string{"ls", "ping", "top", "asyncapi"} {
		require.Equal(t, []string{"tea"}, completions(s, command, ""), command)
	}
	require.Contains(t, completions(s, "top", "--sort", ""), "p99")
	require.Contains(t, s.ok("__complete", "call", ""), "shop.order\tunary: Orders something.")
	require.Empty(t, completions(shellFor(t, "amqp://127.0.0.1:1/"), "call", ""), "no broker, no names, no error")
	for _, shell := range []string{"bash", "zsh", "fish"} {
		require.Contains(t, s.ok("completion", shell), "__complete", shell)
	}
}

func TestConnectionsThatFail(t *testing.T) {
	t.Parallel()
	b := amqptest.Start(t, amqptest.WithUser("user", "secret"))
	s := shellFor(t, "amqp://user:wrong@"+b.Addr()+"/")
	for _, args := range [][]string{{"ls"}, {"call", "q"}, {"stream", "q"}, {"all", "q"}, {"ping"}, {"top"}, {"bench", "q"}, {"asyncapi"}, {"describe", "q"}} {
		r := s.run(args...)
		require.Equal(t, 6, r.status, args)
		require.Contains(t, r.err, "unauthenticated", args)
		require.NotContains(t, r.err, "wrong", args)
	}
	r := s.run("doctor")
	require.Equal(t, 6, r.status)
	require.Contains(t, r.out, "check user and password")
}

// A server without discovery is called all the same.
func TestForeignServer(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	srv := amqprpc.NewServer(url, amqprpc.WithLogger(nil), amqprpc.WithoutControl())
	shopWithoutBroadcasts(srv)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-served) })
	<-srv.Ready()
	s := shellFor(t, url)
	r := s.run("call", "square", "12")
	require.Equal(t, "144\n", r.out)
	require.Contains(t, r.err, "not validated")
	require.Equal(t, 3, s.run("describe", "square").status)
	require.Equal(t, 3, s.run("ls").status)
	r = s.run("call", "square", `"x"`)
	require.Equal(t, 2, r.status, r.err)
	r = s.with(strings.NewReader("1"), "stream", "square", "--kind", "client")
	require.Equal(t, 3, r.status, r.err)
	require.Equal(t, 2, s.run("stream", "square", "--kind", "x").status)
}

func shopWithoutBroadcasts(srv *amqprpc.Server) {
	amqprpc.Register(srv, "square", func(_ context.Context, n int) (int, error) { return n * n, nil })
}

// slowShop starts a shop with a method that runs until the test ends. entered gets a value when
// the method begins.
func slowShop(t *testing.T, url string) (entered <-chan struct{}) {
	began, release := make(chan struct{}, 100), make(chan struct{})
	start(t, url, func(srv *amqprpc.Server) {
		shop("shop")(srv)
		amqprpc.Register(srv, "slow", func(context.Context, int) (int, error) {
			began <- struct{}{}
			<-release
			return 0, nil
		})
	})
	t.Cleanup(func() { close(release) }) // before the server stops
	return began
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	slowShop(t, url)
	s := shellFor(t, url)
	for _, tc := range []struct {
		status int
		args   []string
	}{
		{2, []string{"call"}}, {2, []string{"describe", "a", "b"}}, {2, []string{"call", "shop.prices"}}, {2, []string{"stream", "shop.order"}},
		{2, []string{"all", "shop.prices"}}, {2, []string{"bench", "shop.prices"}}, {2, []string{"stream", "shop.import", "x=1"}},
		{2, []string{"call", "shop.order", "item=a", "--header", "x"}}, {2, []string{"call", "shop.order", "item=a", "-t", "-1s"}},
		{2, []string{"call", "shop.order", "item=a", "--header", "rpc-x=1"}}, {2, []string{"call", "shop.order", "--notify", "--explain"}},
		{2, []string{"top", "--sort", "x"}}, {2, []string{"top", "--interval", "1ms"}}, {2, []string{"bench", "shop.order", "-r", "0"}},
		{2, []string{"bench", "shop.order", "-r", "NaN"}}, {2, []string{"bench", "shop.order", "-r", "1e12"}}, {2, []string{"bench", "shop.order", "-c", "-1"}},
		{2, []string{"bench", "shop.order", "-d", "0s"}}, {2, []string{"bench", "shop.order", "item:=7"}},
		{2, []string{"bench", "shop.order", "item=a", "--compare", filepath.Join(t.TempDir(), "absent")}},
		{3, []string{"call", "absent"}}, {3, []string{"describe", "absent"}}, {3, []string{"ls", "absent"}}, {3, []string{"ping", "--instance", "absent"}},
		{3, []string{"call", "shop.order", "item=a", "--instance", "absent"}}, {3, []string{"asyncapi", "absent"}}, {3, []string{"top", "absent"}},
		{5, []string{"call", "slow", "1", "-t", "200ms"}},
		{7, []string{"bench", "shop.order", "item=a", "-d", "10ms", "--warmup", "0s", "--save", t.TempDir()}},
		{1, []string{"bench", "shop.order", "item=coffee", "-d", "100ms", "--warmup", "0s"}},
		{2, []string{"call", "shop.order", "item:=7", "--no-validate"}}, // the server refuses it
		{0, []string{"call", "shop.order", "item=a", "count=0", "--no-validate"}},
		{0, []string{"call", "shop.order", "item=a", "--idempotent", "-H", "a=b", "--notify"}},
		{0, nil}, {0, []string{"help", "call"}}, {0, []string{"context"}},
	} {
		r := s.run(tc.args...)
		require.Equal(t, tc.status, r.status, "%v\n%s%s", tc.args, r.out, r.err)
	}
}

// An interrupt ends every wait.
func TestInterrupts(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	entered := slowShop(t, url)
	s := shellFor(t, url)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Main(s.context(ctx), []string{"call", "slow", "1"}, cli.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
	}()
	<-entered
	stop()
	require.Equal(t, 130, <-ended)

	for _, stream := range []string{"shop.import", "shop.chat"} { // while they wait for a line
		ctx, stop := context.WithCancel(t.Context())
		in, lines := io.Pipe()
		go func() {
			ended <- cli.Main(s.context(ctx), []string{"stream", stream}, cli.Streams{In: in, Out: io.Discard, Err: io.Discard})
		}()
		_, err := io.WriteString(lines, "{\"item\":\"a\"}\n")
		require.NoError(t, err)
		stop()
		require.Equal(t, 130, <-ended, stream)
		require.NoError(t, lines.Close())
	}
}

// A reader that is gone ends a stream.
func TestOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	start(t, url, shop("shop"))
	s := shellFor(t, url)
	for _, args := range [][]string{{"stream", "shop.prices", "item=forever", "count=100"}, {"ls"}, {"call", "shop.order", "item=a"}, {"ls", "--json"}, {"all", "shop.reload"}, {"top", "--json", "--interval", "100ms"}, {"describe", "shop.order"}} {
		ctx, stop := context.WithTimeout(s.context(t.Context()), 20*time.Second)
		status := cli.Main(ctx, args, cli.Streams{In: strings.NewReader(""), Out: brokenPipe{}, Err: io.Discard})
		stop()
		require.Equal(t, 7, status, args)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestDoctor(t *testing.T) {
	t.Parallel()
	b := amqptest.Start(t, amqptest.WithUser("plain", "pw"))
	srv, _ := start(t, b.URL(), shop("shop"), amqprpc.WithService(amqprpc.Service{Name: "shop", Version: "1"}))
	s := shellFor(t, b.URL())
	out := s.ok("doctor")
	require.Contains(t, out, "queues that exist and have consumers: all 5")
	require.NotContains(t, out, "→")

	forge(t, b.URL(), func(kind string) []forged {
		return []forged{{"late", document(kind, "late", map[string]any{"version": "2", "time": time.Now().Add(-time.Hour), "methods": []any{map[string]any{"queue": "shop.lost", "served": false}}})}}
	})
	r := s.run("doctor")
	require.Equal(t, 1, r.status)
	require.Contains(t, r.out, "queue shop.lost, and the queue does not exist")
	require.Regexp(t, `the clock of instance late on h is 1h0m0s behind`, r.out)
	require.Contains(t, r.out, "instance late has a handler for shop.lost and does not consume")
	require.NotContains(t, r.out, srv.Instance())

	require.NoError(t, b.SetPermissions("/", "plain", `^amqprpc\.reply\.`, `^amq\.default$`, `^amqprpc\.reply\.`))
	s.env["AMQP_URL"] = "amqp://plain:pw@" + b.Addr() + "/"
	found := okJSON[[]struct{ Check, Result, Advice string }](s, "doctor")
	require.Contains(t, found, struct{ Check, Result, Advice string }{"discovery", "warning",
		`give the user write on ^amqprpc\.control$. Calls work without it, and discovery, broadcasts and cancels do not`})
	require.JSONEq(t, `{"text":"tea "}`, s.ok("call", "shop.order", `{"item":"tea","count":1}`), "calls need no discovery")
}

func TestAsyncAPI(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	start(t, url, shop("shop"), amqprpc.WithService(amqprpc.Service{Name: "tea", Version: "1"}))
	s := shellFor(t, url)
	file := filepath.Join(t.TempDir(), "asyncapi.json")
	s.ok("asyncapi", "tea", "-o", file)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, s.ok("asyncapi"), string(text))
	var doc struct {
		AsyncAPI string
		Channels map[string]json.RawMessage
	}
	require.NoError(t, json.Unmarshal(text, &doc))
	require.Equal(t, "3.1.0", doc.AsyncAPI)
	require.Contains(t, doc.Channels, "shop.order")
}
