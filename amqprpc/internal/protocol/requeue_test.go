package protocol

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

func TestRequeued(t *testing.T) {
	t.Parallel()
	headers := frame.Table{
		{Key: "CC", Value: []any{"other"}}, {Key: "BCC", Value: []any{"another"}},
		{Key: "rpc-deliveries", Value: int8(1)}, {Key: "rpc-deadline", Value: noon.UnixMilli() + 2000},
		{Key: "nested", Value: frame.Table{{Key: "a", Value: []any{nil, int16(1)}}}}, {Key: "text", Value: "é"},
	}
	p := frame.Properties{
		Flags:       0xfffc,
		ContentType: []byte("text/plain"), ContentEncoding: []byte("identity"), Headers: frame.AppendFields(nil, headers),
		DeliveryMode: 1, Priority: 9, CorrelationID: []byte("attempt"), ReplyTo: []byte("amq.gen-x"), Expiration: []byte("5000"),
		MessageID: []byte("call"), Timestamp: 77, Type: []byte("type"), UserID: []byte("guest"), AppID: []byte("app"), ClusterID: []byte("c"),
	}
	var r Request
	require.NoError(t, r.Parse(parsed(t, p.Append(nil)), &Interner{}))
	require.Equal(t, "guest", r.UserID)
	require.Equal(t, time.Unix(77, 0), r.Timestamp)
	got := parsed(t, r.AppendRequeued(nil, 2, noon))

	want := p
	want.Flags &^= frame.FlagUserID | frame.FlagClusterID
	want.UserID, want.ClusterID, want.Expiration = nil, nil, []byte("2000")
	want.Headers = frame.AppendFields(nil, append(headers[3:], frame.Field{Key: "rpc-deliveries", Value: int32(2)}))
	require.Equal(t, &want, got)
}

// The copy expires when the request does.
func TestRequeuedExpiration(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		expires time.Duration
		stated  int64
		want    string
	}{
		"none":             {-1, -1, ""},
		"deadline alone":   {-1, noon.UnixMilli() + 10, ""},
		"expiration alone": {time.Second, -1, "1000"},
		"time passed":      {time.Second, noon.UnixMilli() + 10, "10"},
		"another clock":    {time.Second, noon.UnixMilli() + 10_000, "1000"},
		"deadline passed":  {time.Second, noon.UnixMilli() - 10, "1"},
		"long past":        {time.Second, 0, "1"},
		"far off":          {MaxExpiration, maxStated, "315360000000"},
		"nothing left":     {0, noon.UnixMilli(), "0"},
	} {
		r := Request{Expires: c.expires, Stated: c.stated}
		require.Equal(t, c.want, string(parsed(t, r.AppendRequeued(nil, 1, noon)).Expiration), name)
	}
}

// What one server accepts and requeues, the next one accepts.
func TestRequeuedHeadersStayWithinTheLimit(t *testing.T) {
	t.Parallel()
	r, err := parseHeaders(t, frame.Field{Key: "a", Value: strings.Repeat("x", MaxHeader-7)})
	require.NoError(t, err)
	require.Equal(t, MaxHeader, r.HeaderSize())
	for deliveries := range 5 {
		var again Request
		require.NoError(t, again.Parse(parsed(t, r.AppendRequeued(nil, deliveries, noon)), &Interner{}))
		require.Equal(t, max(deliveries, 1), again.Deliveries)
		require.Equal(t, MaxHeader, again.HeaderSize())
		r = again
	}
	tiny, err := parseHeaders(t, frame.Field{Key: "rpc-deliveries", Value: int8(1)})
	require.NoError(t, err)
	require.Zero(t, tiny.HeaderSize())
}
