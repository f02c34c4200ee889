package amqprpc

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/messaging"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
)

// testStreams are streams of a server without a connection.
func testStreams(t *testing.T) *streams {
	t.Helper()
	h := &streams{address: func() string { return "amqprpc.instance.x" }, refused: func() {}}
	h.init(&connConfig{streamWindow: 1 << 20}, slog.New(slog.DiscardHandler), func(string) bool { return true })
	t.Cleanup(h.stop)
	return h
}

func (h *streams) bound(t *testing.T, remote protocol.Token, address string) *stream {
	t.Helper()
	s := h.add(0, 1, func(error) {})
	require.True(t, h.bind(s, remote, address))
	return s
}

// An item that waits for its reader keeps nothing of the other streams in its message.
func TestItemsOfAMessageOfSeveralStreamsAreCopies(t *testing.T) {
	t.Parallel()
	h := testStreams(t)
	a, b := h.bound(t, 1, "replies"), h.bound(t, 2, "replies")
	body := protocol.AppendStream(nil, a.local, 1)
	body = protocol.AppendStreamFrame(body, protocol.StreamFrame{Type: protocol.FrameItem, Number: 1, Payload: []byte("one")})
	body = protocol.AppendStream(body, b.local, 2)
	body = protocol.AppendStreamFrame(body, protocol.StreamFrame{Type: protocol.FrameItem, Number: 1, Payload: []byte("two")})
	h.receive(&messaging.Message{Body: body})
	clear(body)
	for s, want := range map[*stream]string{a: "one", b: "two"} {
		item, err := s.recv()
		require.NoError(t, err)
		require.Equal(t, want, string(item))
	}
}

// Streams share a message only with streams of the same peer, and only as long as it is short.
func TestWhatSharesAMessage(t *testing.T) {
	t.Parallel()
	h := testStreams(t)
	a, b, other := h.bound(t, 1, "replies"), h.bound(t, 2, "replies"), h.bound(t, 3, "others")
	for _, s := range []*stream{a, b, other} {
		s.out.Grant(1 << 20)
		s.out.Add(2, []byte("item"))
	}
	var p messaging.Publishing
	require.False(t, a.Prepare(&p))
	require.False(t, b.Prepare(&p))
	whole := bytes.Clone(p.Body)
	require.Equal(t, 2, streamsIn(t, whole))
	require.True(t, other.Prepare(&p), "for another peer")
	reply := &mailReply{to: "replies", body: []byte("reply")}
	require.True(t, reply.Prepare(&p), "no message of a stream")
	require.Equal(t, whole, p.Body)

	p = messaging.Publishing{}
	require.True(t, reply.Prepare(&p), "nothing joins it")
	require.Equal(t, "reply", string(p.Body))
	p = messaging.Publishing{}
	require.False(t, reply.Prepare(&p))
	require.Empty(t, p.Key)

	a.out.Add(2, make([]byte, streamMessageLong-100))
	b.out.Add(2, make([]byte, 200))
	require.False(t, a.Prepare(&p))
	require.Equal(t, 1, streamsIn(t, p.Body))
	whole = bytes.Clone(p.Body)
	require.True(t, b.Prepare(&p), "there is no room")
	require.Equal(t, whole, p.Body)
	p = messaging.Publishing{}
	require.False(t, b.Prepare(&p))
	require.Equal(t, 1, streamsIn(t, p.Body))
}

func streamsIn(t *testing.T, body []byte) int {
	t.Helper()
	_, _, frames, err := protocol.ParseStreamPreface(body)
	require.NoError(t, err)
	n, err := protocol.CheckStreamFrames(frames)
	require.NoError(t, err)
	return n
}
