package frame

import "encoding/binary"

// Types of a frame: the first octet on the wire (specification 4.2.3).
const (
	TypeMethod    uint8 = 1
	TypeHeader    uint8 = 2
	TypeBody      uint8 = 3
	TypeHeartbeat uint8 = 8
)

const (
	// End is the octet that closes every frame.
	End = 0xCE
	// Overhead is what a frame adds to its payload: seven octets of header and
	// the end octet.
	Overhead = headerSize + 1
	// MinSize is the least frame_max that may be negotiated.
	MinSize = 4096

	headerSize = 7
)

// ProtocolHeader is what a client sends before its first frame.
const ProtocolHeader = "AMQP\x00\x00\x09\x01"

// Frame is one frame of any type. Payload, as given out by a [Reader], is valid
// until the next call to [Reader.Next].
type Frame struct {
	Type    uint8
	Channel uint16
	Payload []byte
}

// appendStart adds a frame header with an empty length, to be filled in by
// appendEnd, and returns the offset at which the payload begins.
func appendStart(dst []byte, typ uint8, channel uint16) ([]byte, int) {
	dst = append(dst, typ, byte(channel>>8), byte(channel), 0, 0, 0, 0)
	return dst, len(dst)
}

// appendEnd fills in the length of the frame whose payload begins at start.
func appendEnd(dst []byte, start int) []byte {
	binary.BigEndian.PutUint32(dst[start-4:start], uint32(len(dst)-start))
	return append(dst, End)
}

// AppendFrame adds a whole frame with the given payload.
func AppendFrame(dst []byte, typ uint8, channel uint16, payload []byte) []byte {
	dst, start := appendStart(dst, typ, channel)
	dst = append(dst, payload...)
	return appendEnd(dst, start)
}

// AppendHeartbeat adds a heartbeat frame.
func AppendHeartbeat(dst []byte) []byte {
	return append(dst, TypeHeartbeat, 0, 0, 0, 0, 0, 0, End)
}

// AppendBodyStart adds the header of a body frame of size octets. The caller
// then adds the octets themselves and [End]; a writer that sends large bodies
// without copying them needs the three apart.
func AppendBodyStart(dst []byte, channel uint16, size int) []byte {
	return append(dst, TypeBody, byte(channel>>8), byte(channel),
		byte(size>>24), byte(size>>16), byte(size>>8), byte(size))
}

// AppendBody adds body as body frames of at most frameMax octets each, overhead
// included; a frameMax of zero means no limit. An empty body is no frame at all.
func AppendBody(dst []byte, channel uint16, frameMax uint32, body []byte) []byte {
	most := len(body)
	if frameMax != 0 && most > int(frameMax)-Overhead {
		most = int(frameMax) - Overhead
	}
	for len(body) > 0 {
		n := min(most, len(body))
		dst = AppendBodyStart(dst, channel, n)
		dst = append(dst, body[:n]...)
		dst = append(dst, End)
		body = body[n:]
	}
	return dst
}
