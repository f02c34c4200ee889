package protocol

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// parseHeaders parses a request with a reply_to and those headers.
func parseHeaders(t *testing.T, headers ...frame.Field) (Request, error) {
	t.Helper()
	p := frame.Properties{
		Flags:   frame.FlagHeaders | frame.FlagReplyTo | frame.FlagCorrelationID,
		Headers: frame.AppendFields(nil, headers), ReplyTo: []byte("amq.gen-x"), CorrelationID: []byte("id"),
	}
	var r Request
	err := r.Parse(parsed(t, p.Append(nil)), &Interner{})
	require.Equal(t, "id", r.CorrelationID)
	require.Equal(t, len(frame.AppendFields(nil, headers)), len(r.received.fields()))
	return r, err
}

func TestBadHeadersAreRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("9", 5000)
	for name, c := range map[string]struct {
		value any
		want  string // an error, without its beginning where it is a FieldError's
	}{
		"rpc-version":   {"1", "is a string, not an integer"},
		"rpc-attempt":   {int64(-1), "is -1 (an integer), not a positive integer"},
		"rpc-batches":   {int8(1), "is an integer, not a boolean"},
		"rpc-heartbeat": {"100", `is "100" (a string), not a positive integer (milliseconds)`},
		"rpc-deadline":  {1.5, "is a floating-point number, not an integer (milliseconds since 1970)"},
	} {
		_, err := parseHeaders(t, frame.Field{Key: name, Value: c.value})
		var wrong *FieldError
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, name, wrong.Header)
		require.EqualError(t, err, "the header "+name+" "+c.want)
		for _, strange := range []any{nil, "", long, []byte{}, frame.Table{}, []any{}, frame.Timestamp(1), frame.Decimal{}, 1.0} {
			_, err := parseHeaders(t, frame.Field{Key: name, Value: strange})
			require.ErrorAs(t, err, &wrong, "%s: %v", name, strange)
			require.Less(t, len(err.Error()), 200)
		}
	}
	for _, n := range []any{int8(0), int64(math.MinInt64), int64(math.MaxInt64), int64(1<<30 + 1), uint32(math.MaxUint32)} {
		_, err := parseHeaders(t, frame.Field{Key: "rpc-attempt", Value: n})
		require.Error(t, err, n)
	}
	for _, n := range []any{int8(0), int8(-1), int64(math.MinInt64), int64(math.MaxInt64), int64(maxMillis + 1)} {
		_, err := parseHeaders(t, frame.Field{Key: "rpc-heartbeat", Value: n})
		require.Error(t, err, n)
	}
	_, err := parseHeaders(t, frame.Field{Key: "rpc-version", Value: uint8(2)})
	require.Equal(t, &VersionError{2}, err)
	require.EqualError(t, err, "version 2 of the protocol is not spoken here; 1 is")
	_, err = parseHeaders(t, frame.Field{Key: "rpc-stream", Value: nil})
	require.Equal(t, ErrStream, err)
}

// What is wrong is found in this order, and what is right is read all the same.
func TestOrderOfRefusals(t *testing.T) {
	t.Parallel()
	headers := []frame.Field{
		{Key: "rpc-deliveries", Value: int8(3)},
		{Key: "rpc-deadline", Value: "x"},
		{Key: "rpc-heartbeat", Value: "x"},
		{Key: "rpc-batches", Value: "x"},
		{Key: "rpc-attempt", Value: "x"},
		{Key: "rpc-stream", Value: "x"},
		{Key: "rpc-version", Value: int8(2)},
	}
	var got []string
	for len(headers) > 1 {
		r, err := parseHeaders(t, headers...)
		require.Equal(t, 3, r.Deliveries)
		require.Equal(t, 1, r.Attempt)
		require.Equal(t, int64(-1), r.Stated)
		got = append(got, err.Error())
		headers = headers[:len(headers)-1]
	}
	for i, name := range []string{"version 2", "stream", "rpc-attempt", "rpc-batches", "rpc-heartbeat", "rpc-deadline"} {
		require.Contains(t, got[i], name)
	}
	r, err := parseHeaders(t,
		frame.Field{Key: "rpc-version", Value: "x"}, frame.Field{Key: "rpc-attempt", Value: int16(4)},
		frame.Field{Key: "rpc-batches", Value: true}, frame.Field{Key: "rpc-heartbeat", Value: uint16(200)},
		frame.Field{Key: "rpc-deadline", Value: int32(5)})
	require.ErrorContains(t, err, "rpc-version")
	require.Equal(t, 4, r.Attempt)
	require.True(t, r.Batches)
	require.Equal(t, 200*time.Millisecond, r.Heartbeat)
	require.Equal(t, int64(5), r.Stated)
}

