package protocol

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

func parseReply(t *testing.T, headers ...frame.Field) Reply {
	t.Helper()
	p := frame.Properties{Flags: frame.FlagHeaders, Headers: frame.AppendFields(nil, headers)}
	raw := p.Append(nil)
	var r Reply
	r.Parse(parsed(t, raw), &Interner{})
	clear(raw)
	return r
}

// Whatever a server sends is read as something.
func TestStrangeReplies(t *testing.T) {
	t.Parallel()
	require.Equal(t, Reply{IsError: true}, parseReply(t, frame.Field{Key: "rpc-code", Value: int8(1)}))
	require.Equal(t, Reply{Outcome: "x"}, parseReply(t, frame.Field{Key: "rpc-outcome", Value: "x"}))
	require.Equal(t, Reply{IsError: true, Code: "x"}, parseReply(t,
		frame.Field{Key: "rpc-code", Value: "x"}, frame.Field{Key: "rpc-outcome", Value: nil}, frame.Field{Key: "rpc-new", Value: "x"}))
	for value, want := range map[any]time.Duration{
		"x": 0, nil: 0, int8(-1): 0, int64(math.MinInt64): 0, true: 0, 1.5: 0,
		int16(900): 900 * time.Millisecond, int64(math.MaxInt64): MaxRetryAfter,
	} {
		require.Equal(t, Reply{RetryAfter: want}, parseReply(t, frame.Field{Key: "rpc-retry-after", Value: value}))
	}
	for value, want := range map[any]time.Duration{
		"x": MinHeartbeat, nil: MinHeartbeat, int8(-1): MinHeartbeat, int64(math.MinInt64): MinHeartbeat,
		int16(900): 900 * time.Millisecond, int64(math.MaxInt64): MaxHeartbeat,
	} {
		require.Equal(t, Reply{Heartbeat: want}, parseReply(t, frame.Field{Key: "rpc-heartbeat", Value: value}))
	}
}

func TestReplyMetadata(t *testing.T) {
	t.Parallel()
	r := parseReply(t, frame.Field{Key: "rpc-code", Value: "aborted"}, frame.Field{Key: "left", Value: int32(7)})
	require.Equal(t, map[string]string{"left": "7"}, r.Metadata())
	require.Equal(t, "aborted", r.Code)
}

func TestReplyThatIsABouncedRequest(t *testing.T) {
	t.Parallel()
	r := parseReply(t, frame.Field{Key: "rpc-deadline", Value: int64(1)}, frame.Field{Key: "x-first-death-reason", Value: "expired"})
	require.Equal(t, "expired", r.DeathReason)
	require.False(t, r.IsError)
}

// RabbitMQ closes the channel for an expiration that is too long.
func TestHeartbeatsExpireInTime(t *testing.T) {
	t.Parallel()
	for interval, want := range map[time.Duration]string{1: "300", time.Second: "3000", math.MaxInt64: "259200000"} {
		r := Reply{Heartbeat: interval}
		require.Equal(t, want, string(parsed(t, r.Append(nil)).Expiration))
	}
	r := Reply{Heartbeat: -1}
	require.Equal(t, "\x00\x00", string(r.Append(nil)))
}

// The times of a reply come back in whole microseconds. Others make no harm.
func TestTimingOfAReply(t *testing.T) {
	t.Parallel()
	sent := Reply{CorrelationID: "ab", Timing: &Timing{Queued: 1200*time.Microsecond + 999, Handler: -1}}
	var got Reply
	got.Parse(parsed(t, sent.Append(nil)), &Interner{})
	require.Equal(t, &Timing{Queued: 1200 * time.Microsecond}, got.Timing)
	require.Nil(t, got.Received, "the times are no metadata")
	for _, v := range []any{"x", nil, true, int64(-1), float64(7)} {
		p := frame.Properties{Flags: frame.FlagHeaders, Headers: frame.AppendFields(nil, frame.Table{{Key: "rpc-queue-time", Value: v}})}
		got.Parse(parsed(t, p.Append(nil)), &Interner{})
		require.Equal(t, &Timing{}, got.Timing)
	}
	p := frame.Properties{Flags: frame.FlagHeaders, Headers: frame.AppendFields(nil, frame.Table{{Key: "rpc-handler-time", Value: int64(1) << 62}})}
	got.Parse(parsed(t, p.Append(nil)), &Interner{})
	require.Equal(t, MaxExpiration, got.Timing.Handler)
}
