package cli_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/invoke"
	"github.com/bbebcec1/amqprpc-go/cmd/amqprpc/internal/testbroker"
)

// A newcomer finds the services of a broker, calls them, and sees that a server is gone.
func TestNewcomer(t *testing.T) {
	t.Parallel()
	url, q := testbroker.URL(t, nodeURL), testbroker.Queue(t, "")
	service := amqprpc.WithService(amqprpc.Service{Name: q, Version: "1.0", Description: "Sells tea."})
	first, _ := start(t, url, shop(q), service)
	second, stopSecond := start(t, url, shop(q), service)
	s := shellFor(t, url)

	out := s.ok("ls", q)
	require.Contains(t, out, q+" 1.0 · 2 instances · Sells tea.")
	require.Regexp(t, regexp.QuoteMeta(q)+`\.order +unary +cli_test\.order → cli_test\.receipt +2  Orders something\.\n`, out)
	require.NotContains(t, out, "DIFFERENCES")
	require.Contains(t, s.ok("ls", q, "--instances"), first.Instance())
	require.Contains(t, s.ok("ping", q), second.Instance())

	out = s.ok("describe", q+".order")
	for _, want := range []string{"It comes tomorrow.", `"minLength": 1`, "error not_found", "at least once"} {
		require.Contains(t, out, want)
	}
	template := filepath.Join(t.TempDir(), "order.json")
	require.NoError(t, os.WriteFile(template, []byte(s.ok("describe", q+".order", "--template")), 0o600))
	require.JSONEq(t, `{"text":"x "}`, s.ok("call", q+".order", "@"+template))
	require.JSONEq(t, `{"text":"tea tea "}`, s.ok("call", q+".order", `{"item":"tea","count":2}`))
	require.JSONEq(t, `{"text":"tea tea "}`, s.ok("call", q+".order", "item=tea", "count=2"))
	require.JSONEq(t, `{"text":"7 "}`, s.ok("call", q+".order", "item=7", "count:=1"), "a string, as the schema says")
	require.Equal(t, `"reloaded"`+"\n", s.ok("call", q+".reload"))
	r := s.with(strings.NewReader(`{"item":"tea","count":1}`), "call", q+".order", "-", "--explain")
	require.Zero(t, r.status)
	require.Regexp(t, `(?s)sent .*queued .*handler .*back .*total `, r.err)

	r = s.run("call", q+".order", `{"item":1,"colour":"red"}`)
	require.Equal(t, 2, r.status)
	require.Contains(t, r.err, "at /item: got number, want string")
	require.Contains(t, r.err, "colour")
	r = s.run("call", q+".order", "item=coffee")
	require.Equal(t, 1, r.status)
	require.Contains(t, r.err, "not_found: there is no coffee")
	require.Contains(t, r.err, `"row": 7`)

	require.Equal(t, "0\n1\n2\n", s.ok("stream", q+".prices", "item=tea", "count=3"))
	require.Equal(t, "0\n", s.ok("stream", q+".prices", "item=forever", "count=3", "--limit", "1"))
	r = s.with(strings.NewReader("{\"item\":\"a\",\"count\":1}\n\n{\"item\":\"b\",\"count\":2}"), "stream", q+".import")
	require.Equal(t, result{out: "3\n"}, r)
	r = s.with(strings.NewReader("{\"item\":\"a\"}\n{\"item\":\"b\"}\n"), "stream", q+".chat")
	require.Equal(t, result{out: "{\"text\":\"got a\"}\n{\"text\":\"got b\"}\n"}, r)

	out = s.ok("all", q+".reload")
	require.Len(t, strings.Split(strings.TrimSpace(out), "\n"), 2)
	require.Contains(t, out, second.Instance()+`  "reloaded"`)

	measure(t, s, q)
	require.Regexp(t, regexp.QuoteMeta(q)+`\.order .* 2 +0 +0 .*served`, s.ok("top", q, "--once", "--interval", "100ms"))
	stopSecond()
	require.Regexp(t, regexp.QuoteMeta(q)+`\.order .* 1 +0 +0 .*served`, s.ok("top", q, "--once", "--interval", "100ms"))
	require.NotContains(t, s.ok("ping", q), second.Instance())
	r = s.run("call", q+".reload", "--instance", second.Instance())
	require.Equal(t, 3, r.status, r.err)
	require.Contains(t, r.err, "no handler has run")
}

