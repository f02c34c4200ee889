package protocol

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// metadataOf makes metadata that a user may send.
func metadataOf(names, values string) map[string]string {
	h := make(map[string]string)
	value := strings.Split(values, ",")
	for i, name := range strings.Split(names, ",") {
		h[name] = value[i%len(value)]
	}
	if CheckHeader(h) != nil {
		return nil
	}
	return h
}

func fitting(texts ...string) bool {
	for _, s := range texts {
		if len(s) > MaxShortString {
			return false
		}
	}
	return true
}

// FuzzRequest sends a request and receives it.
func FuzzRequest(f *testing.F) {
	f.Add("application/json", "identity", "id.2", "id", "amq.gen-x", uint8(2), uint8(0), int64(1500), 2, true, int64(250), "abc", "tenant", "x")
	f.Add("", "", "", "", "", uint8(0), uint8(9), int64(-1), -1, false, int64(-1), "", "a,b", "c,d")
	f.Add("", "", "", "", "amq.gen-x", uint8(255), uint8(255), int64(math.MaxInt64), math.MaxInt, false, int64(math.MaxInt64), "", "\xff", "\n")
	f.Add("", "", "", "", "amq.gen-x", uint8(255), uint8(255), int64(math.MinInt64), math.MinInt, false, int64(math.MinInt64), "", "\x00", "\xff")
	f.Fuzz(func(t *testing.T, contentType, encoding, correlation, message, replyTo string, mode, priority uint8,
		left int64, attempt int, batches bool, heartbeat int64, client, names, values string,
	) {
		if !fitting(contentType, encoding, correlation, message, replyTo, client) {
			return
		}
		sent := Request{
			ContentType: contentType, ContentEncoding: encoding, CorrelationID: correlation, MessageID: message, ReplyTo: replyTo,
			DeliveryMode: mode, Priority: priority, Attempt: attempt, Batches: batches, Heartbeat: time.Duration(heartbeat), Client: client,
			UserID: correlation, AcceptEncoding: client, Timing: !batches, Header: metadataOf(names, values),
		}
		if left != 0 {
			sent.Deadline = noon.Add(time.Duration(left))
		}
		raw := sent.Append(nil, noon)
		var got Request
		require.NoError(t, got.Parse(parsed(t, raw), &Interner{}))
		require.Equal(t, sent.Header, got.Metadata())
		require.LessOrEqual(t, got.HeaderSize(), MaxHeader)
		want := sent
		want.Attempt = min(max(attempt, 1), maxAttempt)
		want.Heartbeat = 0
		if heartbeat > 0 && replyTo != "" {
			want.Heartbeat = clampHeartbeat(sent.Heartbeat).Truncate(time.Millisecond)
		}
		want.Expires, want.Stated, want.DeliveryCount = -1, -1, -1
		if left != 0 {
			var millis int64
			millis, want.Stated = timeLeft(sent.Deadline, noon)
			want.Expires = time.Duration(millis) * time.Millisecond
		}
		want.Deadline, want.Header, want.received = time.Time{}, nil, got.received
		require.Equal(t, want, got)
	})
}

// FuzzParseRequest receives anything, and sends what it could read.
func FuzzParseRequest(f *testing.F) {
	for _, raw := range []string{goldenRequest, goldenResent, goldenError, goldenHeartbeat} {
		f.Add([]byte(raw))
	}
	p := frame.Properties{Flags: 0xfffc, Headers: frame.AppendFields(nil, frame.Table{
		{Key: "CC", Value: []any{"x"}}, {Key: "rpc-deliveries", Value: int64(-1)}, {Key: "x-delivery-count", Value: int64(1 << 62)},
		{Key: "rpc-heartbeat", Value: int64(1 << 62)}, {Key: "rpc-deadline", Value: int64(-1 << 63)}, {Key: "rpc-stream"}, {Key: "rpc-version", Value: "x"},
	})}
	f.Add(p.Append(nil))
	p.Headers = frame.AppendFields(nil, frame.Table{{Key: "rpc-timing", Value: "x"}, {Key: "rpc-queue-time", Value: int64(1)}})
	f.Add(p.Append(nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p frame.Properties
		if p.Parse(raw) != nil {
			return
		}
		var s Interner
		var r Request
		err := r.Parse(&p, &s)
		require.True(t, r.Attempt >= 1 && r.Attempt <= maxAttempt)
		require.True(t, r.Heartbeat == 0 || r.Heartbeat >= MinHeartbeat && r.Heartbeat <= MaxHeartbeat)
		require.True(t, r.Expires >= -1 && r.Expires <= MaxExpiration)
		require.True(t, r.Stated >= -1 && r.Stated <= maxStated)
		require.True(t, r.Deliveries >= 0 && r.Deliveries <= maxDeliveries)
		require.True(t, r.DeliveryCount >= -1 && r.DeliveryCount <= maxDeliveries)
		r.End(noon, time.Hour)

		var requeued Request
		again := requeued.Parse(parsed(t, r.AppendRequeued(nil, 7, "server", noon)), &s)
		require.Equal(t, err, again)
		require.Equal(t, 7, requeued.Deliveries)
		var left frame.Table
		for _, field := range r.Table() {
			if field.Key != "CC" && field.Key != "BCC" && field.Key != "rpc-deliveries" && field.Key != "rpc-user-id" {
				left = append(left, field)
			}
		}
		left = append(left, frame.Field{Key: "rpc-deliveries", Value: int32(7)})
		if caller := r.Caller("server"); caller != "" {
			left = append(left, frame.Field{Key: "rpc-user-id", Value: caller})
		}
		require.Equal(t, frame.AppendFields(nil, left), frame.AppendFields(nil, requeued.Table()))
		want := r
		want.Deliveries, want.Expires, want.received = 7, requeued.Expires, requeued.received
		want.UserID, want.copied, want.copiedUserID = requeued.UserID, requeued.copied, requeued.copiedUserID
		require.Equal(t, r.Caller("server"), requeued.Caller("server"))
		require.Empty(t, requeued.Caller("another"))
		require.Equal(t, want, requeued)
		require.LessOrEqual(t, requeued.Expires, max(r.Expires, time.Millisecond))

		// A copy sent as a new request says the same.
		r.Header = r.Metadata()
		var sent Request
		require.NoError(t, sent.Parse(parsed(t, r.Append(nil, noon)), &s))
		require.Equal(t, r.ContentType, sent.ContentType)
		require.Equal(t, r.Attempt, sent.Attempt)
		require.Equal(t, r.Batches, sent.Batches)
		require.Equal(t, r.Heartbeat, sent.Heartbeat)
		require.Equal(t, r.ReplyID(), sent.ReplyID())
		require.Equal(t, r.CallID(), sent.CallID())
	})
}

