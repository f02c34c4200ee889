package amqprpc_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
)

// A core client refuses what it must not publish, and sends deadlines that are far away.
func TestForeignClientsRefuse(t *testing.T) {
	t.Parallel()
	for name := range foreignClients {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, queue := brokerURL(t), queueName(t)
			startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, echo) })
			call := foreignCaller(t, name, url)
			const half = `"\ud800"` // of a surrogate pair
			for what, c := range map[string]struct {
				queue, request any
				code           string
			}{
				"a name of 255 bytes":        {strings.Repeat("q", 255), 1, "unavailable"},
				"a name of 256 bytes":        {strings.Repeat("q", 256), 1, "invalid_argument"},
				"a name of 128 characters":   {strings.Repeat("é", 128), 1, "invalid_argument"},
				"an empty name":              {"", 1, "invalid_argument"},
				"half a pair as a name":      {json.RawMessage(half), 1, "invalid_argument"},
				"an address":                 {"amq.rabbitmq.reply-to.x", 1, "invalid_argument"},
				"half a pair as the request": {queue, json.RawMessage(half), "invalid_argument"},
				"half a pair as a key":       {queue, json.RawMessage(`{` + half + `:1}`), "invalid_argument"},
			} {
				a := call(c.queue, c.request, patience)
				require.Equal(t, []string{c.code, "not-executed"}, []string{a.Code, a.Outcome}, "%s: %s", what, a.Message)
			}
			const day = 24 * time.Hour
			for _, timeout := range []time.Duration{1<<31*time.Millisecond - 1, 1 << 31 * time.Millisecond, 25 * day, 3650 * day, 5000 * day, 100_000 * day} {
				require.Equal(t, foreignAnswer{Result: 7.0}, call(queue, 7, timeout), timeout)
			}
			for _, timeout := range []time.Duration{0, -time.Second} {
				a := call(queue, 7, timeout)
				require.Equal(t, []string{"deadline_exceeded", "not-executed"}, []string{a.Code, a.Outcome}, a.Message)
			}
		})
	}
}

// A core client reports each reply as docs/protocol.md says.
func TestForeignClientsReadReplies(t *testing.T) {
	t.Parallel()
	const deep = 200_000
	failed := amqp.Table{"rpc-code": "not_found", "rpc-outcome": "not-executed"}
	for name := range foreignClients {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, queue := brokerURL(t), queueName(t)
			answer := answeringServer(t, url, queue)
			call := foreignCaller(t, name, url)
			details := []any{map[string]any{"name": "stock", "value": 2.0}}
			for what, c := range map[string]struct {
				body    string
				message string // "" for any
				details []any
			}{
				"as it should be":            {`{"message":"no tea","details":[{"name":"stock","value":2}]}`, "no tea", details},
				"empty":                      {"", "", []any{}},
				"no JSON":                    {"<html>", "", []any{}},
				"an array":                   {`[{"message":"no tea"}]`, "", []any{}},
				"null":                       {"null", "", []any{}},
				"not UTF-8":                  {"{\"message\":\"\xff\"}", "", []any{}},
				"nested":                     {strings.Repeat("[", deep), "", []any{}},
				"a message that is a number": {`{"message":5,"details":[{"name":"stock","value":2}]}`, "", details},
				"a code that is a number":    {`{"code":5,"message":"no tea"}`, "no tea", []any{}},
				"details that are an object": {`{"message":"no tea","details":{"stock":2}}`, "no tea", []any{}},
				"details that are null":      {`{"message":"no tea","details":null}`, "no tea", []any{}},
				"details with strange ones":  {`{"message":"no tea","details":[null,5,[],"x",{"value":1},{"name":1},{"name":"stock","value":2}]}`, "no tea", details},
			} {
				for _, m := range []amqp.Publishing{{}, {ContentType: "text/\xff", ContentEncoding: "gzip"}} {
					m.Body, m.Headers = []byte(c.body), failed
					answer(m)
					a := call(queue, 1, patience)
					require.Equal(t, []string{"not_found", "not-executed"}, []string{a.Code, a.Outcome}, what)
					require.Equal(t, c.details, a.Details, what)
					require.IsType(t, "", a.Message)
					if c.message != "" {
						require.Equal(t, c.message, a.Message, what)
					}
				}
			}
			for what, headers := range map[string]amqp.Table{
				"an unknown code":           {"rpc-code": "teapot"},
				"a code of another type":    {"rpc-code": []any{"not_found"}, "rpc-outcome": amqp.Table{"executed": true}},
				"a code of no type":         {"rpc-code": nil, "rpc-outcome": int32(1)},
				"an outcome of no server's": {"rpc-code": "unknown", "rpc-outcome": "not-sent"},
			} {
				answer(amqp.Publishing{Headers: headers})
				a := call(queue, 1, patience)
				require.Equal(t, []string{"unknown", "unknown"}, []string{a.Code, a.Outcome}, what)
			}
			for what, m := range map[string]amqp.Publishing{
				"no body":           {},
				"an encoding":       {Body: []byte("5"), ContentEncoding: "gzip"},
				"another format":    {Body: []byte("5"), ContentType: "text/csv"},
				"a strange format":  {Body: []byte("5"), ContentType: "\xff"},
				"NaN":               {Body: []byte("NaN")},
				"a byte order mark": {Body: []byte("\xef\xbb\xbf5")},
				"UTF-16":            {Body: []byte("5\x00")},
				"nested":            {Body: []byte(strings.Repeat("[", deep))},
			} {
				answer(m)
				a := call(queue, 1, patience)
				require.Equal(t, []string{"internal", "executed"}, []string{a.Code, a.Outcome}, what)
			}
			answer(amqp.Publishing{Body: []byte("\"\xff\"")}) // a receiver may take U+FFFD for it
			if a := call(queue, 1, patience); a.Code != "" || a.Result != "\ufffd" {
				require.Equal(t, []string{"internal", "executed"}, []string{a.Code, a.Outcome}, "not UTF-8")
			}
			for what, m := range map[string]amqp.Publishing{
				"no content type": {Body: []byte(" 5 ")},
				"parameters":      {Body: []byte("5"), ContentType: "Application/JSON; charset=utf-8", ContentEncoding: "UTF-8"},
				"unknown headers": {Body: []byte("5"), Headers: amqp.Table{"rpc-new": int32(1), "x": "y", "rpc-outcome": "executed"}},
			} {
				answer(m)
				require.Equal(t, foreignAnswer{Result: 5.0}, call(queue, 1, patience), what)
			}
		})
	}
}

