package frame

import "encoding/binary"

// Frame types: the first octet on the wire (specification 4.2.3).
const (
	TypeMethod    uint8 = 1
	TypeHeader    uint8 = 2
	TypeBody      uint8 = 3
	TypeHeartbeat uint8 = 8
)

const (
	// End is the last octet of every frame.
	End = 0xCE
	// Overhead is the size of a frame without its payload: seven octets of header and the end
	// octet.
	Overhead = headerSize + 1
	// MinSize is the smallest frame_max that peers may negotiate.
	MinSize = 4096

	headerSize = 7
)

// ProtocolHeader precedes a client's first frame.
const ProtocolHeader = "AMQP\x00\x00\x09\x01"

// Frame is one frame of any type. The Payload of a frame from a [Reader] is valid until the
// next call to [Reader.Next].
type Frame struct {
	Type    uint8
	Channel uint16
	Payload []byte
}

// appendStart adds a frame header with an empty length and returns the offset of the payload.
// appendEnd fills in the length.
func appendStart(dst []byte, typ uint8, channel uint16) ([]byte, int) {
	dst = append(dst, typ, byte(channel>>8), byte(channel), 0, 0, 0, 0)
	return dst, len(dst)
}

// appendEnd fills in the length of the frame whose payload starts at start.
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

// AppendBodyStart adds the header of a body frame of size octets. The caller then adds the
// octets and [End]. A writer uses it to send large bodies without a copy.
func AppendBodyStart(dst []byte, channel uint16, size int) []byte {
	return append(dst, TypeBody, byte(channel>>8), byte(channel),
		byte(size>>24), byte(size>>16), byte(size>>8), byte(size))
}

// AppendBody adds body as body frames of at most frameMax octets each, overhead included. A
// frameMax of zero means no limit. An empty body has no frame.
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
