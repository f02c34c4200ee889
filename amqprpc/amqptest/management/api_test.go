package management_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest/management"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/testing/rabbitmq"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// place is a broker with its API: amqptest's, or a RabbitMQ node's.
type place struct {
	api, amqp string
	patience  time.Duration // for figures that are collected now and then
	client    *http.Client
}

func inProcess(t *testing.T) place {
	b := amqptest.Start(t)
	b.SetUser("plain", "secret")
	s := httptest.NewServer(management.Handler(b))
	t.Cleanup(s.Close)
	return place{api: s.URL, amqp: b.URL(), client: s.Client()}
}

// onNode is a node with the management plugin; the test is skipped where none is asked for.
func onNode(t *testing.T) place {
	version := os.Getenv(rabbitmq.EnvVersion)
	if version == "" {
		t.Skip("no broker asked for: set " + rabbitmq.EnvVersion)
	}
	port := freePort(t)
	n, err := rabbitmq.Start(t.Context(), rabbitmq.Config{Version: version, Plugins: []string{"rabbitmq_management"}, Conf: []string{
		"management.tcp.ip = 127.0.0.1", fmt.Sprint("management.tcp.port = ", port), "collect_statistics_interval = 200"}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Stop()) })
	_, err = n.Ctl(t.Context(), "add_user", "plain", "secret")
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	return place{api: fmt.Sprint("http://127.0.0.1:", port), amqp: n.URL(), patience: 30 * time.Second, client: client}
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// ask sends a request as a user and returns the status and the body.
func (p place) ask(ctx context.Context, t *testing.T, method, path, user, password string) (int, string) {
	t.Helper()
	return p.send(ctx, t, method, path, "", user, password)
}

func (p place) send(ctx context.Context, t *testing.T, method, path, content, user, password string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, p.api+path, strings.NewReader(content))
	require.NoError(t, err)
	r.SetBasicAuth(user, password)
	resp, err := p.client.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

// answers requires that a request is answered so: every field that want has must be there
// with that value, every element of a list too; others may be there besides.
func (p place) answers(t *testing.T, method, path string, status int, want string) {
	t.Helper()
	got, body, ok := 0, "", false
	for deadline := time.Now().Add(p.patience); ; <-time.After(100 * time.Millisecond) {
		got, body = p.ask(t.Context(), t, method, path, "guest", "guest")
		ok = got == status && (want == "" || contains(parse(t, body), parse(t, want)))
		if ok || time.Now().After(deadline) {
			break
		}
	}
	require.True(t, ok, "%s %s\nwant %d %s\ngot  %d %s", method, path, status, want, got, body)
}

func parse(t *testing.T, text string) any {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal([]byte(text), &v), text)
	return v
}

func contains(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		fields, ok := got.(map[string]any)
		for k, v := range want {
			ok = ok && contains(fields[k], v)
		}
		return ok
	case []any:
		list, ok := got.([]any)
		for _, v := range want {
			found := false
			for _, g := range list {
				found = found || contains(g, v)
			}
			ok = ok && found
		}
		return ok && (len(want) > 0 || len(list) == 0)
	}
	return got == want
}

func TestInProcess(t *testing.T) {
	t.Parallel()
	script(t, inProcess(t))
}

// TestOnRabbitMQ holds the same script against a real API.
func TestOnRabbitMQ(t *testing.T) {
	t.Parallel()
	script(t, onNode(t))
}

