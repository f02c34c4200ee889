package amqprpc_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/amqptest"
	"github.com/bbebcec1/amqprpc-go/codec"
	"github.com/bbebcec1/amqprpc-go/compress"
)

// onWire notes what the requests of a server were on the wire.
type onWire struct {
	mu       sync.Mutex
	encoding string
	size     int
	plain    []byte
	accept   any // rpc-accept-encoding
}

func (w *onWire) middleware(next amqprpc.Invoker) amqprpc.Invoker {
	return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
		w.mu.Lock()
		d := req.Delivery()
		w.accept = d.Headers["rpc-accept-encoding"]
		w.encoding, w.size, w.plain = d.ContentEncoding, len(d.Body), bytes.Clone(req.Body())
		w.mu.Unlock()
		return next(ctx, req)
	}
}

func (w *onWire) accepts() any {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.accept
}

func (w *onWire) last() (encoding string, size int, plain string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.encoding, w.size, string(w.plain)
}

// doubled is a handler whose replies are twice as long as its requests.
func doubled(_ context.Context, s string) (string, error) { return s + s, nil }

// zip and unzip are gzip.
func zip(body string) []byte { return compress.Gzip{}.Compress(nil, []byte(body)) }

func unzip(t *testing.T, body []byte) string {
	t.Helper()
	plain, err := compress.Gzip{}.Decompress(nil, body, 64<<20)
	require.NoError(t, err)
	return string(plain)
}

var (
	longText  = strings.Repeat("tea and ", 1000)
	shortText = "tea"
)

// noise is what gzip makes no smaller, if MessagePack encodes it.
func noise() string {
	b := make([]byte, 3000)
	rand.Read(b)
	return string(b)
}

// Only bodies that are large enough and become smaller are compressed, and only if the client
// says so. Middleware sees the plain body.
func TestCompressedRequests(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	var wire onWire
	heard := make(chan string, 1)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, doubled)
		amqprpc.Register(s, queue+".heard", func(_ context.Context, text string) (amqprpc.None, error) {
			heard <- text
			return amqprpc.None{}, nil
		})
	}, amqprpc.WithMiddleware(wire.middleware))
	gzip, plain := amqprpc.WithCompression(compress.Gzip{}), amqprpc.WithCompression(nil)
	packing := dial(t, url, amqprpc.WithCompression(compress.Gzip{Level: 9}))
	other := dial(t, url)
	late := dial(t, url, gzip, amqprpc.WithMinCompressSize(1<<20))
	early := dial(t, url, gzip, amqprpc.WithMinCompressSize(10))
	for name, c := range map[string]struct {
		cli  *amqprpc.Client
		text string
		opts []amqprpc.CallOption
		want string
	}{
		"client":           {packing, longText, nil, "gzip"},
		"view":             {other.With(gzip), longText, nil, "gzip"},
		"call":             {other, longText, []amqprpc.CallOption{gzip}, "gzip"},
		"not this call":    {packing, longText, []amqprpc.CallOption{plain}, ""},
		"not this view":    {packing.With(plain), longText, nil, ""},
		"not this client":  {other, longText, nil, ""},
		"small":            {packing, shortText, nil, ""},
		"too small":        {late, longText, nil, ""},
		"small enough":     {early, strings.Repeat("tea", 100), nil, "gzip"},
		"no smaller":       {packing, noise(), []amqprpc.CallOption{amqprpc.WithCodec(codec.MsgPack{})}, ""},
		"no smaller, tiny": {early, "0123456789", nil, ""},
	} {
		got, err := amqprpc.Call[string, string](testContext(t), c.cli, queue, c.text, c.opts...)
		require.NoError(t, err, name)
		require.Equal(t, c.text+c.text, got, name)
		encoding, size, body := wire.last()
		require.Equal(t, c.want, encoding, name)
		if len(c.opts) == 0 {
			want, err := json.Marshal(c.text)
			require.NoError(t, err)
			require.JSONEq(t, string(want), body, name)
		}
		if c.want == "gzip" {
			require.Less(t, size, len(body), name)
		} else {
			require.Len(t, body, size, name)
		}
	}
	_, err := amqprpc.Call[string, string](testContext(t), packing, queue, shortText, plain)
	require.NoError(t, err)
	require.Equal(t, "gzip", wire.accepts(), "the reply may be compressed")
	_, err = amqprpc.Call[string, string](testContext(t), other, queue, shortText)
	require.NoError(t, err)
	require.Nil(t, wire.accepts(), "an ordinary call says nothing of compression")
	require.NoError(t, amqprpc.Notify(testContext(t), packing, queue+".heard", longText))
	require.Equal(t, longText, <-heard)
	encoding, _, _ := wire.last()
	require.Equal(t, "gzip", encoding)
	require.Nil(t, wire.accepts(), "a notification has no reply")
}

