package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/describe"
)

const nasty = "\x1b]0;owned\a\x1b[2J\u009b31m\u202e<script>\n\r\t\x00"

// requirePlain fails if a terminal would do anything but show the text.
func requirePlain(t *testing.T, r result, args ...string) {
	t.Helper()
	if args[0] == "__complete" {
		r.out = strings.ReplaceAll(r.out, "\t", " ") // the separator of the shells
	}
	for _, text := range []string{r.out, r.err} {
		i := strings.IndexFunc(text, func(c rune) bool { return c != '\n' && !unicode.IsPrint(c) })
		if i >= 0 {
			t.Fatalf("%v: not printable: %.100q", args, text[i:])
		}
	}
}

// forge answers each question with answers of its own. Each answer has an instance's ID.
func forge(t *testing.T, url string, answers func(kind string) []forged) {
	t.Helper()
	conn, err := amqp.Dial(url)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	require.NoError(t, err)
	require.NoError(t, ch.ExchangeDeclare("amqprpc.control", "direct", true, false, false, false, nil))
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	require.NoError(t, err)
	require.NoError(t, ch.QueueBind(q.Name, "discover", "amqprpc.control", false, nil))
	deliveries, err := ch.Consume(q.Name, "", true, true, false, false, nil)
	require.NoError(t, err)
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		for d := range deliveries {
			var query describe.Query
			_ = json.Unmarshal(d.Body, &query) // a stranger's question has no type
			for _, a := range answers(query.Type) {
				_ = ch.Publish("", d.ReplyTo, false, false, amqp.Publishing{ // an error ends the loop above
					CorrelationId: d.CorrelationId, ContentType: "application/json", Headers: amqp.Table{"rpc-instance": a.id}, Body: a.body,
				})
			}
		}
	}()
}

// forged is an answer in the name of an instance.
type forged struct {
	id   string
	body []byte
}

// document makes an answer of the type that was asked for.
func document(kind, id string, more map[string]any) []byte {
	doc := map[string]any{"type": kind, "instance": id, "name": "shop", "host": "h", "pid": 1, "started": time.Now(), "time": time.Now()}
	for k, v := range more {
		doc[k] = v
	}
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return b
}

// every is a command of each kind that shows what servers say.
func every(queue string) [][]string {
	return [][]string{
		{"ls"}, {"ls", "-i"}, {"ls", "--json"}, {"ping"}, {"ping", "--json"}, {"describe", queue}, {"describe", queue, "--json"}, {"describe", queue, "--template"},
		{"call", queue, "a=1"}, {"call", queue, "a=1", "--json"}, {"all", queue, "a=1"}, {"stream", queue, "a=1"},
		{"top", "--once", "--interval", "100ms", "-i"}, {"top", "--once", "--interval", "100ms", "--json"}, {"doctor"}, {"doctor", "--json"},
		{"bench", queue, "a=1", "-d", "10ms", "--warmup", "0s"}, {"__complete", "call", ""}, {"__complete", "ls", ""},
	}
}

// Names and texts that are codes for terminals are shown escaped.
func TestEscapeCodesInEverything(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	queue := "q\u202e<script>;$(reboot)" // control characters are refused by NewServer
	start(t, url, func(srv *amqprpc.Server) {
		amqprpc.Register(srv, queue, func(_ context.Context, v any) (any, error) {
			return nil, amqprpc.Errorf(amqprpc.CodeNotFound, "%s", nasty).WithDetail(nasty, nasty)
		}, amqprpc.WithDoc(nasty), amqprpc.WithExample(nasty), amqprpc.WithResponseExample(nasty), amqprpc.WithErrorDetails(amqprpc.CodeNotFound, nasty))
	}, amqprpc.WithService(amqprpc.Service{Name: nasty, Version: nasty, Description: nasty, Metadata: map[string]string{nasty: nasty}}))
	s := shellFor(t, url)
	for _, args := range every(queue) {
		r := s.run(args...)
		requirePlain(t, r, args...)
		require.Contains(t, []int{0, 1, 2, 3}, r.status, "%v\n%s%s", args, r.out, r.err)
	}
	require.Contains(t, s.run("ls").out, `\x1b]0;owned\a`)
	require.NotContains(t, s.run("__complete", "call", "").out, "script", "a shell gets no such name")
}

