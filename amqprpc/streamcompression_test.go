package amqprpc_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc"
	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/protocol"
	"github.com/bbebcec1/amqprpc-go/codec"
	"github.com/bbebcec1/amqprpc-go/compress"
)

type (
	textsOf = amqprpc.ServerStream[string, string]
	joined  = amqprpc.ClientStream[string, string]
	echoes  = amqprpc.BidiStream[string, string]
)

// talk has a bidirectional stream echo the texts, which are to come back unchanged.
func talk(t *testing.T, cli *amqprpc.Client, queue echoes, texts []string, opts ...amqprpc.CallOption) {
	t.Helper()
	conv, err := queue.Open(testContext(t), cli, opts...)
	require.NoError(t, err)
	defer conv.Close()
	for _, text := range texts {
		require.NoError(t, conv.Send(text))
		got, err := conv.Recv()
		require.NoError(t, err)
		require.Equal(t, text, got)
	}
	require.NoError(t, conv.CloseSend())
	_, err = conv.Recv()
	require.ErrorIs(t, err, io.EOF)
}

func echoAll(_ context.Context, in *amqprpc.Receiver[string], out *amqprpc.Sender[string]) error {
	for text, err := range in.All() {
		if err != nil {
			return err
		}
		if err = out.Send(text); err != nil {
			return err
		}
	}
	return nil
}

// Messages of streams are compressed as requests and replies are: by a client that says so,
// by a server whose client accepts it, and only where both know the encoding.
func TestCompressedStreams(t *testing.T) {
	t.Parallel()
	type (
		client = []amqprpc.ClientOption
		server = []amqprpc.ServerOption
		call   = []amqprpc.CallOption
	)
	mine, theirs := newCountingEncoding("a"), newCountingEncoding("A")
	other := newCountingEncoding("b")
	for name, c := range map[string]struct {
		server       server
		client       client
		call         call
		sent, echoed int64 // how many of the texts travel compressed
	}{
		"client":          {server{amqprpc.WithAcceptedEncodings(theirs)}, client{amqprpc.WithCompression(mine)}, nil, 2, 2},
		"call":            {server{amqprpc.WithAcceptedEncodings(theirs)}, nil, call{amqprpc.WithCompression(mine)}, 2, 2},
		"not this call":   {server{amqprpc.WithAcceptedEncodings(theirs)}, client{amqprpc.WithCompression(mine)}, call{amqprpc.WithCompression(nil)}, 0, 2},
		"replies only":    {server{amqprpc.WithAcceptedEncodings(theirs)}, client{amqprpc.WithAcceptedEncodings(mine)}, nil, 0, 2},
		"one of several":  {server{amqprpc.WithAcceptedEncodings(theirs)}, client{amqprpc.WithAcceptedEncodings(other, mine), amqprpc.WithCompression(other)}, nil, 2, 2},
		"not this client": {server{amqprpc.WithAcceptedEncodings(theirs)}, nil, nil, 0, 0},
		"not this server": {server{amqprpc.WithAcceptedEncodings()}, client{amqprpc.WithCompression(mine)}, nil, 0, 0},
		"too small":       {server{amqprpc.WithAcceptedEncodings(theirs)}, client{amqprpc.WithCompression(mine), amqprpc.WithMinCompressSize(1 << 20)}, nil, 0, 2},
	} {
		url, queue := brokerURL(t), echoes(queueName(t))
		_, stop := startServer(t, url, func(s *amqprpc.Server) { queue.Register(s, echoAll) }, c.server...)
		cli := dial(t, url, c.client...)
		for _, e := range []countingEncoding{mine, theirs} {
			e.compressed.Store(0)
			e.decompressed.Store(0)
		}
		talk(t, cli, queue, []string{longText, shortText, "", longText}, c.call...)
		require.Equal(t, []int64{c.sent, c.sent, c.echoed, c.echoed},
			[]int64{mine.compressed.Load(), theirs.decompressed.Load(), theirs.compressed.Load(), mine.decompressed.Load()}, name)
		require.NoError(t, cli.Close())
		stop()
	}
	require.Zero(t, other.compressed.Load())
}

// A message that would grow travels as it is.
func TestStreamsOfNoise(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), echoes(queueName(t))
	e := newCountingEncoding("a")
	startServer(t, url, func(s *amqprpc.Server) {
		queue.Register(s, echoAll, amqprpc.WithAcceptedCodecs(codec.MsgPack{}))
	}, amqprpc.WithAcceptedEncodings(e))
	cli := dial(t, url, amqprpc.WithCompression(e), amqprpc.WithCodec(codec.MsgPack{}))
	talk(t, cli, queue, []string{noise(), noise()})
	require.EqualValues(t, 4, e.compressed.Load(), "it was tried")
	require.Zero(t, e.decompressed.Load())
}