// A server compresses a reply only with what the caller accepts.
func TestCompressedReplies(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	startServer(t, url, func(s *amqprpc.Server) {
		amqprpc.Register(s, queue, doubled)
		amqprpc.Register(s, queue+".fails", func(_ context.Context, text string) (string, error) {
			return "", amqprpc.Errorf(amqprpc.CodeAborted, "%s", text)
		})
	})
	p := newPeer(t, url)
	long, err := json.Marshal(longText)
	require.NoError(t, err)
	for _, c := range []struct {
		accept any
		body   string
		want   string
	}{
		{nil, string(long), ""},
		{"gzip", string(long), "gzip"},
		{"GZIP", string(long), "gzip"},
		{"zstd, gzip", string(long), "gzip"},
		{"zstd,gzip ,br", string(long), "gzip"},
		{"zstd", string(long), ""},
		{"", string(long), ""},
		{", ,", string(long), ""},
		{"identity", string(long), ""},
		{int64(1), string(long), ""},
		{"gzip", `"tea"`, ""},
	} {
		m := amqp.Publishing{Body: []byte(c.body), Headers: amqp.Table{}}
		if c.accept != nil {
			m.Headers["rpc-accept-encoding"] = c.accept
		}
		d := p.ask(queue, m)
		require.Equal(t, c.want, d.ContentEncoding, "%v", c.accept)
		require.Equal(t, "application/json", d.ContentType)
		got := string(d.Body)
		if c.want != "" {
			require.Less(t, len(got), 1000)
			got = unzip(t, d.Body)
		}
		want := c.body[:len(c.body)-1] + c.body[1:]
		require.JSONEq(t, want, got)

		m.ContentEncoding, m.Body = "gzip", zip(c.body)
		d = p.ask(queue+".fails", m)
		require.Equal(t, "aborted", d.Headers["rpc-code"])
		require.Empty(t, d.ContentEncoding, "errors are never compressed")
		require.True(t, json.Valid(d.Body))
	}
}

// The limit of a message is that of the plain body on both sides. The broker's own limit is
// that of the compressed one.
func TestCompressionAndLimits(t *testing.T) {
	t.Parallel()
	broker, queue := amqptest.Start(t, amqptest.WithMaxMessageSize(50_000)), queueName(t)
	large := strings.Repeat("x", 200_000)
	srv, _ := startServer(t, broker.URL(), func(s *amqprpc.Server) { amqprpc.Register(s, queue, doubled) },
		amqprpc.WithMaxMessageSize(300_000))
	cli := dial(t, broker.URL(), amqprpc.WithCompression(compress.Gzip{}), amqprpc.WithMaxMessageSize(500_000))
	_, err := amqprpc.Call[string, string](testContext(t), cli, queue, large)
	require.ErrorIs(t, err, amqprpc.CodeResourceExhausted)
	require.ErrorContains(t, err, "the reply has 400002 bytes; the limit is 300000")
	got, err := amqprpc.Call[string, string](testContext(t), cli, queue, large[:100_000])
	require.NoError(t, err)
	require.Len(t, got, 200_000)
	_, err = amqprpc.Call[string, string](testContext(t), cli, queue, large+large+large)
	require.ErrorIs(t, err, amqprpc.CodeResourceExhausted)
	require.ErrorContains(t, err, "the request has 600002 bytes; the limit is 500000")
	require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err))
	_, err = amqprpc.Call[string, string](testContext(t), cli, queue, large+large)
	require.ErrorIs(t, err, amqprpc.CodeResourceExhausted)
	require.ErrorContains(t, err, "more than 300000 bytes when it is decompressed")
	require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))
	_, err = amqprpc.Call[string, string](testContext(t), cli, queue, large, amqprpc.WithCompression(nil))
	require.ErrorIs(t, err, amqprpc.CodeResourceExhausted, "the broker refuses it")
	require.Zero(t, cli.Stats().Reconnects+srv.Stats().Reconnects)
}

