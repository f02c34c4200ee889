package contender

import (
	"encoding/binary"
	"fmt"
)

// The frames and methods that Least uses (AMQP 0-9-1, 2.3.5 and 1.2 to 1.8).
const (
	frameHeader = 2
	frameBody   = 3
	frameEnd    = 0xCE

	connectionStart   = 10<<16 | 10
	connectionStartOk = 10<<16 | 11
	connectionTune    = 10<<16 | 30
	connectionTuneOk  = 10<<16 | 31
	connectionOpen    = 10<<16 | 40
	connectionOpenOk  = 10<<16 | 41
	connectionClose   = 10<<16 | 50
	connectionCloseOk = 10<<16 | 51
	channelOpen       = 20<<16 | 10
	channelOpenOk     = 20<<16 | 11
	channelClose      = 20<<16 | 40
	queueDeclare      = 50<<16 | 10
	queueDeclareOk    = 50<<16 | 11
	queueDelete       = 50<<16 | 40
	basicQos          = 60<<16 | 10
	basicQosOk        = 60<<16 | 11
	basicConsume      = 60<<16 | 20
	basicConsumeOk    = 60<<16 | 21
	basicCancel       = 60<<16 | 30
	basicReturn       = 60<<16 | 50
	basicDeliver      = 60<<16 | 60
	basicAck          = 60<<16 | 80
	basicNack         = 60<<16 | 120
	confirmSelect     = 85<<16 | 10
	confirmSelectOk   = 85<<16 | 11
)

// The flags of the properties that Least uses (AMQP 0-9-1, 4.2.6).
const (
	flagContentType   = 1 << 15
	flagEncoding      = 1 << 14
	flagHeaders       = 1 << 13
	flagDeliveryMode  = 1 << 12
	flagPriority      = 1 << 11
	flagCorrelationID = 1 << 10
	flagReplyTo       = 1 << 9
	flagExpiration    = 1 << 8
	flagMessageID     = 1 << 7
)

// leastChannel is the only channel of a connection of Least.
const leastChannel = 1

// beginFrame appends the head of a frame on leastChannel, and returns where its payload starts.
func beginFrame(dst []byte, kind byte) ([]byte, int) {
	dst = append(dst, kind, 0, leastChannel, 0, 0, 0, 0)
	return dst, len(dst)
}

func finishFrame(dst []byte, start int) []byte {
	binary.BigEndian.PutUint32(dst[start-4:], uint32(len(dst)-start))
	return append(dst, frameEnd)
}

func appendShort[S ~string | ~[]byte](dst []byte, s S) []byte {
	return append(append(dst, byte(len(s))), s...)
}

func appendLong[S ~string | ~[]byte](dst []byte, s S) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(s))), s...)
}

// appendMethod appends a method. A string becomes a short string, and bytes become a long
// string or a table.
func appendMethod(dst []byte, id uint32, args ...any) []byte {
	dst, start := beginFrame(dst, frameMethod)
	if id>>16 == connectionStart>>16 {
		dst[start-5] = 0 // the methods of a connection go on channel 0
	}
	dst = binary.BigEndian.AppendUint32(dst, id)
	for _, arg := range args {
		switch v := arg.(type) {
		case byte:
			dst = append(dst, v)
		case uint16:
			dst = binary.BigEndian.AppendUint16(dst, v)
		case uint32:
			dst = binary.BigEndian.AppendUint32(dst, v)
		case string:
			dst = appendShort(dst, v)
		case []byte:
			dst = appendLong(dst, v)
		}
	}
	return finishFrame(dst, start)
}

// leastTable encodes names and values in turn.
func leastTable(fields ...any) []byte {
	var dst []byte
	for _, field := range fields {
		switch v := field.(type) {
		case fieldName:
			dst = appendShort(dst, v)
		case string:
			dst = appendLong(append(dst, 'S'), v)
		case int64:
			dst = binary.BigEndian.AppendUint64(append(dst, 'l'), uint64(v))
		case bool:
			dst = append(dst, 't', 0)
			if v {
				dst[len(dst)-1] = 1
			}
		case []byte:
			dst = appendLong(append(dst, 'F'), v)
		}
	}
	return dst
}