func script(t *testing.T, p place) {
	conn, err := amqp.DialConfig(p.amqp, amqp.Config{Properties: amqp.Table{"connection_name": "me", "product": "test"}, Heartbeat: 30 * time.Second})
	require.NoError(t, err)
	defer conn.Close()
	ch, err := conn.Channel()
	require.NoError(t, err)
	prepare(t, ch)
	name := fmt.Sprintf("%s -> %s", conn.LocalAddr(), conn.RemoteAddr())
	port := conn.LocalAddr().(*net.TCPAddr).Port
	escaped := url.PathEscape(name)

	connection := fmt.Sprintf(`{"name": %q, "user": "guest", "vhost": "/", "protocol": "AMQP 0-9-1", "peer_host": "127.0.0.1", "peer_port": %d,
		"ssl": false, "state": "running", "channels": 1, "channel_max": 2047, "frame_max": 131072, "timeout": 30, "user_provided_name": "me",
		"client_properties": {"product": "test", "connection_name": "me"}}`, name, port)
	p.answers(t, "GET", "/api/connections", 200, "["+connection+"]")
	p.answers(t, "GET", "/api/connections/"+escaped, 200, connection)
	p.answers(t, "GET", "/api/vhosts/%2F/connections", 200, "["+connection+"]")
	channel := fmt.Sprintf(`{"name": "%s (1)", "number": 1, "user": "guest", "vhost": "/", "confirm": true, "transactional": false, "prefetch_count": 1,
		"consumer_count": 1, "messages_unacknowledged": 1, "connection_details": {"name": %q, "peer_port": %d}}`, name, name, port)
	p.answers(t, "GET", "/api/channels", 200, "["+channel+"]")
	p.answers(t, "GET", "/api/connections/"+escaped+"/channels", 200, "["+channel+"]")
	p.answers(t, "GET", "/api/channels/"+url.PathEscape(name+" (1)"), 200, channel)
	readOnly(t, p, name)
	changes(t, p, ch)
	administration(t, p)

	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	p.answers(t, "DELETE", "/api/connections/"+escaped, 204, "")
	require.Equal(t, "Exception (320) Reason: \"CONNECTION_FORCED - Closed via management plugin\"", (<-closed).Error())
	p.answers(t, "DELETE", "/api/connections/"+escaped, 404, `{"error": "Object Not Found"}`)
	p.answers(t, "GET", "/api/connections", 200, "[]")
}

// prepare makes what the script asks for.
func prepare(t *testing.T, ch *amqp.Channel) {
	t.Helper()
	require.NoError(t, ch.Confirm(false))
	require.NoError(t, ch.ExchangeDeclare("x", "topic", true, false, false, false, nil))
	require.NoError(t, ch.ExchangeDeclare("y", "fanout", false, true, true, false, nil))
	require.NoError(t, ch.ExchangeBind("y", "e.#", "x", false, nil))
	_, err := ch.QueueDeclare("q", true, false, false, false, amqp.Table{"x-max-length": int32(10)})
	require.NoError(t, err)
	require.NoError(t, ch.QueueBind("q", "k", "x", false, nil))
	require.NoError(t, ch.Qos(1, 0, false))
	_, err = ch.Consume("q", "tag", false, false, false, false, nil)
	require.NoError(t, err)
	for range 3 {
		c, err := ch.PublishWithDeferredConfirm("x", "k", false, false, amqp.Publishing{})
		require.NoError(t, err)
		require.True(t, c.Wait())
	}
}