// The other kinds of streams: the request of a server stream, its messages, and the reply of a
// client stream.
func TestCompressionOfAllKindsOfStreams(t *testing.T) {
	t.Parallel()
	url, name := brokerURL(t), queueName(t)
	texts, join := textsOf(name), joined(name+".join")
	mine, theirs := newCountingEncoding("a"), newCountingEncoding("a")
	startServer(t, url, func(s *amqprpc.Server) {
		texts.Register(s, func(_ context.Context, text string, out *amqprpc.Sender[string]) error {
			return errors.Join(out.Send(text), out.Send(text+text))
		})
		join.Register(s, func(_ context.Context, in *amqprpc.Receiver[string]) (string, error) {
			var all strings.Builder
			for text, err := range in.All() {
				if err != nil {
					return "", err
				}
				all.WriteString(text)
			}
			return all.String(), nil
		})
	}, amqprpc.WithAcceptedEncodings(theirs))
	cli := dial(t, url, amqprpc.WithCompression(mine))
	require.Equal(t, []string{longText, longText + longText}, drained(t, texts.Call(testContext(t), cli, longText)))
	require.Equal(t, []int64{1, 2}, []int64{theirs.decompressed.Load(), mine.decompressed.Load()})
	got, err := join.Call(testContext(t), cli, amqprpc.Items(func(yield func(string) bool) { _ = yield(longText) && yield(shortText) }))
	require.NoError(t, err)
	require.Equal(t, longText+shortText, got)
	require.Equal(t, []int64{2, 3}, []int64{theirs.decompressed.Load(), mine.decompressed.Load()})
}

// A window counts what is on the wire: here messages of many times the window are under way.
func TestWindowsOfCompressedStreams(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), textsOf(queueName(t))
	const messages = 50
	sent := make(chan struct{})
	startServer(t, url, func(s *amqprpc.Server) {
		queue.Register(s, func(_ context.Context, text string, out *amqprpc.Sender[string]) error {
			for range messages {
				if err := out.Send(text); err != nil {
					return err
				}
			}
			close(sent)
			return nil
		})
	})
	cli := dial(t, url, amqprpc.WithCompression(compress.Gzip{}), amqprpc.WithWindow(128<<10))
	n := 0
	for text, err := range queue.Call(testContext(t), cli, longText) {
		require.NoError(t, err)
		require.Equal(t, longText, text)
		n++
		select {
		case <-sent:
		case <-time.After(patience):
			require.FailNow(t, "the window counts plain messages")
		}
	}
	require.Equal(t, messages, n)
}

// A server bounds what items decompress to. What does not decompress is an error of that
// message, and what is beyond the limit the end of the stream.
func TestHostileItems(t *testing.T) {
	t.Parallel()
	const limit = 100_000
	url, queue := brokerURL(t), echoes(queueName(t))
	startServer(t, url, func(s *amqprpc.Server) {
		queue.Register(s, func(_ context.Context, in *amqprpc.Receiver[string], out *amqprpc.Sender[string]) error {
			for {
				text, err := in.Recv()
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err != nil {
					text = string(amqprpc.CodeOf(err))
				}
				if err = out.Send(text); err != nil {
					return err
				}
			}
		})
	}, amqprpc.WithMaxMessageSize(limit))
	open := func(accepts any) *rawStream {
		s := &rawStream{peer: newPeer(t, url), token: protocol.NewToken()}
		request := s.opening("bidi")
		request.Headers["rpc-accept-encoding"] = accepts
		accept := s.open(string(queue), request)
		require.Equal(t, "gzip", string(accept.Payload))
		return s
	}
	s := open("br, GZip")
	number := uint64(0)
	for name, c := range map[string]struct{ item, want string }{
		"compressed":       {"\x01" + string(zip(`"tea"`)), "tea"},
		"plain":            {"\x00" + `"tea"`, "tea"},
		"no octet":         {"", "invalid_argument"},
		"another octet":    {"\x02" + string(zip(`"tea"`)), "invalid_argument"},
		"as without it":    {`"tea"`, "invalid_argument"},
		"nothing":          {"\x00", "invalid_argument"},
		"nothing in it":    {"\x01" + string(zip("")), "invalid_argument"},
		"not compressed":   {"\x01" + `"tea"`, "invalid_argument"},
		"cut short":        {"\x01" + string(zip(`"tea"`)[:10]), "invalid_argument"},
		"bytes after it":   {"\x01" + string(zip(`"tea"`)) + "x", "invalid_argument"},
		"compressed twice": {"\x01" + string(zip(string(zip(`"tea"`)))), "invalid_argument"},
		"the limit":        {"\x01" + string(zip(`"tea"`+strings.Repeat(" ", limit-5))), "tea"},
	} {
		number++
		s.message(item(number, c.item))
		require.Equal(t, "\x00\""+c.want+`"`, string(s.next(protocol.FrameItem).Payload), name)
	}
	s.message(protocol.StreamFrame{Type: protocol.FrameReset})
	for name, bomb := range map[string]string{
		"a bomb": "\x01" + string(zip(strings.Repeat(" ", 4<<20))),
		"plain":  "\x00" + strings.Repeat(" ", limit+1),
	} {
		s := open("gzip")
		s.message(item(1, bomb))
		require.Equal(t, "resource_exhausted", s.ends(), name)
	}
}