// FuzzReply sends a reply and receives it.
func FuzzReply(f *testing.F) {
	f.Add("application/json", "id", true, "not_found", "executed", int64(0), int64(0), "left", "7")
	f.Add("", "", true, "unavailable", "not-executed", int64(1_500_000), int64(0), "", "")
	f.Add("", "", true, "", "", int64(math.MaxInt64), int64(-1), "", "")
	f.Add("", "", false, "", "", int64(1), int64(250_000_000), "", "")
	f.Fuzz(func(t *testing.T, contentType, correlation string, isError bool, code, outcome string, retryAfter, heartbeat int64, names, values string) {
		if !fitting(contentType, correlation) {
			return
		}
		sent := Reply{ContentType: contentType, ContentEncoding: correlation, CorrelationID: correlation, IsError: isError, Code: code, Outcome: outcome,
			RetryAfter: time.Duration(retryAfter), Heartbeat: time.Duration(heartbeat), Header: metadataOf(names, values)}
		delete(sent.Header, headerDeathReason) // the broker's
		if !isError {
			sent.Code, sent.Outcome = "", ""
		}
		p := parsed(t, sent.Append(nil))
		require.Equal(t, correlation, string(p.CorrelationID))
		var got Reply
		got.Parse(p, &Interner{})
		if len(sent.Header) > 0 {
			require.Equal(t, sent.Header, got.Metadata())
		} else {
			require.Nil(t, got.Received)
		}
		want := sent
		want.RetryAfter, want.Heartbeat = 0, 0
		if isError && retryAfter > 0 {
			want.RetryAfter = min((min(sent.RetryAfter, MaxRetryAfter) + time.Millisecond - 1).Truncate(time.Millisecond), MaxRetryAfter)
		}
		if heartbeat > 0 {
			want.Heartbeat = clampHeartbeat(sent.Heartbeat).Truncate(time.Millisecond)
		}
		want.CorrelationID, want.Header, want.Received = "", nil, got.Received
		require.Equal(t, want, got)
	})
}

// FuzzParseReply receives anything, alone and as a batch.
func FuzzParseReply(f *testing.F) {
	for _, raw := range []string{goldenRequest, goldenError, goldenHeartbeat, goldenBatch} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var s Interner
		parse := func(properties, _ []byte) {
			var p frame.Properties
			if p.Parse(properties) != nil {
				return
			}
			var r, again Reply
			r.Parse(&p, &s)
			require.True(t, r.RetryAfter >= 0 && r.RetryAfter <= MaxRetryAfter)
			require.True(t, r.Heartbeat == 0 || r.Heartbeat >= MinHeartbeat && r.Heartbeat <= MaxHeartbeat)
			r.CorrelationID, r.Header = string(p.CorrelationID), r.Metadata()
			again.Parse(parsed(t, r.Append(nil)), &s)
			require.Equal(t, r.IsError, again.IsError)
			require.Equal(t, r.Code, again.Code)
			require.Equal(t, r.Heartbeat, again.Heartbeat)
			require.Equal(t, r.Header, again.Metadata())
		}
		parse(raw, nil)
		var rebuilt []byte
		whole := EachReply(raw, func(properties, body []byte) {
			parse(properties, body)
			rebuilt = AppendBatched(rebuilt, properties, body)
		})
		require.Equal(t, string(raw[:len(rebuilt)]), string(rebuilt))
		require.Equal(t, whole, len(raw) > 0 && len(rebuilt) == len(raw))
	})
}

// FuzzAddress looks at any name as an address, a queue and a correlation id.
func FuzzAddress(f *testing.F) {
	f.Add(directAddress(), uint64(36), 2)
	f.Add("amqprpc.reply.x", uint64(0), 1)
	f.Fuzz(func(t *testing.T, name string, number uint64, attempt int) {
		if AllowedReplyTo(name) {
			require.True(t, WellFormedDirect(name) || ValidName(name) == nil)
		}
		if ValidName(name) == nil {
			require.True(t, utf8.ValidString(name) && !strings.ContainsAny(name, "\r\n\x00") && fitting(name) && !IsDirect(name))
		}
		require.False(t, IsDirect(name) && Loggable(name) != Loggable(DirectReplyTo))
		n, a, ok := ParseCorrelationID("", []byte(name))
		require.False(t, ok && a < 1)
		if ok {
			n2, a2, ok := ParseCorrelationID(name, []byte(CorrelationID(name, n, a)))
			require.True(t, ok && n2 == n && a2 == a)
		}
		n, a, ok = ParseCorrelationID(name, []byte(CorrelationID(name, number, attempt)))
		require.True(t, ok && n == number && a == max(attempt, 1))
	})
}