// Answers that are no documents, or are of somebody else, are noted, and the others count.
func TestGarbageAnswers(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	start(t, url, shop("shop"), amqprpc.WithService(amqprpc.Service{Name: "honest"}))
	forge(t, url, func(kind string) (all []forged) {
		for id, body := range map[string][]byte{
			"empty":    {},
			"no json":  []byte("\x00\xff{{{"),
			"array":    []byte("[]"),
			"null":     []byte("null"),
			"deep":     []byte(strings.Repeat("[", 100_000)),
			"stranger": document(kind, "somebody else", nil),
			"other":    document("amqprpc.other.v1", "other", nil),
			"kinds":    document(kind, "kinds", map[string]any{"methods": "many", "name": 7}),
			"holes":    document(kind, "holes", map[string]any{"methods": []any{nil, map[string]any{}, map[string]any{"queue": strings.Repeat("x", 100_000), "kind": nasty, "request": map[string]any{"schema": 7}}}}),
			"numbers":  document(kind, "numbers", map[string]any{"pid": -1, "methods": []any{}}),
			"schema": document(kind, "schema", map[string]any{"methods": []any{map[string]any{
				"queue": "shop.evil", "kind": "unary", "codecs": []string{"application/json"}, "timeout_ms": int64(1) << 62, "concurrency": -5,
				"request": map[string]any{"type": "T", "schema": map[string]any{"$ref": "file:///etc/passwd"}},
			}}}),
			nasty: document(kind, nasty, nil),
		} {
			all = append(all, forged{id, body})
		}
		return all
	})
	s := shellFor(t, url)
	for _, args := range every("shop.evil") {
		r := s.run(args...)
		requirePlain(t, r, args...)
		require.Less(t, len(r.out)+len(r.err), 200_000, args)
	}
	require.Contains(t, s.ok("ls"), "honest")
	require.JSONEq(t, `{"text":"tea "}`, s.ok("call", "shop.order", "item=tea", "count=1"))
	require.Contains(t, s.run("call", "shop.evil").err, "requests are not validated")
}

// An answer beyond the limit of a message is noted, and the one behind it counts.
func TestLargeAnswer(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	large := document(describe.TypeInfo, "large", map[string]any{"description": strings.Repeat("x", 17<<20)})
	forge(t, url, func(kind string) []forged {
		return []forged{{"large", large}, {"small", document(kind, "small", nil)}}
	})
	r := shellFor(t, url).run("ls", "-i", "--wait", "8s")
	require.Zero(t, r.status, r.err)
	require.Contains(t, r.out, "small")
	require.NotContains(t, r.out, "xxx")
	require.Contains(t, r.err, "instance large")
	require.Less(t, len(r.err), 2000)
}

// An answer of 20 MB costs nothing but its way: whether it comes in time or not, the other counts.
func TestHugeAnswer(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	huge := document(describe.TypeInfo, "huge", map[string]any{"description": strings.Repeat("x", 20<<20)})
	forge(t, url, func(kind string) []forged {
		return []forged{{"small", document(kind, "small", nil)}, {"huge", huge}}
	})
	r := shellFor(t, url).run("ls", "-i", "--wait", "8s")
	require.Zero(t, r.status, r.err)
	require.Contains(t, r.out, "small")
	require.NotContains(t, r.out+r.err, "xxx")
	require.Less(t, len(r.err), 2000)
}

// Ten thousand instances are shown in a few lines.
func TestTenThousandInstances(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	var answers []forged
	for i := range 10_000 {
		id := fmt.Sprintf("i%05d", i)
		answers = append(answers, forged{id, document(describe.TypeInfo, id, map[string]any{"version": id, "methods": []any{map[string]any{"queue": "shop.order", "kind": "unary"}}})})
	}
	forge(t, url, func(string) []forged { return answers })
	r := shellFor(t, url).run("ls", "--wait", "5s")
	require.Zero(t, r.status, r.err)
	require.Less(t, strings.Count(r.out, "\n"), 60)
	require.Regexp(t, `shop .*and \d+ more · \d{4,5} instances`, r.out)
}

// What one instance says of itself without end is shown within bounds.
func TestEndlessDescriptions(t *testing.T) {
	t.Parallel()
	url := amqptest.Start(t).URL()
	var methods, errors []any
	for i := range 20_000 {
		methods = append(methods, map[string]any{"queue": fmt.Sprint("q", i), "kind": "unary"})
		errors = append(errors, map[string]any{"code": fmt.Sprint("c", i)})
	}
	methods[0] = map[string]any{
		"queue": "q0", "kind": strings.Repeat("k", 10_000), "doc": strings.Repeat("x\n", 100_000), "errors": errors, "codecs": make([]string, 10_000),
		"request": map[string]any{"type": strings.Repeat("T", 10_000), "schema": map[string]any{"description": strings.Repeat("s", 1<<20)}},
	}
	body := document(describe.TypeInfo, "i", map[string]any{"description": strings.Repeat("d", 1<<20), "methods": methods})
	forge(t, url, func(string) []forged { return []forged{{"i", body}} })
	s := shellFor(t, url)
	for _, args := range [][]string{{"ls", "-i"}, {"describe", "q0"}, {"describe", "q0", "--template"}, {"call", "q0"}} {
		r := s.run(args...)
		require.Less(t, len(r.out)+len(r.err), 200_000, args)
		require.Less(t, strings.Count(r.out, "\n"), 1200, args)
	}
	require.Contains(t, s.ok("ls"), "19000 more")
}