// A client bounds what items decompress to, and takes only an encoding that it has offered.
func TestHostileItemsOfServers(t *testing.T) {
	t.Parallel()
	const limit = 100_000
	bomb := "\x01" + string(zip(strings.Repeat(" ", 4<<20)))
	for name, c := range map[string]struct {
		encoding, item string
		code           amqprpc.Code
	}{
		"compressed":              {"gzip", "\x01" + string(zip("7")), amqprpc.CodeOK},
		"another case":            {"GZIP", "\x01" + string(zip("7")), amqprpc.CodeOK},
		"plain":                   {"gzip", "\x007", amqprpc.CodeOK},
		"none":                    {"", "7", amqprpc.CodeOK},
		"an octet without it":     {"", "\x01" + string(zip("7")), amqprpc.CodeInternal},
		"no octet":                {"gzip", "", amqprpc.CodeInternal},
		"another octet":           {"gzip", "\x027", amqprpc.CodeInternal},
		"not compressed":          {"gzip", "\x017", amqprpc.CodeInternal},
		"a bomb":                  {"gzip", bomb, amqprpc.CodeResourceExhausted},
		"plain, beyond the limit": {"", strings.Repeat(" ", limit) + "7", amqprpc.CodeResourceExhausted},
		"not offered":             {"zstd", "\x007", amqprpc.CodeInternal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, queue := brokerURL(t), queueName(t)
			p := newPeer(t, url)
			_, opens := p.own(queue)
			p.own("amqprpc.instance." + p.replyTo)
			cli := dial(t, url, amqprpc.WithAcceptedEncodings(compress.Gzip{}), amqprpc.WithMaxMessageSize(limit))
			answer := func() {
				open := <-opens
				require.Equal(t, "gzip", open.Headers["rpc-accept-encoding"])
				p.acceptWith(c.encoding, open, protocol.ParseToken([]byte(open.Headers["rpc-token"].(string))), 1, "amqprpc.instance."+p.replyTo,
					item(1, c.item), protocol.StreamFrame{Type: protocol.FrameEnd, Number: 2})
			}
			check := func(got int, err error) {
				require.Equal(t, c.code, amqprpc.CodeOf(err), "%v", err)
				if err == nil {
					require.Equal(t, 7, got)
				}
			}
			go answer()
			for got, err := range countTo(queue).Call(testContext(t), cli, 1) {
				check(got, err)
			}
			go answer()
			check(sumOf(queue).Call(testContext(t), cli, amqprpc.Items(func(func(int) bool) {})))
			require.Zero(t, cli.Stats().Reconnects)
		})
	}
}

// The limit of a message is that of the plain one on both sides, and the broker's own limit
// that of the compressed one.
func TestLimitsOfCompressedStreams(t *testing.T) {
	t.Parallel()
	const limit = 100_000
	url, queue := brokerURL(t), echoes(queueName(t))
	startServer(t, url, func(s *amqprpc.Server) { queue.Register(s, echoAll) }, amqprpc.WithMaxMessageSize(limit))
	cli := dial(t, url, amqprpc.WithCompression(compress.Gzip{}), amqprpc.WithMaxMessageSize(limit))
	most := strings.Repeat("x", limit-2)
	talk(t, cli, queue, []string{most})
	talk(t, cli, queue, []string{most}, amqprpc.WithCompression(nil))
	talk(t, dial(t, url, amqprpc.WithCompression(compress.Gzip{}), amqprpc.WithMinCompressSize(limit*2)), queue, []string{most})
	conv, err := queue.Open(testContext(t), cli)
	require.NoError(t, err)
	defer conv.Close()
	err = conv.Send(most + "x")
	require.ErrorIs(t, err, amqprpc.CodeResourceExhausted)
	require.ErrorContains(t, err, "the message has 100001 bytes; the limit is 100000")
	require.NoError(t, conv.Send(shortText), "the stream goes on")
	got, err := conv.Recv()
	require.NoError(t, err)
	require.Equal(t, shortText, got)
}

// An ordinary stream says nothing of compression.
func TestStreamsWithoutCompression(t *testing.T) {
	t.Parallel()
	url, queue := brokerURL(t), queueName(t)
	p := newPeer(t, url)
	_, opens := p.own(queue)
	var open amqp.Delivery
	cli := dial(t, url)
	go func() {
		for range countTo(queue).Call(testContext(t), cli, 1) {
		}
	}()
	open = <-opens
	require.NotContains(t, open.Headers, "rpc-accept-encoding")
}
