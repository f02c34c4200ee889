package protocol

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// StreamContentType is that of the messages of a stream that is open.
const StreamContentType = "application/vnd.amqprpc.stream"

const (
	streamVersion = 1
	streamTokens  = 8 + 8
	streamPreface = 1 + streamTokens // behind the version
	numberLong    = 9                // octets at most: 63 bits
)

// Token names one side's part in a stream. It is hard to guess; 0 is none.
type Token uint64

// NewToken makes a token.
func NewToken() Token {
	var b [8]byte
	rand.Read(b[:]) // it does not fail
	return max(Token(binary.BigEndian.Uint64(b[:])), 1)
}

// String is the token as the header rpc-token has it.
func (t Token) String() string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(t))
	return hex.EncodeToString(b[:])
}

// ParseToken reads what String made; 0 if it is none.
func ParseToken(s []byte) Token {
	var b [8]byte
	if len(s) != hex.EncodedLen(len(b)) {
		return 0
	}
	if _, err := hex.Decode(b[:], s); err != nil {
		return 0
	}
	return Token(binary.BigEndian.Uint64(b[:]))
}

// StreamKind is the kind of a stream, as the header rpc-stream has it; "" is none.
type StreamKind string

// The kinds of streams: which side sends more than one message.
const (
	StreamServer StreamKind = "server"
	StreamClient StreamKind = "client"
	StreamBidi   StreamKind = "bidi"
)

// Opening is what a request that opens a stream says beside other requests.
type Opening struct {
	Stream StreamKind
	Token  Token // the client's
	Window int64 // how much the server may send at first
	// Deadline is the whole stream's, for Append only. The zero time is none.
	Deadline time.Time
}

// MaxWindow is the most that a side may be granted at first.
const MaxWindow = 1 << 40

func (o *Opening) append(p *properties) {
	if o.Stream == "" {
		return
	}
	p.dst = frame.AppendStringField(p.dst, headerStream, string(o.Stream))
	p.dst = frame.AppendStringField(p.dst, headerToken, o.Token.String())
	p.dst = frame.AppendInt64Field(p.dst, headerWindow, o.Window)
}

// parse reads the headers of a request that opens a stream.
func (o *Opening) parse(c *control) error {
	kind, _ := c.stream.Text()
	switch o.Stream = StreamKind(kind); o.Stream {
	case StreamServer, StreamClient, StreamBidi:
	default:
		return ErrStream
	}
	token, _ := c.token.Text()
	if o.Token = ParseToken(token); o.Token == 0 {
		return &FieldError{headerToken, valueOf(c.token), "16 hexadecimal digits that are not all zero"}
	}
	n, ok := c.window.Int()
	if !ok || n < 0 {
		return &FieldError{headerWindow, valueOf(c.window), "an integer of at least 0"}
	}
	o.Window = min(n, MaxWindow)
	return nil
}

// StreamFrameType is the type of a frame of a stream.
type StreamFrameType uint8

// The types of frames.
const (
	FrameAccept  StreamFrameType = iota + 1 // Number 0, Argument: the limit
	FrameItem                               // Payload: the message
	FrameEnd                                // Payload: an error or metadata, as JSON; empty for neither
	FrameState                              // Number: the next one expected, Argument: the limit, Payload: the echo
	FrameMissing                            // a state, of a receiver that has seen a later frame than the one expected
	FrameProbe                              // Number: the probe's, Argument: the next number not sent yet
	FrameReset                              // Payload: an error, as JSON, or empty
	FrameBeat
	FrameStream // Payload: the tokens of another stream, whose frames follow
)

// StreamFrame is a frame of a stream. A message has one or more.
type StreamFrame struct {
	Type     StreamFrameType
	Number   uint64
	Argument uint64
	Payload  []byte
}

// AppendStream says of which stream the frames are that follow, from one side to the other.
// With that a body begins, or goes on behind the frames of another stream.
func AppendStream(dst []byte, to, from Token) []byte {
	if len(dst) == 0 {
		dst = append(dst, streamVersion)
	} else {
		dst = append(dst, byte(FrameStream), 0, 0, streamTokens)
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(to))
	return binary.BigEndian.AppendUint64(dst, uint64(from))
}