// Clients of other languages send integers of all widths.
func TestGoodHeaders(t *testing.T) {
	t.Parallel()
	for _, one := range []any{int8(1), uint8(1), int16(1), uint16(1), int32(1), uint32(1), int64(1)} {
		r, err := parseHeaders(t,
			frame.Field{Key: "rpc-version", Value: one}, frame.Field{Key: "rpc-attempt", Value: one},
			frame.Field{Key: "rpc-heartbeat", Value: one}, frame.Field{Key: "rpc-deadline", Value: one},
			frame.Field{Key: "rpc-deliveries", Value: one}, frame.Field{Key: "x-delivery-count", Value: one},
			frame.Field{Key: "rpc-unknown", Value: one})
		require.NoError(t, err)
		require.Equal(t, 1, r.Attempt)
		require.Equal(t, MinHeartbeat, r.Heartbeat)
		require.Equal(t, int64(1), r.Stated)
		require.Equal(t, 1, r.Deliveries)
		require.Equal(t, 1, r.DeliveryCount)
		require.Equal(t, map[string]string{"x-delivery-count": "1"}, r.Metadata())
	}
}

func TestNumbersAreClamped(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n                 int64
		deliveries, count int
		stated            int64
	}{
		{math.MinInt64, 1, 0, 0},
		{-1, 1, 0, 0},
		{0, 1, 0, 0},
		{1 << 20, 1 << 20, 1 << 20, 1 << 20},
		{1<<20 + 1, 1 << 20, 1 << 20, 1<<20 + 1},
		{math.MaxInt64, 1 << 20, 1 << 20, maxStated},
	} {
		r, err := parseHeaders(t, frame.Field{Key: "rpc-deadline", Value: c.n},
			frame.Field{Key: "rpc-deliveries", Value: c.n}, frame.Field{Key: "x-delivery-count", Value: c.n})
		require.NoError(t, err)
		require.Equal(t, c.deliveries, r.Deliveries)
		require.Equal(t, c.count, r.DeliveryCount)
		require.Equal(t, c.stated, r.Stated)
	}
	r, err := parseHeaders(t, frame.Field{Key: "rpc-heartbeat", Value: int64(4 * 365 * 24 * 3600 * 1000)})
	require.NoError(t, err)
	require.Equal(t, MaxHeartbeat, r.Heartbeat)
	// Of the wrong type, these say nothing.
	r, err = parseHeaders(t, frame.Field{Key: "rpc-deliveries", Value: "7"},
		frame.Field{Key: "x-delivery-count", Value: "7"}, frame.Field{Key: "rpc-client", Value: int8(7)})
	require.NoError(t, err)
	require.Zero(t, r.Deliveries)
	require.Equal(t, -1, r.DeliveryCount)
	require.Empty(t, r.Client)
}

// A notification asks for no heartbeats, whatever its header says.
func TestNotificationHasNoHeartbeat(t *testing.T) {
	t.Parallel()
	p := frame.Properties{Flags: frame.FlagHeaders, Headers: frame.AppendFields(nil, frame.Table{{Key: "rpc-heartbeat", Value: "x"}})}
	var r Request
	require.NoError(t, r.Parse(parsed(t, p.Append(nil)), &Interner{}))
	require.Zero(t, r.Heartbeat)
}

