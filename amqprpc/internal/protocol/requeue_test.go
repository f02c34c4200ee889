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
	got := parsed(t, r.AppendRequeued(nil, 2, "", noon))

	want := p
	want.Flags &^= frame.FlagUserID | frame.FlagClusterID
	want.UserID, want.ClusterID, want.Expiration = nil, nil, []byte("2000")
	want.Headers = frame.AppendFields(nil, append(headers[3:], frame.Field{Key: "rpc-deliveries", Value: int32(2)}))
	require.Equal(t, &want, got)
}

// A copy has the user id of the server that publishes it, and names the caller. Only servers
// of the same user believe it.
func TestRequeuedUserID(t *testing.T) {
	t.Parallel()
	forged := frame.Table{{Key: "rpc-user-id", Value: "admin"}}
	for name, c := range map[string]struct {
		sent    frame.Properties
		copier  string // the user of the server that makes the copy
		caller  string // as this server knows it
		inCopy  string // the user_id of the copy
		another string // the caller, as a server of another user knows it
	}{
		"known":                    {frame.Properties{UserID: []byte("ada")}, "srv", "ada", "srv", ""},
		"none":                     {frame.Properties{}, "srv", "", "", ""},
		"the server's own":         {frame.Properties{UserID: []byte("srv")}, "srv", "srv", "srv", ""},
		"the server knows no user": {frame.Properties{UserID: []byte("ada")}, "", "ada", "", ""},
		"forged":                   {frame.Properties{UserID: []byte("ada"), Headers: frame.AppendFields(nil, forged)}, "srv", "", "", ""},
		"forged, without a user":   {frame.Properties{Headers: frame.AppendFields(nil, forged)}, "srv", "", "", ""},
		"forged, no user anywhere": {frame.Properties{Headers: frame.AppendFields(nil, forged)}, "", "", "", ""},
		"a copy already":           {frame.Properties{UserID: []byte("srv"), Headers: frame.AppendFields(nil, forged)}, "srv", "admin", "srv", ""},
	} {
		if c.sent.Headers != nil {
			c.sent.Flags |= frame.FlagHeaders
		}
		if c.sent.UserID != nil {
			c.sent.Flags |= frame.FlagUserID
		}
		var r Request
		require.NoError(t, r.Parse(parsed(t, c.sent.Append(nil)), &Interner{}))
		require.Equal(t, c.caller, r.Caller(c.copier), name)
		for range 3 { // copies of the copy
			p := parsed(t, r.AppendRequeued(nil, 2, c.copier, noon))
			require.Equal(t, c.inCopy, string(p.UserID), name)
			require.NoError(t, r.Parse(p, &Interner{}))
			want := c.caller
			if c.copier == "" {
				want = ""
			}
			require.Equal(t, want, r.Caller(c.copier), name)
			require.Equal(t, c.another, r.Caller("another"), name)
			require.Equal(t, c.another, r.Caller(""), name)
		}
	}
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
		require.Equal(t, c.want, string(parsed(t, r.AppendRequeued(nil, 1, "", noon)).Expiration), name)
	}
}

// What one server accepts and requeues, the next one accepts.
func TestRequeuedHeadersStayWithinTheLimit(t *testing.T) {
	t.Parallel()
	r, err := parseHeaders(t, frame.Field{Key: "a", Value: strings.Repeat("x", MaxHeader-7)})
	require.NoError(t, err)
	require.Equal(t, MaxHeader, r.HeaderSize())
	r.UserID = "caller"
	for deliveries := range 5 {
		var again Request
		require.NoError(t, again.Parse(parsed(t, r.AppendRequeued(nil, deliveries, "server", noon)), &Interner{}))
		require.Equal(t, max(deliveries, 1), again.Deliveries)
		require.Equal(t, MaxHeader, again.HeaderSize())
		r = again
	}
	tiny, err := parseHeaders(t, frame.Field{Key: "rpc-deliveries", Value: int8(1)})
	require.NoError(t, err)
	require.Zero(t, tiny.HeaderSize())
}