func readOnly(t *testing.T, p place, connection string) {
	t.Helper()
	queue := `{"name": "q", "vhost": "/", "type": "classic", "durable": true, "auto_delete": false, "exclusive": false, "consumers": 1,
		"messages": 3, "messages_ready": 2, "messages_unacknowledged": 1, "arguments": {"x-max-length": 10}, "policy": null, "state": "running"}`
	p.answers(t, "GET", "/api/queues", 200, "["+queue+"]")
	p.answers(t, "GET", "/api/queues/%2F", 200, "["+queue+"]")
	p.answers(t, "GET", "/api/queues/%2F/q", 200, strings.TrimSuffix(queue, "}")+fmt.Sprintf(`, "consumer_details": [{"consumer_tag": "tag",
		"ack_required": true, "exclusive": false, "active": true, "prefetch_count": 1, "queue": {"name": "q", "vhost": "/"},
		"channel_details": {"connection_name": %q, "number": 1}}]}`, connection))
	p.answers(t, "GET", "/api/queues/%2F/none", 404, `{"error": "Object Not Found", "reason": "Not Found"}`)
	p.answers(t, "GET", "/api/queues/none", 404, `{"error": "Object Not Found"}`)
	p.answers(t, "GET", "/api/nothing", 404, "")
	exchange := `{"name": "x", "vhost": "/", "type": "topic", "durable": true, "auto_delete": false, "internal": false, "arguments": {}}`
	p.answers(t, "GET", "/api/exchanges", 200, "["+exchange+`, {"name": "y", "internal": true, "auto_delete": true, "durable": false},
		{"name": "", "type": "direct"}, {"name": "amq.topic"}, {"name": "amq.rabbitmq.trace", "internal": true}]`)
	p.answers(t, "GET", "/api/exchanges/%2F/x", 200, exchange)
	p.answers(t, "GET", "/api/exchanges/%2F/amq.default", 200, `{"name": "", "type": "direct", "durable": true}`)
	p.answers(t, "GET", "/api/exchanges/%2F/none", 404, "")
	byKey := `{"source": "x", "vhost": "/", "destination": "q", "destination_type": "queue", "routing_key": "k", "arguments": {}, "properties_key": "k"}`
	byName := `{"source": "", "destination": "q", "destination_type": "queue", "routing_key": "q", "properties_key": "q"}`
	between := `{"source": "x", "destination": "y", "destination_type": "exchange", "routing_key": "e.#"}`
	all := "[" + byKey + "," + byName + "," + between + "]"
	p.answers(t, "GET", "/api/bindings", 200, all)
	p.answers(t, "GET", "/api/bindings/%2F", 200, all)
	p.answers(t, "GET", "/api/queues/%2F/q/bindings", 200, "["+byKey+","+byName+"]")
	p.answers(t, "GET", "/api/exchanges/%2F/x/bindings/source", 200, "["+byKey+","+between+"]")
	p.answers(t, "GET", "/api/exchanges/%2F/y/bindings/destination", 200, "["+between+"]")
	p.answers(t, "GET", "/api/vhosts", 200, `[{"name": "/"}]`)
	p.answers(t, "GET", "/api/whoami", 200, `{"name": "guest", "tags": ["administrator"]}`)
	p.answers(t, "GET", "/api/users", 200, `[{"name": "guest"}, {"name": "plain", "tags": []}]`)
	p.answers(t, "GET", "/api/overview", 200, `{"object_totals": {"queues": 1, "connections": 1, "channels": 1, "consumers": 1}}`)
	for _, u := range [][2]string{{"guest", "wrong"}, {"nobody", "guest"}, {"plain", "secret"}} {
		status, body := p.ask(t.Context(), t, "GET", "/api/whoami", u[0], u[1])
		require.Equal(t, 401, status, body)
		require.Contains(t, body, `"error"`)
	}
}

func changes(t *testing.T, p place, ch *amqp.Channel) {
	t.Helper()
	p.answers(t, "DELETE", "/api/queues/%2F/q?if-unused=true", 400, `{"error": "bad_request"}`)
	require.NoError(t, ch.Cancel("tag", false))
	p.answers(t, "DELETE", "/api/queues/%2F/q?if-empty=true", 400, `{"error": "bad_request"}`)
	p.answers(t, "DELETE", "/api/queues/%2F/q/contents", 204, "")
	p.answers(t, "GET", "/api/queues/%2F/q", 200, `{"messages_ready": 0, "consumers": 0, "consumer_details": []}`)
	p.answers(t, "DELETE", "/api/queues/%2F/q", 204, "")
	p.answers(t, "DELETE", "/api/queues/%2F/q", 404, `{"error": "Object Not Found"}`)
	p.answers(t, "GET", "/api/queues", 200, "[]")
}

// put sends a PUT and requires a status.
func (p place) put(t *testing.T, path, content string, status int) {
	t.Helper()
	got, body := p.send(t.Context(), t, "PUT", path, content, "guest", "guest")
	require.Equal(t, status, got, "PUT %s %s: %s", path, content, body)
}

