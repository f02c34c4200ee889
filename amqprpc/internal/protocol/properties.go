package protocol

import (
	"encoding/binary"
	"strconv"

	"github.com/bbebcec1/amqprpc-go/amqprpc/internal/frame"
)

// properties builds a property list at the end of dst: the flags, and the
// properties in the order that AMQP has for them. What is empty it leaves out.
// All short strings have been checked to fit.
type properties struct {
	dst    []byte
	at     int // of the flags
	flags  frame.Flag
	fields int // where the headers begin
}

func beginProperties(dst []byte) properties {
	return properties{dst: append(dst, 0, 0), at: len(dst)}
}

func (p *properties) short(f frame.Flag, s string) {
	if s != "" {
		p.flags |= f
		p.dst = frame.AppendShortString(p.dst, s)
	}
}

func (p *properties) octet(f frame.Flag, v uint8) {
	if v > 0 {
		p.flags |= f
		p.dst = append(p.dst, v)
	}
}

func (p *properties) beginHeaders() {
	p.dst = append(p.dst, 0, 0, 0, 0)
	p.fields = len(p.dst)
}

func (p *properties) metadata(h map[string]string) {
	for name, value := range h {
		p.dst = frame.AppendStringField(p.dst, name, value)
	}
}

func (p *properties) endHeaders() {
	size := len(p.dst) - p.fields
	if size == 0 {
		p.dst = p.dst[:p.fields-4]
		return
	}
	p.flags |= frame.FlagHeaders
	binary.BigEndian.PutUint32(p.dst[p.fields-4:], uint32(size))
}

// expiration adds an expiration in milliseconds.
func (p *properties) expiration(millis int64) {
	p.flags |= frame.FlagExpiration
	at := len(p.dst)
	p.dst = strconv.AppendInt(append(p.dst, 0), millis, 10)
	p.dst[at] = byte(len(p.dst) - at - 1)
}

// end fills in the flags and returns dst with the property list.
func (p *properties) end() []byte {
	binary.BigEndian.PutUint16(p.dst[p.at:], uint16(p.flags))
	return p.dst
}
