package amqptest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestImportDefinitions(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	sum := sha256.Sum256([]byte("salt" + "secret"))
	hash := base64.StdEncoding.EncodeToString(append([]byte("salt"), sum[:]...))
	file := fmt.Sprintf(`{
		"rabbit_version": "4.0.5", "parameters": [], "global_parameters": [{"name": "cluster_name", "value": "x"}],
		"users": [
			{"name": "hashed", "password_hash": %q, "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": ["monitoring"], "limits": {}},
			{"name": "old", "password": "plain", "tags": "policymaker, management"}],
		"vhosts": [{"name": "/"}, {"name": "v", "metadata": {"default_queue_type": "quorum", "tags": []}}],
		"permissions": [{"user": "hashed", "vhost": "v", "configure": "", "write": ".*", "read": ".*"}],
		"topic_permissions": [],
		"policies": [{"vhost": "v", "name": "p", "pattern": "^q", "apply-to": "queues", "priority": 1, "definition": {"max-length": 2}}],
		"queues": [
			{"name": "q", "vhost": "v", "durable": true, "auto_delete": false, "arguments": {}},
			{"name": "c", "vhost": "v", "durable": true, "auto_delete": false, "arguments": {"x-queue-type": "classic", "x-message-ttl": 60000}}],
		"exchanges": [{"name": "x", "vhost": "v", "type": "headers", "durable": true, "auto_delete": false, "internal": false,
			"arguments": {"alternate-exchange": "amq.fanout"}}],
		"bindings": [
			{"source": "x", "vhost": "v", "destination": "q", "destination_type": "queue", "routing_key": "", "arguments": {"x-match": "all", "n": 1, "list": [1.5, null]}},
			{"source": "amq.topic", "vhost": "v", "destination": "x", "destination_type": "exchange", "routing_key": "#", "arguments": {}}]
	}`, hash)
	for range 2 { // the second time all of it is there
		require.NoError(t, b.ImportDefinitions(strings.NewReader(file)))
	}
	require.True(t, b.Authenticate("hashed", "secret"))
	require.False(t, b.Authenticate("hashed", "salt"))
	require.True(t, b.Authenticate("old", "plain"))
	require.Equal(t, []string{"policymaker", "management"}, b.Users()[2].Tags)
	q, ok := b.VHost("v").Queue("q")
	require.True(t, ok)
	require.Equal(t, []any{"quorum", "p"}, []any{q.Type, q.Policy})
	require.Equal(t, map[string]any{"x-match": "all", "n": int64(1), "list": []any{1.5, nil}}, q.Bindings[0].Arguments)
	c, ok := b.VHost("v").Queue("c")
	require.True(t, ok)
	require.Equal(t, []any{"classic", "", int64(60000)}, []any{c.Type, c.Policy, c.Arguments["x-message-ttl"]})
	require.Len(t, b.Bindings(), 2)
	conn, err := dialAs(t, b, "hashed", "secret", "v")
	require.NoError(t, err)
	publish(t, open(t, conn), "q", "1", "2", "3")
	require.Equal(t, 2, count(t, open(t, conn), "q"))
}

func TestDefinitionsThatAreWrong(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	for file, want := range map[string]string{
		`{`: "unexpected EOF",
		`{"users": [{"name": "u", "password_hash": "!"}]}`:                                                  "the password's hash",
		`{"users": [{"name": "u", "password_hash": "AAAA"}]}`:                                               "wrong length",
		`{"users": [{"name": "u", "password_hash": "AAAA", "hashing_algorithm": "x"}]}`:                     "unknown hashing algorithm",
		`{"vhosts": [{"name": "v", "default_queue_type": "stream"}]}`:                                       "stream",
		`{"permissions": [{"user": "nobody", "vhost": "/"}]}`:                                               "nobody",
		`{"policies": [{"vhost": "/", "name": "p"}]}`:                                                       "defines nothing",
		`{"queues": [{"vhost": "none", "name": "q"}]}`:                                                      `virtual host "none"`,
		`{"queues": [{"vhost": "/", "name": "q", "arguments": {"x-expires": 0}}]}`:                          "invalid arg 'x-expires'",
		`{"queues": [{"vhost": "/", "name": "q", "type": "quorum"}]}`:                                       "non-durable",
		`{"exchanges": [{"vhost": "/", "name": "x", "type": "heap"}]}`:                                      "unknown exchange type",
		`{"exchanges": [{"vhost": "/", "name": "amq.x", "type": "topic"}]}`:                                 "reserved prefix",
		`{"bindings": [{"vhost": "/", "source": "none", "destination": "q"}]}`:                              "no exchange 'none'",
		`{"bindings": [{"vhost": "/", "source": "amq.topic", "destination": "q"}]}`:                         "to bind to q",
		`{"queues": [{"vhost": "/", "name": "q", "arguments": {"x-dead-letter-exchange": {"a": [true]}}}]}`: "unacceptable_type",
	} {
		require.ErrorContains(t, b.ImportDefinitions(strings.NewReader(file)), want, file)
	}
}