// A core client whose consumer the broker cancels treats its connection as lost.
func TestForeignClientsLoseTheirConsumer(t *testing.T) {
	t.Parallel()
	for name := range foreignClients {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := amqptest.Start(t)
			queue := queueName(t)
			p, requests := foreignServer(t, b.URL(), queue)
			go func() {
				d := <-requests
				q, _ := b.Queue(d.ReplyTo)
				for _, c := range q.Consumers {
					b.CancelConsumer(d.ReplyTo, c.Tag)
				}
				for d := range requests {
					p.ch.Publish("", d.ReplyTo, false, false, amqp.Publishing{CorrelationId: d.CorrelationId, Body: d.Body})
				}
			}()
			call := foreignCaller(t, name, b.URL())
			a := call(queue, 1, patience)
			require.Equal(t, []string{"unavailable", "unknown"}, []string{a.Code, a.Outcome}, a.Message)
			eventually(t, "it connects again", func() bool { return call(queue, 7, patience).Result == 7.0 })
		})
	}
}

// A core client survives an alarm of the broker, and a time without a broker.
func TestForeignClientsWithoutABroker(t *testing.T) {
	t.Parallel()
	for name := range foreignClients {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := amqptest.Start(t)
			queue := queueName(t)
			startServer(t, b.URL(), func(s *amqprpc.Server) { amqprpc.Register(s, queue, echo) })
			call := foreignCaller(t, name, b.URL())
			served := func() bool { return call(queue, 7, patience).Result == 7.0 }
			require.True(t, served())

			b.RaiseAlarm(amqptest.MemoryAlarm)
			a := call(queue, 7, 200*time.Millisecond)
			require.Equal(t, []string{"deadline_exceeded", "unknown"}, []string{a.Code, a.Outcome}, a.Message)
			b.ClearAlarm(amqptest.MemoryAlarm)
			require.True(t, served())

			b.RefuseConnections()
			b.CutConnections()
			eventually(t, "no connection", func() bool {
				a := call(queue, 7, 200*time.Millisecond)
				// A client may wait for a connection until the deadline of the call.
				return (a.Code == "unavailable" || a.Code == "deadline_exceeded") && a.Outcome == "not-executed"
			})
			require.NoError(t, b.AcceptConnections())
			eventually(t, "it connects again", served)
		})
	}
}