// AppendStreamFrame adds a frame to the body of a message.
func AppendStreamFrame(dst []byte, f StreamFrame) []byte {
	dst = append(dst, byte(f.Type))
	dst = binary.AppendUvarint(dst, f.Number)
	dst = binary.AppendUvarint(dst, f.Argument)
	dst = binary.AppendUvarint(dst, uint64(len(f.Payload)))
	return append(dst, f.Payload...)
}

// AppendEcho is the payload of a state.
func AppendEcho(dst []byte, echo uint64) []byte {
	if echo == 0 {
		return dst
	}
	return binary.AppendUvarint(dst, echo)
}

// ParseEcho reads the payload of a state. What cannot be read is no echo.
func ParseEcho(payload []byte) uint64 {
	echo, _, _ := parseNumber(payload)
	return echo
}

var (
	errStreamVersion = errors.New("the message of a stream is of another version")
	errStreamCut     = errors.New("the message of a stream is cut short")
	errStreamTokens  = errors.New("a message of streams has tokens of another length")
	errStreamNumber  = errors.New("a number in the message of a stream is beyond 63 bits")
)

// IsStream reports whether a message is one of a stream that is open.
func IsStream(p *frame.Properties) bool { return string(p.ContentType) == StreamContentType }

// ParseStreamPreface reads the tokens of a message, and returns the frames.
func ParseStreamPreface(body []byte) (to, from Token, frames []byte, err error) {
	switch {
	case len(body) < streamPreface:
		return 0, 0, nil, errStreamCut
	case body[0] != streamVersion:
		return 0, 0, nil, errStreamVersion
	}
	to, from = parseTokens(body[1:])
	return to, from, body[streamPreface:], nil
}

func parseTokens(b []byte) (to, from Token) {
	return Token(binary.BigEndian.Uint64(b)), Token(binary.BigEndian.Uint64(b[8:]))
}

// CheckStreamFrames reports whether all frames can be read, so that a message counts whole
// or not at all, and of how many streams they are. A message without frames is cut short.
func CheckStreamFrames(frames []byte) (streams int, err error) {
	if len(frames) == 0 {
		return 0, errStreamCut
	}
	streams = 1
	for len(frames) > 0 {
		f, err := NextStreamFrame(&frames)
		if err != nil {
			return 0, err
		}
		if f.Type == FrameStream {
			streams++
		}
	}
	return streams, nil
}

// CutStream cuts off the frames of the first stream, and returns the tokens of the next one. The
// frames were checked. If there is no next stream, nothing is left of them.
func CutStream(frames *[]byte) (first []byte, to, from Token) {
	all, rest := *frames, *frames
	for len(rest) > 0 {
		before := len(rest)
		f, _ := NextStreamFrame(&rest) // it can be read
		if f.Type == FrameStream {
			*frames = rest
			to, from = parseTokens(f.Payload)
			return all[:len(all)-before], to, from
		}
	}
	*frames = nil
	return all, 0, 0
}

// NextStreamFrame reads the first frame, and leaves the rest. The payload is not a copy.
func NextStreamFrame(frames *[]byte) (f StreamFrame, err error) {
	if len(*frames) == 0 {
		return f, errStreamCut
	}
	var length uint64
	b := (*frames)[1:]
	f.Type = StreamFrameType((*frames)[0])
	for _, v := range []*uint64{&f.Number, &f.Argument, &length} {
		if *v, b, err = parseNumber(b); err != nil {
			return f, err
		}
	}
	if length > uint64(len(b)) {
		return f, errStreamCut
	}
	if f.Type == FrameStream && length != streamTokens {
		return f, errStreamTokens
	}
	f.Payload, *frames = b[:length:length], b[length:]
	return f, nil
}

// parseNumber reads a number, and returns what follows. It takes longer forms than the
// shortest one, as readers of other languages do, up to 9 octets.
func parseNumber(b []byte) (v uint64, rest []byte, err error) {
	v, n := binary.Uvarint(b[:min(len(b), numberLong)])
	switch {
	case n > 0:
		return v, b[n:], nil
	case len(b) >= numberLong:
		return 0, nil, errStreamNumber
	default:
		return 0, nil, errStreamCut
	}
}

// AppendStreamProperties adds the property list of a stream's messages. The sender receives
// at replyTo.
func AppendStreamProperties(dst []byte, replyTo string) []byte {
	p := beginProperties(dst)
	p.short(frame.FlagContentType, StreamContentType)
	p.short(frame.FlagReplyTo, replyTo)
	return p.end()
}
