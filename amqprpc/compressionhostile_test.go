package amqprpc_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/compress"
)

// Bodies that do not decompress are refused like bodies that do not decode.
func TestHostileCompression(t *testing.T) {
	t.Parallel()
	const limit = 100_000
	url, queue := brokerURL(t), queueName(t)
	srv, _ := startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(_ context.Context, text string) (int, error) { return len(text), nil })
		amqprpc.Register(s, queue+".none", func(context.Context, amqprpc.None) (int, error) { return 1, nil })
	}, amqprpc.WithMaxMessageSize(limit))
	p := newPeer(t, url)
	whole := zip(`"tea"`)
	bomb := zip(`"` + strings.Repeat("x", 64<<20) + `"`)
	require.Less(t, len(bomb), limit)
	for name, c := range map[string]struct {
		encoding string
		body     []byte
		want     string // the reply, or the code of an error
	}{
		"whole":                   {"gzip", whole, "3"},
		"another case":            {"GZip", whole, "3"},
		"two members":             {"gzip", append(zip(`"te`), zip(`a"`)...), "3"},
		"the limit":               {"gzip", zip(`"` + strings.Repeat("x", limit-2) + `"`), fmt.Sprint(limit - 2)},
		"over the limit":          {"gzip", zip(`"` + strings.Repeat("x", limit-1) + `"`), "resource_exhausted"},
		"over the limit as it is": {"gzip", make([]byte, limit+1), "resource_exhausted"},
		"a bomb":                  {"gzip", bomb, "resource_exhausted"},
		"cut short":               {"gzip", whole[:len(whole)-1], "invalid_argument"},
		"bytes after it":          {"gzip", append(bytes.Clone(whole), 0), "invalid_argument"},
		"empty":                   {"gzip", nil, "invalid_argument"},
		"nothing in it":           {"gzip", zip(""), "invalid_argument"},
		"not compressed":          {"gzip", []byte(`"tea"`), "invalid_argument"},
		"no JSON in it":           {"gzip", zip("tea"), "invalid_argument"},
		"another encoding":        {"zstd", whole, "invalid_argument"},
		"a list":                  {"gzip, gzip", whole, "invalid_argument"},
		"compressed twice":        {"gzip", zip(string(whole)), "invalid_argument"},
	} {
		d := p.ask(queue, amqp.Publishing{ContentEncoding: c.encoding, Body: c.body})
		if code, ok := d.Headers["rpc-code"]; ok {
			require.Equal(t, c.want, code, "%s: %s", name, d.Body)
			require.Equal(t, "not-executed", d.Headers["rpc-outcome"], name)
			continue
		}
		require.Equal(t, c.want, string(d.Body), name)
	}
	// A receiver of None ignores the body, whatever it is.
	require.Equal(t, "1", string(p.ask(queue+".none", amqp.Publishing{ContentEncoding: "gzip", Body: []byte("x")}).Body))
	require.Zero(t, srv.Stats().Reconnects)
}

// A client refuses a reply that does not decompress, and a body beyond its limit.
func TestHostileCompressedReplies(t *testing.T) {
	t.Parallel()
	const limit = 100_000
	url, queue := brokerURL(t), queueName(t)
	p := newPeer(t, url)
	_, requests := p.own(queue)
	replies := make(chan amqp.Publishing, 1)
	go func() {
		for d := range requests {
			m := <-replies
			m.CorrelationId = d.CorrelationId
			p.ch.Publish("", d.ReplyTo, false, false, m)
		}
	}()
	gzip := dial(t, url, amqprpc.WithAcceptedEncodings(compress.Gzip{}), amqprpc.WithMaxMessageSize(limit))
	none := dial(t, url)
	for name, c := range map[string]struct {
		cli  *amqprpc.Client
		m    amqp.Publishing
		code amqprpc.Code
	}{
		"whole":            {gzip, amqp.Publishing{ContentEncoding: "gzip", Body: zip("7")}, amqprpc.CodeOK},
		"another case":     {gzip, amqp.Publishing{ContentEncoding: "GZIP", Body: zip("7")}, amqprpc.CodeOK},
		"plain":            {gzip, amqp.Publishing{ContentEncoding: "UTF-8", Body: []byte("7")}, amqprpc.CodeOK},
		"plain, no gzip":   {none, amqp.Publishing{ContentEncoding: "binary", Body: []byte("7")}, amqprpc.CodeOK},
		"garbage":          {gzip, amqp.Publishing{ContentEncoding: "gzip", Body: []byte("7")}, amqprpc.CodeInternal},
		"cut short":        {gzip, amqp.Publishing{ContentEncoding: "gzip", Body: zip("7")[:10]}, amqprpc.CodeInternal},
		"bytes after it":   {gzip, amqp.Publishing{ContentEncoding: "gzip", Body: append(zip("7"), 1)}, amqprpc.CodeInternal},
		"empty":            {gzip, amqp.Publishing{ContentEncoding: "gzip"}, amqprpc.CodeInternal},
		"a bomb":           {gzip, amqp.Publishing{ContentEncoding: "gzip", Body: zip(strings.Repeat(" ", limit) + "7")}, amqprpc.CodeResourceExhausted},
		"unknown":          {gzip, amqp.Publishing{ContentEncoding: "zstd", Body: zip("7")}, amqprpc.CodeInternal},
		"not asked for":    {none, amqp.Publishing{ContentEncoding: "gzip", Body: zip("7")}, amqprpc.CodeInternal},
		"an error is none": {gzip, amqp.Publishing{ContentEncoding: "gzip", Headers: amqp.Table{"rpc-code": "not_found"}, Body: zip("{}")}, amqprpc.CodeNotFound},
	} {
		replies <- c.m
		got, err := amqprpc.Call[int, int](testContext(t), c.cli, queue, 1)
		require.Equal(t, c.code, amqprpc.CodeOf(err), "%s: %v", name, err)
		switch {
		case err == nil:
			require.Equal(t, 7, got, name)
		case !amqprpc.IsRemote(err):
			require.Equal(t, amqprpc.OutcomeExecuted, amqprpc.OutcomeOf(err), name)
		}
	}
}