// administration adds, changes and deletes what an operator may.
func administration(t *testing.T, p place) {
	t.Helper()
	p.put(t, "/api/vhosts/new", "", 201)
	p.put(t, "/api/vhosts/new", "", 204)
	p.answers(t, "GET", "/api/vhosts/new", 200, `{"name": "new"}`)
	p.answers(t, "GET", "/api/vhosts/none", 404, "")
	p.answers(t, "GET", "/api/permissions/new/guest", 200, `{"user": "guest", "vhost": "new", "configure": ".*", "write": ".*", "read": ".*"}`)

	p.put(t, "/api/users/u", `{"password": "p", "tags": "management,monitoring"}`, 201)
	p.put(t, "/api/users/u", `{"password": "other", "tags": ["management"]}`, 204)
	p.answers(t, "GET", "/api/users/u", 200, `{"name": "u", "tags": ["management"]}`)
	p.answers(t, "GET", "/api/permissions/new/u", 404, "")
	p.put(t, "/api/permissions/new/u", `{"configure": "", "write": "^a", "read": ".*"}`, 201)
	p.put(t, "/api/permissions/new/u", `{"configure": "^b", "write": "^a", "read": ".*"}`, 204)
	p.answers(t, "GET", "/api/permissions/new/u", 200, `{"user": "u", "vhost": "new", "configure": "^b", "write": "^a", "read": ".*"}`)
	conn, err := amqp.Dial(strings.Replace(p.amqp, "guest:guest", "u:other", 1) + "new")
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	p.answers(t, "DELETE", "/api/permissions/new/u", 204, "")
	p.answers(t, "DELETE", "/api/permissions/new/u", 404, "")

	p.put(t, "/api/policies/new/p", `{"pattern": "^q", "definition": {"max-length": 3}, "priority": 2, "apply-to": "queues"}`, 201)
	p.put(t, "/api/policies/new/p", `{"pattern": "^q", "definition": {"max-length": 4}, "priority": 2, "apply-to": "queues"}`, 204)
	p.put(t, "/api/policies/new/p", `{"pattern": "^q", "definition": {"no-such-key": 4}}`, 400)
	policy := `{"vhost": "new", "name": "p", "pattern": "^q", "definition": {"max-length": 4}, "priority": 2, "apply-to": "queues"}`
	p.answers(t, "GET", "/api/policies/new/p", 200, policy)
	p.answers(t, "GET", "/api/policies", 200, "["+policy+"]")
	p.answers(t, "GET", "/api/policies/new", 200, "["+policy+"]")
	p.answers(t, "DELETE", "/api/policies/new/p", 204, "")
	p.answers(t, "DELETE", "/api/policies/new/p", 404, "")

	p.answers(t, "DELETE", "/api/users/u", 204, "")
	p.answers(t, "DELETE", "/api/users/u", 404, "")
	p.answers(t, "DELETE", "/api/vhosts/new", 204, "")
	p.answers(t, "DELETE", "/api/vhosts/new", 404, "")
}

func TestDefinitionsAndMistakes(t *testing.T) {
	t.Parallel()
	p := inProcess(t)
	send := func(method, path, content string) (int, string) {
		return p.send(t.Context(), t, method, path, content, "guest", "guest")
	}
	status, body := send("POST", "/api/definitions", `{"queues": [{"name": "q", "vhost": "/", "durable": true}]}`)
	require.Equal(t, 204, status, body)
	p.answers(t, "GET", "/api/queues/%2f/q", 200, `{"name": "q", "durable": true}`)
	for _, tt := range []struct {
		method, path, content string
		status                int
		want                  string
	}{
		{"POST", "/api/definitions", `{"queues": [{"name": "q2", "vhost": "none"}]}`, 400, `virtual host \"none\"`},
		{"POST", "/api/definitions", `[`, 400, "bad_request"},
		{"PUT", "/api/users/u", `{`, 400, "bad_request"},
		{"PUT", "/api/permissions/none/guest", `{}`, 404, "Not Found"},
		{"PUT", "/api/permissions/%2F/guest", `{"configure": "("}`, 400, "missing closing"},
		{"PUT", "/api/vhosts/v", `{"default_queue_type": "stream"}`, 400, "stream"},
		{"PUT", "/api/policies/none/p", `{"definition": {"expires": 1}}`, 404, "Not Found"},
		{"PATCH", "/api/queues", "", 405, "Method Not Allowed"},
		{"GET", "/", "", 404, "Not Found"},
		{"GET", "/api/queues/%2F/q/r/s/t", "", 404, "Not Found"},
	} {
		status, body := send(tt.method, tt.path, tt.content)
		require.Equal(t, tt.status, status, "%s %s: %s", tt.method, tt.path, body)
		require.Contains(t, body, tt.want)
	}
}
