package amqprpc_test

import (
	"context"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/codec"
)

// textCodec encodes a string as itself, so that "" has an empty body.
type textCodec struct{}

func (textCodec) ContentType() string { return "text/plain" }

func (textCodec) Marshal(v any) ([]byte, error) { return []byte(*v.(*string)), nil }

func (textCodec) Unmarshal(data []byte, v any) error {
	*v.(*string) = string(data)
	return nil
}

// The codec decides whether an empty body is a message. For JSON and MessagePack it is none.
func TestEmptyBodies(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, func(_ context.Context, s string) (string, error) { return s, nil })
	}, amqprpc.WithAcceptedCodecs(codec.JSON{}, codec.MsgPack{}, textCodec{}))
	p := newPeer(t, url)
	for _, contentType := range []string{"application/json", "application/msgpack"} {
		d := p.ask(queue, amqp.Publishing{ContentType: contentType})
		require.Equal(t, "invalid_argument", d.Headers["rpc-code"])
		require.Contains(t, string(d.Body), "the body is empty, where "+contentType+" was expected")
	}
	d := p.ask(queue, amqp.Publishing{ContentType: "text/plain"})
	require.NotContains(t, d.Headers, "rpc-code")
	require.Equal(t, "text/plain", d.ContentType)
	require.Empty(t, d.Body)

	cli := dial(t, url, amqprpc.WithCodec(textCodec{}))
	for _, text := range []string{"", "tea"} {
		got, err := amqprpc.Call[string, string](testContext(t), cli, queue, text)
		require.NoError(t, err)
		require.Equal(t, text, got)
	}
}
