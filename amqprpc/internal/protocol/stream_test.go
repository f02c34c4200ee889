package protocol

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// These bytes are what other languages send and receive, like those of golden_test.go.
const (
	goldenOpening = "\xa7\x80" + // content type, headers, correlation id, reply to, expiration, message id
		"\x10application/json" +
		"\x00\x00\x00\x49" +
		"\x0arpc-stream" + "S\x00\x00\x00\x06server" +
		"\x09rpc-token" + "S\x00\x00\x00\x100123456789abcdef" +
		"\x0arpc-window" + "l\x00\x00\x00\x00\x00\x04\x00\x00" +
		"\x02ab" +
		"\x0famqprpc.reply.x" +
		"\x0530000" +
		"\x02ab"

	goldenStreamProperties = "\x82\x00" + // content type, reply to
		"\x1eapplication/vnd.amqprpc.stream" +
		"\x12amqprpc.instance.x"

	clientToken, serverToken = "\x01\x23\x45\x67\x89\xab\xcd\xef", "\xfe\xdc\xba\x98\x76\x54\x32\x10"
	toClient, toServer       = "\x01" + clientToken + serverToken, "\x01" + serverToken + clientToken

	goldenEnding  = `{"error":{"code":"not_found","message":"no tea"}}`
	goldenAnswers = toClient +
		"\x01\x00\x80\x80\x10\x00" +
		"\x02\x01\x00\x021\n" +
		"\x02\x02\x00\x022\n" +
		"\x03\x03\x00\x31" + goldenEnding
	goldenState = toServer +
		"\x04\x03\x80\x82\x10\x02\xac\x02" +
		"\x02\x01\x00\x03\"x\""
	goldenProbe = toServer + "\x06\x02\x04\x00"
	goldenReset = toServer + "\x07\x00\x00\x00"
	goldenBeat  = toClient + "\x08\x00\x00\x00"

	otherClientToken, otherServerToken = "\x00\x00\x00\x00\x00\x00\x00\x01", "\x00\x00\x00\x00\x00\x00\x00\x02"
	goldenTwoStreams                   = toServer + "\x04\x04\x80\x82\x10\x00" +
		"\x09\x00\x00\x10" + otherServerToken + otherClientToken +
		"\x04\x02\x80\x82\x10\x00"
)

const (
	aClient Token = 0x0123456789abcdef
	aServer Token = 0xfedcba9876543210
)

// goldenMessages are messages with their frames.
var goldenMessages = []struct {
	raw      string
	to, from Token
	frames   []StreamFrame
}{
	{goldenAnswers, aClient, aServer, []StreamFrame{
		{FrameAccept, 0, 1 << 18, nil}, {FrameItem, 1, 0, []byte("1\n")}, {FrameItem, 2, 0, []byte("2\n")}, {FrameEnd, 3, 0, []byte(goldenEnding)},
	}},
	{goldenState, aServer, aClient, []StreamFrame{{FrameState, 3, 1<<18 + 256, AppendEcho(nil, 300)}, {FrameItem, 1, 0, []byte(`"x"`)}}},
	{goldenProbe, aServer, aClient, []StreamFrame{{FrameProbe, 2, 4, nil}}},
	{goldenReset, aServer, aClient, []StreamFrame{{FrameReset, 0, 0, nil}}},
	{goldenBeat, aClient, aServer, []StreamFrame{{FrameBeat, 0, 0, nil}}},
}

func openingRequest() Request {
	return Request{
		ContentType: "application/json", CorrelationID: "ab", MessageID: "ab", ReplyTo: "amqprpc.reply.x", Deadline: noon.Add(30 * time.Second),
		Opening: Opening{Stream: StreamServer, Token: aClient, Window: 1 << 18},
	}
}

func messageOf(to, from Token, frames []StreamFrame) []byte {
	m := AppendStream(nil, to, from)
	for _, f := range frames {
		m = AppendStreamFrame(m, f)
	}
	return m
}

// framesOf reads all frames. Payloads without octets are nil.
func framesOf(t testing.TB, raw []byte) (all []StreamFrame) {
	for len(raw) > 0 {
		f, err := NextStreamFrame(&raw)
		require.NoError(t, err)
		if len(f.Payload) == 0 {
			f.Payload = nil
		}
		all = append(all, f)
	}
	return all
}

