package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/cli"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/connect"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/testbroker"
)

var nodeURL string

func TestMain(m *testing.M) { testbroker.Main(m, func(url string) { nodeURL = url }) }

// shell runs commands as a user does.
type shell struct {
	t   *testing.T
	env map[string]string
	dir string
}

// shellFor returns a shell whose broker is url.
func shellFor(t *testing.T, url string) *shell {
	return &shell{t: t, env: map[string]string{"AMQP_URL": url}, dir: t.TempDir()}
}

// result is what a command has done.
type result struct {
	out, err string
	status   int
}

func (s *shell) context(ctx context.Context) context.Context {
	return connect.WithEnvironment(ctx, connect.Environment{
		Getenv:    func(name string) string { return s.env[name] },
		ConfigDir: func() (string, error) { return s.dir, nil },
	})
}

// with runs a command with an input.
func (s *shell) with(in io.Reader, args ...string) result {
	s.t.Helper()
	ctx, stop := context.WithTimeout(s.t.Context(), time.Minute)
	defer stop()
	if args != nil && !slices.Contains(args, "--wait") && args[0] != "__complete" && args[0] != "completion" {
		args = append(slices.Clone(args), "--wait", "1s") // a busy machine answers late
	}
	var out, err bytes.Buffer
	status := cli.Main(s.context(ctx), args, cli.Streams{In: in, Out: &out, Err: &err})
	require.NoError(s.t, ctx.Err(), "%v\n%s%s", args, out.String(), err.String())
	return result{out.String(), err.String(), status}
}

// run runs a command without an input.
func (s *shell) run(args ...string) result {
	s.t.Helper()
	return s.with(strings.NewReader(""), args...)
}

// ok runs a command that succeeds, and returns its output.
func (s *shell) ok(args ...string) string {
	s.t.Helper()
	r := s.run(args...)
	require.Zero(s.t, r.status, "%v\n%s%s", args, r.out, r.err)
	return r.out
}

// okJSON runs a command with --json and reads its output.
func okJSON[T any](s *shell, args ...string) (v T) {
	s.t.Helper()
	out := s.ok(append(args, "--json")...)
	require.NoError(s.t, json.Unmarshal([]byte(out), &v), out)
	return v
}

type order struct {
	Item  string `json:"item"`
	Count int    `json:"count"`
}

type receipt struct {
	Text string `json:"text"`
}

// schemas makes the schemas of the tests' types.
func schemas(t reflect.Type) (json.RawMessage, error) {
	switch t {
	case reflect.TypeFor[order]():
		return json.RawMessage(`{"type":"object","properties":{"item":{"type":"string","minLength":1},"count":{"type":"integer","minimum":1}},"required":["item"],"additionalProperties":false}`), nil
	case reflect.TypeFor[receipt]():
		return json.RawMessage(`{"type":"object","properties":{"text":{"type":"string"}}}`), nil
	case reflect.TypeFor[int]():
		return json.RawMessage(`{"type":"integer"}`), nil
	}
	return json.RawMessage(`{}`), nil
}

// start starts a server. stop stops it, at the latest when the test ends.
func start(t *testing.T, url string, register func(*amqprpc.Server), opts ...amqprpc.ServerOption) (srv *amqprpc.Server, stop func()) {
	t.Helper()
	srv = amqprpc.NewServer(url, append([]amqprpc.ServerOption{amqprpc.WithLogger(nil), amqprpc.WithSchemas(schemas)}, opts...)...)
	register(srv)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	stopped := false
	stop = func() {
		if cancel(); !stopped {
			stopped = true
			require.NoError(t, <-served)
		}
	}
	t.Cleanup(stop)
	select {
	case <-srv.Ready():
	case err := <-served:
		stopped = true
		t.Fatal(err)
	}
	testbroker.Found(t, url, srv)
	return srv, stop
}

// transient makes a queue that goes away after the test.
func transient() amqprpc.HandlerOption {
	return amqprpc.WithQueue(amqprpc.Queue{Expires: time.Minute})
}

// shop puts the methods of a shop on a server. All their queues begin with q.
func shop(q string) func(*amqprpc.Server) {
	return func(srv *amqprpc.Server) {
		amqprpc.Register(srv, q+".order", func(_ context.Context, o order) (receipt, error) {
			if o.Item == "coffee" {
				return receipt{}, amqprpc.Errorf(amqprpc.CodeNotFound, "there is no %s", o.Item).WithDetail("shelf", map[string]int{"row": 7})
			}
			return receipt{strings.Repeat(o.Item+" ", o.Count)}, nil
		}, transient(), amqprpc.WithDoc("Orders something.\nIt comes tomorrow."), amqprpc.WithErrors(amqprpc.CodeNotFound))
		amqprpc.Register(srv, q+".reload", func(ctx context.Context, _ amqprpc.None) (string, error) {
			return "reloaded", nil
		}, transient(), amqprpc.WithBroadcast())
		amqprpc.RegisterServerStream(srv, q+".prices", func(ctx context.Context, o order, out *amqprpc.Sender[int]) error {
			for i := range o.Count {
				if err := out.Send(i); err != nil {
					return err
				}
			}
			if o.Item == "forever" {
				<-ctx.Done()
			}
			return nil
		}, transient())
		amqprpc.RegisterClientStream(srv, q+".import", func(_ context.Context, in *amqprpc.Receiver[order]) (int, error) {
			sum := 0
			for o, err := range in.All() {
				if err != nil {
					return 0, err
				}
				sum += o.Count
			}
			return sum, nil
		}, transient())
		amqprpc.RegisterBidiStream(srv, q+".chat", func(_ context.Context, in *amqprpc.Receiver[order], out *amqprpc.Sender[receipt]) error {
			for o, err := range in.All() {
				if err != nil {
					return err
				}
				if err := out.Send(receipt{"got " + o.Item}); err != nil {
					return err
				}
			}
			return nil
		}, transient())
	}
}