func TestExpiration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0": 0, "1": time.Millisecond, "315360000000": MaxExpiration, "315360000001": -1, "": -1, "-1": -1, "1.5": -1, "x": -1,
		"9223372036854775807": -1, "99999999999999999999": -1, strings.Repeat("0", 255): 0,
	} {
		require.Equal(t, want, parseExpiration([]byte(text)), text)
	}
}

func TestEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		expires time.Duration
		stated  int64
		want    time.Time
	}{
		"none":               {-1, -1, time.Time{}},
		"expiration":         {time.Second, -1, noon.Add(time.Second)},
		"deadline":           {-1, noon.UnixMilli(), noon.Add(time.Minute)},
		"expiration earlier": {time.Second, noon.UnixMilli(), noon.Add(time.Second)},
		"deadline earlier":   {time.Hour, noon.UnixMilli(), noon.Add(time.Minute)},
		"long past":          {MaxExpiration, 0, time.UnixMilli(0).Add(time.Minute)},
		"far off":            {-1, maxStated, time.UnixMilli(maxStated).Add(time.Minute)},
	} {
		r := Request{Expires: c.expires, Stated: c.stated}
		require.True(t, c.want.Equal(r.End(noon, time.Minute)), name)
	}
	require.True(t, (&Request{Expires: -1, Stated: maxStated}).End(noon, math.MaxInt64).After(noon))
}

// However far off a deadline is, RabbitMQ takes the expiration, and the two together
// say when the request was published.
func TestDeadlinesAtTheirLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		deadline time.Time
		millis   int64 // the expiration
	}{
		"now":               {noon, 1},
		"a nanosecond":      {noon.Add(1), 1},
		"a millisecond":     {noon.Add(time.Millisecond), 1},
		"a bit more":        {noon.Add(time.Millisecond + 1), 2},
		"ten years":         {noon.Add(MaxExpiration), maxMillis},
		"a bit longer":      {noon.Add(MaxExpiration + 1), maxMillis},
		"three hundred":     {noon.AddDate(300, 0, 0), maxMillis},
		"largest":           {time.Unix(1<<62, 0), maxMillis},
		"past":              {noon.AddDate(0, 0, -1), 1},
		"before 1970":       {time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), 1},
		"before everything": {time.Unix(-1<<61, 0), 1},
	} {
		millis, stated := timeLeft(c.deadline, noon)
		require.Equal(t, c.millis, millis, name)
		require.LessOrEqual(t, stated-millis, noon.UnixMilli(), name)
		require.GreaterOrEqual(t, stated, int64(0), name)
		r := Request{Deadline: c.deadline}
		var back Request
		require.NoError(t, back.Parse(parsed(t, r.Append(nil, noon)), &Interner{}), name)
		require.Equal(t, time.Duration(millis)*time.Millisecond, back.Expires, name)
		require.Equal(t, stated, back.Stated, name)
	}
}

func TestLag(t *testing.T) {
	t.Parallel()
	now := noon.UnixMilli()
	for name, c := range map[string]struct {
		r    Request
		want time.Duration
		ok   bool
	}{
		"at once":              {Request{Expires: time.Second, Stated: now + 1000}, 0, true},
		"after a while":        {Request{Expires: time.Second, Stated: now + 900}, 100 * time.Millisecond, true},
		"a clock ahead":        {Request{Expires: time.Second, Stated: now + 3000}, -2 * time.Second, true},
		"at most":              {Request{Expires: MaxExpiration, Stated: now - maxMillis}, 2 * MaxExpiration, true},
		"a clock of the past":  {Request{Expires: time.Second, Stated: 0}, 0, false},
		"a clock of 9999":      {Request{Expires: time.Second, Stated: maxStated}, 0, false},
		"no expiration":        {Request{Expires: -1, Stated: now}, 0, false},
		"no deadline":          {Request{Expires: time.Second, Stated: -1}, 0, false},
		"it was requeued once": {Request{Expires: time.Second, Stated: now, Deliveries: 2}, 0, false},
	} {
		lag, ok := c.r.Lag(noon)
		require.Equal(t, c.ok, ok, name)
		require.Equal(t, c.want, lag, name)
	}
}
