package protocol

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// These bytes are what other languages send and receive. They change only with the
// version of the protocol.
const (
	goldenRequest = "\xa7\x80" + // content type, headers, correlation id, reply to, expiration, message id
		"\x10application/json" +
		"\x00\x00\x00\x24" +
		"\x0crpc-deadline" + "l\x00\x00\x01\x8b\xcf\xe5\x6d\xdc" +
		"\x0brpc-batches" + "t\x01" +
		"\x04ab.2" +
		"\x0famqprpc.reply.x" +
		"\x041501" +
		"\x02ab"

	goldenResent = "\x7e\x00" + // content encoding, headers, delivery mode, priority, correlation id, reply to
		"\x08identity" +
		"\x00\x00\x00\x49" +
		"\x0brpc-attempt" + "I\x00\x00\x00\x02" +
		"\x0drpc-heartbeat" + "l\x00\x00\x00\x00\x00\x00\x00\xfa" +
		"\x0arpc-client" + "S\x00\x00\x00\x03abc" +
		"\x06tenant" + "S\x00\x00\x00\x02\xc3\xa9" +
		"\x02" +
		"\x07" +
		"\x04ab.2" +
		"\x09amq.gen-x"

	goldenCompressed = "\xe6\x00" + // content type, content encoding, headers, correlation id, reply to
		"\x10application/json" +
		"\x04gzip" +
		"\x00\x00\x00\x23" +
		"\x13rpc-accept-encoding" + "S\x00\x00\x00\x0azstd, gzip" +
		"\x02ab" +
		"\x09amq.gen-x"

	// goldenGzip is ["tea","tea","tea","tea"].
	goldenGzip = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03" +
		"\x8b\x56\x2a\x49\x4d\x54\xd2\xc1\x20\x63\x01" +
		"\xec\xe7\xcc\xe7\x19\x00\x00\x00"

	goldenError = "\xa4\x00" + // content type, headers, correlation id
		"\x10application/json" +
		"\x00\x00\x00\x30" +
		"\x08rpc-code" + "S\x00\x00\x00\x09not_found" +
		"\x0brpc-outcome" + "S\x00\x00\x00\x08executed" +
		"\x02ab"

	goldenBusy = "\xa4\x00" + // content type, headers, correlation id
		"\x10application/json" +
		"\x00\x00\x00\x56" +
		"\x08rpc-code" + "S\x00\x00\x00\x12resource_exhausted" +
		"\x0brpc-outcome" + "S\x00\x00\x00\x0cnot-executed" +
		"\x0frpc-retry-after" + "l\x00\x00\x00\x00\x00\x00\x05\xdc" +
		"\x02ab"

	goldenHeartbeat = "\x25\x00" + // headers, correlation id, expiration
		"\x00\x00\x00\x17" +
		"\x0drpc-heartbeat" + "l\x00\x00\x00\x00\x00\x00\x00\xfa" +
		"\x02ab" +
		"\x03750"

	goldenBroadcast = "\xa7\x80" + // content type, headers, correlation id, reply to, expiration, message id
		"\x10application/json" +
		"\x00\x00\x00\x3d" +
		"\x0crpc-deadline" + "l\x00\x00\x01\x8b\xcf\xe5\x6d\xdc" +
		"\x09rpc-queue" + "S\x00\x00\x00\x01q" +
		"\x0drpc-heartbeat" + "l\x00\x00\x00\x00\x00\x00\x00\xfa" +
		"\x02ab" +
		"\x0famqprpc.reply.x" +
		"\x041500" +
		"\x02ab"

	goldenAccept = "\x25\x00" + // headers, correlation id, expiration
		"\x00\x00\x00\x2a" +
		"\x0drpc-heartbeat" + "l\x00\x00\x00\x00\x00\x00\x00\xfa" +
		"\x0crpc-instance" + "S\x00\x00\x00\x01i" +
		"\x02ab" +
		"\x03750"

	goldenBatch = "\x00\x00\x00\x05" + "\x04\x00\x02ab" + "\x00\x00\x00\x01" + "1" +
		"\x00\x00\x00\x4a" + goldenError + "\x00\x00\x00\x00"
)

var noon = time.UnixMilli(1_700_000_000_000)

func usualRequest() Request {
	return Request{
		ContentType: "application/json", CorrelationID: "ab.2", MessageID: "ab", ReplyTo: "amqprpc.reply.x",
		Deadline: noon.Add(1500*time.Millisecond + 1), Batches: true,
	}
}

func resentRequest() Request {
	return Request{
		ContentEncoding: "identity", CorrelationID: "ab.2", ReplyTo: "amq.gen-x", DeliveryMode: Persistent, Priority: 7,
		Attempt: 2, Heartbeat: 250 * time.Millisecond, Client: "abc", Header: map[string]string{"tenant": "é"},
	}
}

func errorReply() Reply {
	return Reply{ContentType: "application/json", CorrelationID: "ab", IsError: true, Code: "not_found", Outcome: "executed"}
}