// measure measures a method, and compares it with an earlier run.
func measure(t *testing.T, s *shell, q string) {
	t.Helper()
	saved := filepath.Join(t.TempDir(), "run.json")
	out := s.ok("bench", q+".order", "item=tea", "--rate", "200", "--duration", "300ms", "--warmup", "0s", "--save", saved)
	require.Regexp(t, `calls +60\n`, out)
	require.Regexp(t, `p99.9 +[0-9.]+[µm]?s`, out)
	r := s.run("bench", q+".order", "item=tea", "--callers", "2", "--duration", "200ms", "--warmup", "0s", "--compare", saved)
	require.Zero(t, r.status)
	require.Contains(t, r.out, "BEFORE")
	require.Contains(t, r.err, "another plan: "+q+".order, open loop, 200 calls due each second, for 300ms")
	r = s.run("bench", q+".order", "item=tea", "--duration", "100ms", "--warmup", "0s", "--save", filepath.Join(t.TempDir(), "absent", "run.json"))
	require.Equal(t, 7, r.status)
	require.Contains(t, r.err, "the result is not saved")
	require.Regexp(t, `calls +10\n`, r.out, "the result is shown all the same")
}

// What the servers of one queue say differs, and ls says how.
func TestLsShowsDifferences(t *testing.T) {
	t.Parallel()
	url, q := testbroker.URL(t, nodeURL), testbroker.Queue(t, "")
	old, _ := start(t, url, shop(q), amqprpc.WithService(amqprpc.Service{Name: q, Version: "1"}))
	fresh, _ := start(t, url, func(srv *amqprpc.Server) {
		amqprpc.RegisterServerStream(srv, q+".order", func(context.Context, int, *amqprpc.Sender[int]) error { return nil }, transient())
	}, amqprpc.WithService(amqprpc.Service{Name: q, Version: "2"}))
	s := shellFor(t, url)
	out := s.ok("ls", q)
	require.Contains(t, out, "DIFFERENCES")
	require.Contains(t, out, q+".order: version, kind, request schema, response schema, request type, response type, errors")
	require.Regexp(t, `1  description \d  `+old.Instance(), out)
	require.Regexp(t, `2  description \d  `+fresh.Instance(), out)
	require.Contains(t, s.ok("describe", q+".order"), "description 2 of 2")
	r := s.run("call", q+".order", "item=tea")
	require.Contains(t, r.err, "do not agree")
}

// Every command writes JSON that a program can read, and a line of JSON if it fails.
func TestJSONOfEveryCommand(t *testing.T) {
	t.Parallel()
	url, q := testbroker.URL(t, nodeURL), testbroker.Queue(t, "")
	srv, _ := start(t, url, shop(q), amqprpc.WithService(amqprpc.Service{Name: q}))
	s := shellFor(t, url)
	ls := okJSON[struct {
		Instances   []describe.Info
		Differences []json.RawMessage
	}](s, "ls", q)
	require.Len(t, ls.Instances, 1)
	require.NotNil(t, ls.Differences)
	require.Equal(t, srv.Instance(), okJSON[[]describe.Ping](s, "ping", q)[0].Instance)
	described := okJSON[struct {
		Variants []struct{ Method describe.Method }
		Template order
	}](s, "describe", q+".order")
	require.Equal(t, q+".order", described.Variants[0].Method.Queue)
	called := okJSON[struct {
		Response receipt
		Timing   invoke.Timing
	}](s, "call", q+".order", "item=tea", "count=1")
	require.Equal(t, "tea ", called.Response.Text)
	require.True(t, called.Timing.Known)
	require.True(t, okJSON[struct{ Sent bool }](s, "call", q+".order", "item=tea", "--notify").Sent)
	require.Equal(t, 1, okJSON[int](s, "stream", q+".prices", "item=a", "count=2", "--limit", "1")+1)
	require.Equal(t, "reloaded", okJSON[struct{ Response string }](s, "all", q+".reload").Response)
	rows := okJSON[[]struct {
		Queue string
		Depth int
	}](s, "top", q, "--once", "--interval", "100ms")
	require.Len(t, rows, 5)
	require.Positive(t, okJSON[struct{ Result struct{ Calls int } }](s, "bench", q+".order", "item=a", "--duration", "100ms", "--warmup", "0s").Result.Calls)
	require.NotEmpty(t, okJSON[[]struct{ Check, Result string }](s, "doctor"))
	require.Empty(t, okJSON[[]any](s, "context", "ls"))

	for _, tc := range []struct {
		status int
		code   string
		args   []string
	}{
		{1, "not_found", []string{"call", q + ".order", "item=coffee"}},
		{2, "invalid_argument", []string{"call", q + ".order", "item:=7"}},
		{2, "invalid_argument", []string{"call", q + ".order", "--no-such-flag"}},
		{2, "invalid_argument", []string{"nonsense"}},
		{3, "unavailable", []string{"call", q + ".absent"}},
		{3, "unavailable", []string{"all", q + ".order", "item=a"}},
		{3, "unknown", []string{"ping", q + ".absent"}},
	} {
		r := s.run(append(tc.args, "--json")...)
		require.Equal(t, tc.status, r.status, tc.args)
		var failure struct{ Error *invoke.Failure }
		last := r.out[strings.LastIndex(strings.TrimSpace(r.out), "\n")+1:]
		require.NoError(t, json.Unmarshal([]byte(last), &failure), "%v: %s", tc.args, r.out)
		require.Equal(t, tc.code, failure.Error.Code, tc.args)
	}
}
