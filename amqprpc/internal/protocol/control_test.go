package protocol

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The queue that a request to a mailbox is meant for comes back as it was sent.
func TestMeantQueue(t *testing.T) {
	t.Parallel()
	require.Equal(t, "q", MeantQueue(parsed(t, []byte(goldenBroadcast))))
	require.Empty(t, MeantQueue(parsed(t, []byte(goldenRequest))))
	var r Reply
	r.Parse(parsed(t, []byte(goldenAccept)), &Interner{})
	require.Equal(t, "i", r.Instance)
	require.Nil(t, r.Received, "the instance is no metadata")
}

// Keys that AMQP has no room for are hashed, and differ for each purpose.
func TestControlKeys(t *testing.T) {
	t.Parallel()
	require.Equal(t, "cancel.q", CancelKey("q"))
	require.Equal(t, "all.q", BroadcastKey("q"))
	require.Equal(t, "discover", BroadcastKey("amqprpc.discover"))
	long := strings.Repeat("q", MaxShortString)
	require.Len(t, BroadcastKey(long), 65)
	require.True(t, strings.HasPrefix(BroadcastKey(long), "~"))
	require.NotEqual(t, BroadcastKey(long), CancelKey(long))
	require.Equal(t, "all."+long[:251], BroadcastKey(long[:251]))
}