// fieldName is a name in a table.
type fieldName string

// appendMessage appends a mandatory message to a queue.
func appendMessage[K ~string | ~[]byte](dst []byte, queue K, properties, body []byte) []byte {
	dst, start := beginFrame(dst, frameMethod)
	dst = binary.BigEndian.AppendUint32(dst, basicPublish)
	dst = append(dst, 0, 0, 0) // a reserved number, and the default exchange
	dst = append(appendShort(dst, queue), 1)
	dst = finishFrame(dst, start)
	dst, start = beginFrame(dst, frameHeader)
	dst = append(dst, 0, basicPublish>>16, 0, 0)
	dst = binary.BigEndian.AppendUint64(dst, uint64(len(body)))
	dst = finishFrame(append(dst, properties...), start)
	for len(body) > 0 {
		n := min(len(body), leastFrameMax-frameHead-1)
		dst, start = beginFrame(dst, frameBody)
		dst = finishFrame(append(dst, body[:n]...), start)
		body = body[n:]
	}
	return dst
}

// appendAck acknowledges every delivery up to this tag.
func appendAck(dst []byte, tag uint64) []byte {
	dst, start := beginFrame(dst, frameMethod)
	dst = binary.BigEndian.AppendUint32(dst, basicAck)
	dst = binary.BigEndian.AppendUint64(dst, tag)
	return finishFrame(append(dst, 1), start)
}

// leastFields reads arguments and properties from the front. What is missing reads as zero.
type leastFields []byte

func (f *leastFields) octets(n int) []byte {
	n = min(n, len(*f))
	octets := (*f)[:n]
	*f = (*f)[n:]
	return octets
}

func (f *leastFields) number(octets int) (n uint64) {
	for _, b := range f.octets(octets) {
		n = n<<8 | uint64(b)
	}
	return n
}

func (f *leastFields) short() []byte { return f.octets(int(f.number(1))) }

func (f *leastFields) long() []byte { return f.octets(int(f.number(4))) }

// leastProperties are the properties that Least reads.
type leastProperties struct{ contentType, correlationID, replyTo []byte }

func (f leastFields) properties() (p leastProperties) {
	flags := f.number(2)
	if flags&flagContentType != 0 {
		p.contentType = f.short()
	}
	if flags&flagEncoding != 0 {
		f.short()
	}
	if flags&flagHeaders != 0 {
		f.long()
	}
	if flags&flagDeliveryMode != 0 {
		f.octets(1)
	}
	if flags&flagPriority != 0 {
		f.octets(1)
	}
	if flags&flagCorrelationID != 0 {
		p.correlationID = f.short()
	}
	if flags&flagReplyTo != 0 {
		p.replyTo = f.short()
	}
	return p
}

// leastMethod is a method that has come. A message comes with its method. The next read
// overwrites all of it.
type leastMethod struct {
	id               uint32 // 0 if something else came than a method
	args, properties leastFields
	body             []byte
}

// surprise says what came instead of what should have come.
func (m *leastMethod) surprise() error {
	args := m.args
	switch m.id {
	case connectionClose, channelClose:
		what := "connection"
		if m.id == channelClose {
			what = "channel"
		}
		code := args.number(2)
		return fmt.Errorf("the broker closed the %s: %d %s", what, code, args.short())
	case basicReturn:
		code, text := args.number(2), args.short()
		args.short() // the exchange
		return fmt.Errorf("%w: %d %s %s", errReturned, code, text, args.short())
	case basicNack:
		return errNacked
	case basicCancel:
		return fmt.Errorf("the broker cancelled the consumer %s, because its queue is gone", args.short())
	default:
		return fmt.Errorf("the broker sent the method %d.%d where none of that kind is due", m.id>>16, m.id&0xFFFF)
	}
}
