package protocol

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// directAddress makes an address of direct reply-to as RabbitMQ does.
func directAddress() string {
	node := "reply@1"
	pid := "\x83\x58\x77" + string(rune(len(node))) + node + strings.Repeat("\x00", 12)
	return DirectReplyTo + "." + base64.StdEncoding.EncodeToString([]byte(pid)) + "." + base64.StdEncoding.EncodeToString(make([]byte, 16))
}

func TestAllowedReplyTo(t *testing.T) {
	t.Parallel()
	direct := directAddress()
	for _, to := range []string{"amqprpc.reply.x", "amq.gen-x", direct} {
		require.True(t, AllowedReplyTo(to), to)
	}
	for _, to := range []string{
		"", "orders", "amqprpc.reply", "amqprpc.reply.\xff", "amq.gen-\n", DirectReplyTo, DirectReplyTo + ".", DirectReplyTo + ".x.y",
		direct[:len(direct)-1], direct + "x", direct + ".x", strings.Replace(direct, "g1", "h1", 1),
		DirectReplyTo + "..", "amqprpc.reply." + strings.Repeat("x", 255),
	} {
		require.False(t, AllowedReplyTo(to), to)
	}
	require.Equal(t, "amq.rabbitmq.reply-to.…", Loggable(direct))
	require.Equal(t, "amq.gen-x", Loggable("amq.gen-x"))
}

func TestValidName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"q", "rpc_queue", "é", "a b", "*.#", "amq.gen-x", strings.Repeat("x", 255)} {
		require.NoError(t, ValidName(name))
	}
	for name, want := range map[string]string{
		"": "empty", strings.Repeat("x", 256): "has 256 bytes; AMQP allows 255", "q\xff": `"q\xff" is not UTF-8`,
		"a\nb": "control character", "a\x00": "control character", "a\u0085": "control character",
		DirectReplyTo: "reserves", directAddress(): "reserves",
	} {
		require.ErrorContains(t, ValidName(name), want)
	}
}

func TestCorrelationID(t *testing.T) {
	t.Parallel()
	require.Equal(t, "p10", CorrelationID("p", 36, 1))
	require.Equal(t, "p10.12", CorrelationID("p", 36, 12))
	for _, id := range []string{"", "p", "q1", "p.2", "p1.", "p1.1", "p1.0", "p1.-2", "p1.x", "p1.2.3", "p!", "p-1", "p" + strings.Repeat("z", 14)} {
		_, _, ok := ParseCorrelationID("p", []byte(id))
		require.False(t, ok, id)
	}
	require.Len(t, NewID(), 16)
	require.NotEqual(t, NewID(), NewID())
}

func TestBounceArguments(t *testing.T) {
	t.Parallel()
	require.Equal(t, map[string]any{"x-match": "all", "rpc-client": "abc"}, BounceArguments("abc"))
}