// countingEncoding counts what is done with it. Its name is not gzip's.
type countingEncoding struct {
	compress.Gzip
	name                     string
	compressed, decompressed *atomic.Int64
}

func newCountingEncoding(name string) countingEncoding {
	return countingEncoding{name: name, compressed: new(atomic.Int64), decompressed: new(atomic.Int64)}
}

func (e countingEncoding) Name() string { return e.name }

func (e countingEncoding) Compress(dst, src []byte) []byte {
	e.compressed.Add(1)
	return e.Gzip.Compress(dst, src)
}

func (e countingEncoding) Decompress(dst, src []byte, limit int) ([]byte, error) {
	e.decompressed.Add(1)
	return e.Gzip.Decompress(dst, src, limit)
}

// A request is decompressed once, and not at all if middleware refuses it. All attempts of a
// call send what was compressed once.
func TestCompressionIsLazy(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	e := newCountingEncoding("own")
	startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, doubled) },
		amqprpc.WithAcceptedEncodings(compress.Gzip{}, e),
		amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker {
			return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
				if req.Header()["token"] == "" {
					return nil, amqprpc.CodeUnauthenticated
				}
				if first, second := req.Body(), req.Body(); &first[0] != &second[0] {
					return nil, amqprpc.CodeInternal
				}
				return next(ctx, req)
			}
		}))
	twice := amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			if _, err := next(ctx, req); err == nil {
				return nil, amqprpc.CodeInternal
			}
			req.Header()["token"] = "secret"
			return next(ctx, req)
		}
	})
	cli := dial(t, url, amqprpc.WithCompression(e))
	got, err := amqprpc.Call[string, string](testContext(t), cli, queue, longText, twice)
	require.NoError(t, err)
	require.Equal(t, longText+longText, got)
	require.EqualValues(t, 2, e.compressed.Load(), "the request and the reply")
	require.EqualValues(t, 2, e.decompressed.Load(), "the request and the reply")
}