func TestGoldenBytes(t *testing.T) {
	t.Parallel()
	usual, resent, failed := usualRequest(), resentRequest(), errorReply()
	require.Equal(t, goldenRequest, string(usual.Append(nil, noon)))
	require.Equal(t, goldenResent, string(resent.Append(nil, noon)))
	require.Equal(t, goldenError, string(failed.Append(nil)))
	busy := errorReply()
	busy.Code, busy.Outcome, busy.RetryAfter = "resource_exhausted", "not-executed", 1500*time.Millisecond-1
	require.Equal(t, goldenBusy, string(busy.Append(nil)))
	beat := Reply{CorrelationID: "ab", Heartbeat: 250 * time.Millisecond}
	require.Equal(t, goldenHeartbeat, string(beat.Append(nil)))
	cast := usualRequest()
	cast.CorrelationID, cast.Batches, cast.Heartbeat, cast.Deadline = "ab", false, 250*time.Millisecond, noon.Add(1500*time.Millisecond)
	require.Equal(t, goldenBroadcast, string(cast.AppendMeant(nil, noon, "q")))
	accept := beat
	accept.Instance = "i"
	require.Equal(t, goldenAccept, string(accept.Append(nil)))
	result := Reply{CorrelationID: "ab"}
	batch := AppendBatched(nil, result.Append(nil), []byte("1"))
	batch = AppendBatched(batch, failed.Append(nil), nil)
	require.Equal(t, goldenBatch, string(batch))
	compressed := Request{ContentType: "application/json", ContentEncoding: "gzip", AcceptEncoding: "zstd, gzip", CorrelationID: "ab", ReplyTo: "amq.gen-x"}
	require.Equal(t, goldenCompressed, string(compressed.Append(nil, noon)))
	nothing := Request{}
	require.Equal(t, "before\x00\x00", string(nothing.Append([]byte("before"), noon)))
}

func parsed(t testing.TB, properties []byte) *frame.Properties {
	var p frame.Properties
	require.NoError(t, p.Parse(properties))
	return &p
}

func TestParseGoldenRequests(t *testing.T) {
	t.Parallel()
	var s Interner
	var r Request
	raw := []byte(goldenRequest)
	require.NoError(t, r.Parse(parsed(t, raw), &s))
	clear(raw) // the connection uses its buffer again
	require.Equal(t, "application/json", r.ContentType)
	require.Equal(t, "ab.2", r.CorrelationID)
	require.Equal(t, "ab.2", r.ReplyID())
	require.Equal(t, "ab", r.MessageID)
	require.Equal(t, "ab", r.CallID())
	require.Equal(t, "amqprpc.reply.x", r.ReplyTo)
	require.Equal(t, 1501*time.Millisecond, r.Expires)
	require.Equal(t, "1501", r.Expiration())
	require.Equal(t, noon.UnixMilli()+1500, r.Stated)
	require.True(t, r.Batches)
	require.Equal(t, 1, r.Attempt)
	require.Zero(t, r.Heartbeat)
	require.Zero(t, r.Deliveries)
	require.Equal(t, -1, r.DeliveryCount)
	require.Nil(t, r.Metadata())
	require.Equal(t, 0x24, r.HeaderSize())
	require.Equal(t, frame.Table{{Key: "rpc-deadline", Value: noon.UnixMilli() + 1500}, {Key: "rpc-batches", Value: true}}, r.Table())

	raw = []byte(goldenResent)
	require.NoError(t, r.Parse(parsed(t, raw), &s))
	clear(raw)
	require.Equal(t, "identity", r.ContentEncoding)
	require.Equal(t, "ab.2", r.CallID())
	require.Equal(t, Persistent, r.DeliveryMode)
	require.Equal(t, uint8(7), r.Priority)
	require.Equal(t, 2, r.Attempt)
	require.Equal(t, 250*time.Millisecond, r.Heartbeat)
	require.Equal(t, "abc", r.Client)
	require.Equal(t, map[string]string{"tenant": "é"}, r.Metadata())
	require.False(t, r.Batches)
	require.Equal(t, time.Duration(-1), r.Expires)
	require.Empty(t, r.Expiration())
	require.Equal(t, int64(-1), r.Stated)
}

func TestParseGoldenCompressed(t *testing.T) {
	t.Parallel()
	var s Interner
	var r Request
	raw := []byte(goldenCompressed)
	require.NoError(t, r.Parse(parsed(t, raw), &s))
	clear(raw)
	require.Equal(t, "gzip", r.ContentEncoding)
	require.Equal(t, "zstd, gzip", r.AcceptEncoding)
	require.Nil(t, r.Metadata())
	reply := Reply{ContentEncoding: "gzip", CorrelationID: "ab"}
	var got Reply
	got.Parse(parsed(t, reply.Append(nil)), &s)
	require.Equal(t, "gzip", got.ContentEncoding)
}

func TestParseGoldenReplies(t *testing.T) {
	t.Parallel()
	var s Interner
	var r Reply
	r.Parse(parsed(t, []byte(goldenError)), &s)
	require.Equal(t, Reply{ContentType: "application/json", IsError: true, Code: "not_found", Outcome: "executed"}, r)
	r.Parse(parsed(t, []byte(goldenHeartbeat)), &s)
	require.Equal(t, Reply{Heartbeat: 250 * time.Millisecond}, r)
	require.Nil(t, r.Metadata())

	batch := frame.Properties{ContentType: []byte(BatchContentType)}
	require.True(t, IsBatch(&batch))
	require.Equal(t, 2, CountReplies(&batch, []byte(goldenBatch)))
	require.Equal(t, 1, CountReplies(&frame.Properties{}, []byte(goldenBatch)))
	var bodies []string
	require.True(t, EachReply([]byte(goldenBatch), func(properties, body []byte) {
		parsed(t, properties)
		bodies = append(bodies, string(body))
	}))
	require.Equal(t, []string{"1", ""}, bodies)
	for n := range len(goldenBatch) { // cut short, the rest is dropped
		cut := []byte(goldenBatch[:n])
		want := 0
		if n >= 14 {
			want = 1
		}
		require.Equal(t, want, CountReplies(&batch, cut), n)
		require.Equal(t, n == 14, EachReply(cut, func(_, _ []byte) {}), n)
	}
}