func requireStreams(t testing.TB, want int, frames []byte) {
	t.Helper()
	got, err := CheckStreamFrames(frames)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// cutAndJoined cuts frames into those of each stream, and puts them together again.
func cutAndJoined(t testing.TB, to, from Token, streams int, frames []byte) (m []byte) {
	for i := range streams {
		part, nextTo, nextFrom := CutStream(&frames)
		for _, f := range framesOf(t, part) {
			require.NotEqual(t, FrameStream, f.Type)
		}
		m = append(AppendStream(m, to, from), part...)
		to, from = nextTo, nextFrom
		require.Equal(t, i == streams-1, frames == nil)
	}
	return m
}

// Frames of several streams may share a message.
func TestMessageOfTwoStreams(t *testing.T) {
	t.Parallel()
	m := messageOf(aServer, aClient, []StreamFrame{{FrameState, 4, 1<<18 + 256, nil}})
	m = AppendStreamFrame(AppendStream(m, 2, 1), StreamFrame{FrameState, 2, 1<<18 + 256, nil})
	require.Equal(t, goldenTwoStreams, string(m))
	to, from, frames, err := ParseStreamPreface(m)
	require.NoError(t, err)
	require.Equal(t, []Token{aServer, aClient}, []Token{to, from})
	requireStreams(t, 2, frames)
	require.Equal(t, m, cutAndJoined(t, to, from, 2, frames))
	first, to, from := CutStream(&frames)
	require.Equal(t, []Token{2, 1}, []Token{to, from})
	require.Equal(t, []StreamFrame{{FrameState, 4, 1<<18 + 256, nil}}, framesOf(t, first))
	require.Equal(t, []StreamFrame{{FrameState, 2, 1<<18 + 256, nil}}, framesOf(t, frames))
}

func TestGoldenBytesOfStreams(t *testing.T) {
	t.Parallel()
	r := openingRequest()
	require.Equal(t, goldenOpening, string(r.Append(nil, noon)))
	require.Equal(t, goldenStreamProperties, string(AppendStreamProperties(nil, "amqprpc.instance.x")))
	for _, m := range goldenMessages {
		require.Equal(t, m.raw, string(messageOf(m.to, m.from, m.frames)))
		to, from, frames, err := ParseStreamPreface([]byte(m.raw))
		require.NoError(t, err)
		require.Equal(t, []Token{m.to, m.from}, []Token{to, from})
		requireStreams(t, 1, frames)
		require.Equal(t, m.frames, framesOf(t, frames))
	}
	_, _, frames, err := ParseStreamPreface([]byte(goldenState))
	require.NoError(t, err)
	require.EqualValues(t, 300, ParseEcho(framesOf(t, frames)[0].Payload))
	var got Request
	require.NoError(t, got.Parse(parsed(t, []byte(goldenOpening)), &Interner{}))
	require.Equal(t, r.Opening, got.Opening)
	require.Equal(t, 30*time.Second, got.Expires)
	require.EqualValues(t, -1, got.Stated)
	require.True(t, IsStream(parsed(t, []byte(goldenStreamProperties))))
	require.False(t, IsStream(parsed(t, []byte(goldenOpening))))
}

// The deadline of a stream is not that of the wait for the accept.
func TestDeadlineOfAnOpening(t *testing.T) {
	t.Parallel()
	r := openingRequest()
	r.Opening.Deadline = noon.Add(time.Hour)
	var got Request
	require.NoError(t, got.Parse(parsed(t, r.Append(nil, noon)), &Interner{}))
	require.Equal(t, 30*time.Second, got.Expires)
	require.Equal(t, r.Opening.Deadline.UnixMilli(), got.Stated)
}

func TestOpeningHeaders(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef"
	kind, tok, window := frame.Field{Key: "rpc-stream", Value: "bidi"}, frame.Field{Key: "rpc-token", Value: token}, frame.Field{Key: "rpc-window", Value: int64(5)}
	with := func(f frame.Field) []frame.Field {
		all := []frame.Field{kind, tok, window}
		for i := range all {
			if all[i].Key == f.Key {
				all[i] = f
			}
		}
		return all
	}
	for _, ok := range []any{int8(1), uint8(1), int16(1), uint16(1), int32(1), uint32(1), int64(1), int64(0), int64(1<<63 - 1)} {
		r, err := parseHeaders(t, with(frame.Field{Key: "rpc-window", Value: ok})...)
		require.NoError(t, err, "%T", ok)
		require.Equal(t, Opening{Stream: StreamBidi, Token: aClient, Window: min(asInt(ok), MaxWindow)}, r.Opening)
	}
	others := []any{nil, true, float32(1), 1.5, []byte(token), frame.Table{}, []any{int32(1)}, frame.Timestamp(1)}
	for name, values := range map[string][]any{
		"rpc-stream": append([]any{"", "Server", "servers", "x", int64(1)}, others...),
		"rpc-token": append([]any{
			"", token[1:], token + "0", token + token, "0123456789abcdeg", "0x23456789abcdef", " 123456789abcdef", strings.Repeat("0", 16), strings.Repeat("\x00", 16), int64(1),
		}, others[:4]...),
		"rpc-window": append([]any{"5", int64(-1), int8(-1), int64(-1 << 63)}, others...),
	} {
		for _, v := range values {
			_, err := parseHeaders(t, with(frame.Field{Key: name, Value: v})...)
			require.Error(t, err, "%s: %T %v", name, v, v)
		}
	}
	for _, missing := range [][]frame.Field{{kind}, {kind, tok}, {kind, window}} {
		_, err := parseHeaders(t, missing...)
		require.Error(t, err)
	}
	r, err := parseHeaders(t, tok, window)
	require.NoError(t, err, "an ordinary request, whatever else it has")
	require.Equal(t, Opening{}, r.Opening)
}

func asInt(v any) int64 {
	var n int64
	fmt.Sscan(fmt.Sprint(v), &n)
	return n
}

func TestTokens(t *testing.T) {
	t.Parallel()
	require.NotEqual(t, NewToken(), NewToken())
	require.Equal(t, "0123456789abcdef", aClient.String())
	require.Equal(t, aServer, ParseToken([]byte("FEDCBA9876543210")))
	require.Equal(t, Token(1), ParseToken([]byte(Token(1).String())))
}

func TestMalformedMessages(t *testing.T) {
	t.Parallel()
	for i := range len(toClient) {
		_, _, _, err := ParseStreamPreface([]byte(toClient[:i]))
		require.Equal(t, errStreamCut, err)
	}
	for _, version := range []string{"\x00", "\x02", "\xff"} {
		_, _, _, err := ParseStreamPreface([]byte(version + goldenBeat[1:]))
		require.Equal(t, errStreamVersion, err)
	}
	nine, ten := strings.Repeat("\xff", 8)+"\x7f", strings.Repeat("\x80", 9)+"\x00"
	for frames, want := range map[string]error{
		"":                                   errStreamCut,
		"\x08":                               errStreamCut,
		"\x08\x00\x00":                       errStreamCut,
		"\x08\x00\x00\x01":                   errStreamCut,
		"\x08\x80":                           errStreamCut,
		"\x08\x00\x00\x00\x02":               errStreamCut,
		"\x08\x00\x00" + nine + "x":          errStreamCut,
		"\x08" + ten + "\x00\x00":            errStreamNumber,
		"\x08\x00\x00" + ten:                 errStreamNumber,
		"\x08" + strings.Repeat("\xff", 100): errStreamNumber,
		"\x08" + nine + nine + "\x00":        nil,
		"\x08\x80\x00\x80\x80\x00\x81\x00x":  nil, // longer than the shortest form
		"\x00\x00\x00\x00\xff\x00\x00\x00":   nil, // unknown types
		"\x04\x00\x00\x00\x05\x00\x00\x00":   nil, // nothing has come yet
		"\x09\x00\x00\x0f" + toClient[:15]:   errStreamTokens,
		"\x09\x00\x00\x00":                   errStreamTokens,
		"\x09\x00\x00\x11" + toClient:        errStreamTokens,
		"\x09\x00\x00\x10" + toClient[:15]:   errStreamCut,
		"\x09\x00\x00\x10" + toClient[1:]:    nil, // no frame follows
	} {
		_, err := CheckStreamFrames([]byte(frames))
		require.Equal(t, want, err, "%q", frames)
	}
	for payload, want := range map[string]uint64{
		"": 0, "\x80": 0, "\x05": 5, "\x05rest": 5, "\x85\x00": 5, nine: 1<<63 - 1, ten: 0, strings.Repeat("\xff", 20): 0,
	} {
		require.Equal(t, want, ParseEcho([]byte(payload)), "%q", payload)
	}
	require.Empty(t, AppendEcho(nil, 0))
}

// FuzzStreamMessage receives anything. What can be read is whole, and can be sent again.
func FuzzStreamMessage(f *testing.F) {
	for _, m := range goldenMessages {
		f.Add([]byte(m.raw))
	}
	f.Add([]byte(goldenTwoStreams))
	f.Add([]byte(toClient + "\x08\x80\x00\x80\x80\x00\x81\x00x\xff\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		to, from, frames, err := ParseStreamPreface(raw)
		if err != nil {
			return
		}
		require.Equal(t, raw[streamPreface:], frames)
		streams, err := CheckStreamFrames(frames)
		if err != nil {
			rest := frames
			for len(rest) > 0 {
				before := len(rest)
				if _, err = NextStreamFrame(&rest); err != nil {
					require.Len(t, rest, before)
					return
				}
				require.Less(t, len(rest), before)
			}
			require.Empty(t, frames)
			return
		}
		all := framesOf(t, frames)
		require.NotEmpty(t, all)
		for _, fr := range all {
			require.True(t, fr.Number < 1<<63 && fr.Argument < 1<<63)
			require.Equal(t, len(fr.Payload), cap(fr.Payload))
			echo := ParseEcho(fr.Payload)
			require.Equal(t, echo, ParseEcho(AppendEcho(nil, echo)))
		}
		again := messageOf(to, from, all)
		require.LessOrEqual(t, len(again), len(raw))
		to2, from2, frames, err := ParseStreamPreface(again)
		require.NoError(t, err)
		require.Equal(t, []Token{to, from}, []Token{to2, from2})
		requireStreams(t, streams, frames)
		require.Equal(t, all, framesOf(t, frames))
		if len(again) == len(raw) {
			require.Equal(t, raw, again)
			joined := cutAndJoined(t, to, from, streams, frames)
			require.LessOrEqual(t, len(joined), len(raw), "number and argument of a stream's frame are 0")
			if len(joined) == len(raw) && streams == 1 {
				require.Equal(t, raw, joined)
			}
		}
	})
}

// FuzzOpening receives the headers of an opening with any value of any type.
func FuzzOpening(f *testing.F) {
	for kind := range uint8(10) {
		f.Add("server", "0123456789abcdef", int64(1<<18), kind, kind, kind)
	}
	f.Add("bidi", "0123456789ABCDEF", int64(1<<62), uint8(0), uint8(0), uint8(1))
	f.Add("", "0000000000000000", int64(-1), uint8(0), uint8(0), uint8(2))
	f.Fuzz(func(t *testing.T, kind, token string, window int64, kindAs, tokenAs, windowAs uint8) {
		as := func(text string, n int64, as uint8) any {
			return []any{text, n, int32(n), uint16(n), int8(n), n%2 == 0, float64(n), []byte(text), nil, frame.Table{{Key: "x", Value: text}}, []any{text}}[as%11]
		}
		sent := []any{as(kind, 1, kindAs), as(token, 2, tokenAs), as("7", window, windowAs+1)}
		var r Request
		p := frame.Properties{Flags: frame.FlagHeaders, ReplyTo: []byte("amqprpc.reply.x"), Headers: frame.AppendFields(nil, frame.Table{
			{Key: headerStream, Value: sent[0]}, {Key: headerToken, Value: sent[1]}, {Key: headerWindow, Value: sent[2]},
		})}
		if err := r.Parse(&p, &Interner{}); err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		o := r.Opening
		require.True(t, o.Stream == StreamServer || o.Stream == StreamClient || o.Stream == StreamBidi)
		require.Equal(t, string(o.Stream), kind)
		require.NotZero(t, o.Token)
		require.Equal(t, strings.ToLower(token), o.Token.String())
		require.True(t, o.Window >= 0 && o.Window <= MaxWindow)
		require.Equal(t, min(asInt(sent[2]), MaxWindow), o.Window)
		var again Request
		require.NoError(t, again.Parse(parsed(t, r.Append(nil, noon)), &Interner{}))
		require.Equal(t, o, again.Opening)
	})
}