// Both sides choose among several encodings. A call's own encoding is accepted in its reply.
func TestAcceptedEncodings(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	a, b := newCountingEncoding("a"), newCountingEncoding("b")
	startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, doubled) }, amqprpc.WithAcceptedEncodings(a, b))
	var encodings []string
	note := amqprpc.WithMiddleware(func(next amqprpc.Invoker) amqprpc.Invoker {
		return func(ctx context.Context, req *amqprpc.Request) (*amqprpc.Response, error) {
			a.compressed.Store(0)
			b.compressed.Store(0)
			resp, err := next(ctx, req)
			encodings = append(encodings, fmt.Sprint(a.compressed.Load(), b.compressed.Load()))
			return resp, err
		}
	})
	for _, c := range []struct {
		opts []amqprpc.ClientOption
		call []amqprpc.CallOption
		want string // how often a and b have compressed something
	}{
		{nil, nil, "0 0"},
		{[]amqprpc.ClientOption{amqprpc.WithAcceptedEncodings(b, a)}, nil, "0 1"},
		{[]amqprpc.ClientOption{amqprpc.WithAcceptedEncodings(compress.Gzip{}, a)}, nil, "1 0"},
		{[]amqprpc.ClientOption{amqprpc.WithAcceptedEncodings(a), amqprpc.WithCompression(b)}, nil, "0 2"},
		{[]amqprpc.ClientOption{amqprpc.WithAcceptedEncodings(a)}, []amqprpc.CallOption{amqprpc.WithCompression(b)}, "0 2"},
		{[]amqprpc.ClientOption{amqprpc.WithAcceptedEncodings(a, b)}, []amqprpc.CallOption{amqprpc.WithCompression(b)}, "1 1"},
		{[]amqprpc.ClientOption{amqprpc.WithCompression(a)}, []amqprpc.CallOption{amqprpc.WithCompression(nil)}, "1 0"},
		{nil, []amqprpc.CallOption{amqprpc.WithCompression(b)}, "0 2"},
	} {
		encodings = nil
		got, err := amqprpc.Call[string, string](testContext(t), dial(t, url, c.opts...), queue, longText, append(c.call, note)...)
		require.NoError(t, err)
		require.Equal(t, longText+longText, got)
		require.Equal(t, []string{c.want}, encodings)
	}
	_, err := amqprpc.Call[string, string](testContext(t), dial(t, url), queue, longText, amqprpc.WithCompression(compress.Gzip{}))
	require.ErrorIs(t, err, amqprpc.CodeInvalidArgument)
	require.ErrorContains(t, err, `the content encoding "gzip" is not accepted`)
	require.Equal(t, amqprpc.OutcomeNotExecuted, amqprpc.OutcomeOf(err))

	for _, name := range []string{strings.Repeat("x", 256), "identity", "a,b", ""} {
		_, err := amqprpc.Call[string, string](testContext(t), dial(t, url), queue, longText, amqprpc.WithCompression(newCountingEncoding(name)))
		require.ErrorIs(t, err, amqprpc.CodeInvalidArgument, name)
		require.Equal(t, amqprpc.OutcomeNotSent, amqprpc.OutcomeOf(err), name)
	}
	for _, bad := range [][]compress.Encoding{{nil}, {newCountingEncoding(strings.Repeat("x", 200)), newCountingEncoding(strings.Repeat("y", 200))}, {a, newCountingEncoding("A")}, {newCountingEncoding("identity")}, {newCountingEncoding("a,b")}, {newCountingEncoding("")}} {
		_, err := amqprpc.NewClient(url, amqprpc.WithAcceptedEncodings(bad...), amqprpc.WithCompression(compress.Gzip{}))
		require.ErrorIs(t, err, amqprpc.CodeInvalidArgument)
		srv := amqprpc.NewServer(url, amqprpc.WithAcceptedEncodings(bad...), amqprpc.WithLogger(nil))
		amqprpc.Register(srv, queue, square)
		require.ErrorIs(t, srv.Serve(testContext(t)), amqprpc.CodeInvalidArgument)
	}
}

// Replies that travel in one batch keep their encodings, and a redelivered request keeps its
// own.
func TestCompressionWithBatchesAndCopies(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	p := newPeer(t, url)
	_, err := p.ch.QueueDeclare(queue, true, false, false, false, nil)
	require.NoError(t, err)
	p.send(queue, amqp.Publishing{ContentEncoding: "gzip", Body: zip(`"tea"`), Headers: amqp.Table{"rpc-accept-encoding": "gzip"}})
	killer(t, url, queue)
	srv, _ := startServer(t, url, func(s *amqprpc.Server) { amqprpc.Register(s, queue, doubled) }, amqprpc.WithMinCompressSize(1))
	require.Equal(t, `"teatea"`, string(p.reply().Body))
	require.EqualValues(t, 1, srv.Stats().Redelivered)

	cli := dial(t, url, amqprpc.WithCompression(compress.Gzip{}), amqprpc.WithMinCompressSize(1))
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			for j := range 20 {
				text := strings.Repeat(fmt.Sprint(i, " ", j, " "), 30)
				got, err := amqprpc.Call[string, string](testContext(t), cli, queue, text)
				if err != nil || got != text+text {
					t.Errorf("%v: %q", err, got)
				}
			}
		})
	}
	wg.Wait()
	_, err = p.ch.QueueDelete(queue, false, false, false)
	require.NoError(t, err)
}
