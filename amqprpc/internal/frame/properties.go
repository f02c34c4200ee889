package frame

import (
	"encoding/binary"
	"errors"
)

// Flag is a set of the properties that a message has (specification 4.2.6.1).
type Flag uint16

// One flag for each property of class basic, from the highest bit down.
const (
	FlagContentType Flag = 1 << (15 - iota)
	FlagContentEncoding
	FlagHeaders
	FlagDeliveryMode
	FlagPriority
	FlagCorrelationID
	FlagReplyTo
	FlagExpiration
	FlagMessageID
	FlagTimestamp
	FlagType
	FlagUserID
	FlagAppID
	FlagClusterID

	flagReserved Flag = 3 // RabbitMQ ignores these bits and writes them as zero
)

var errProperties = errors.New("frame: malformed properties")

// Properties are the properties of class basic. Slices alias the parsed bytes. Headers holds
// the fields of the table without its length: [ParseTable] decodes them, and [AppendFields]
// encodes them.
type Properties struct {
	Flags           Flag
	DeliveryMode    uint8
	Priority        uint8
	Timestamp       uint64
	ContentType     []byte
	ContentEncoding []byte
	Headers         []byte
	CorrelationID   []byte
	ReplyTo         []byte
	Expiration      []byte
	MessageID       []byte
	Type            []byte
	UserID          []byte
	AppID           []byte
	ClusterID       []byte
}

// Has reports whether the message has that property.
func (p *Properties) Has(f Flag) bool { return p.Flags&f != 0 }

// Parse decodes a property list: the flags and the flagged properties. Parse does not
// allocate. It checks the headers but does not decode them.
func (p *Properties) Parse(b []byte) error {
	*p = Properties{}
	d := decoder{b: b}
	p.Flags = Flag(d.uint16()) &^ flagReserved
	short := func(f Flag, to *[]byte) {
		if p.Flags&f != 0 {
			*to = d.shortBytes()
		}
	}
	short(FlagContentType, &p.ContentType)
	short(FlagContentEncoding, &p.ContentEncoding)
	if p.Has(FlagHeaders) {
		p.Headers = d.longBytes()
		if err := CheckTable(p.Headers); err != nil {
			return err
		}
	}
	if p.Has(FlagDeliveryMode) {
		p.DeliveryMode = d.uint8()
	}
	if p.Has(FlagPriority) {
		p.Priority = d.uint8()
	}
	short(FlagCorrelationID, &p.CorrelationID)
	short(FlagReplyTo, &p.ReplyTo)
	short(FlagExpiration, &p.Expiration)
	short(FlagMessageID, &p.MessageID)
	if p.Has(FlagTimestamp) {
		p.Timestamp = d.uint64()
	}
	short(FlagType, &p.Type)
	short(FlagUserID, &p.UserID)
	short(FlagAppID, &p.AppID)
	short(FlagClusterID, &p.ClusterID)
	if !d.done() {
		return errProperties
	}
	return nil
}

// Append adds the property list: the flags and the flagged properties.
func (p *Properties) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(p.Flags&^flagReserved))
	if p.Has(FlagContentType) {
		dst = AppendShortString(dst, p.ContentType)
	}
	if p.Has(FlagContentEncoding) {
		dst = AppendShortString(dst, p.ContentEncoding)
	}
	if p.Has(FlagHeaders) {
		dst = AppendLongString(dst, p.Headers)
	}
	if p.Has(FlagDeliveryMode) {
		dst = append(dst, p.DeliveryMode)
	}
	if p.Has(FlagPriority) {
		dst = append(dst, p.Priority)
	}
	if p.Has(FlagCorrelationID) {
		dst = AppendShortString(dst, p.CorrelationID)
	}
	if p.Has(FlagReplyTo) {
		dst = AppendShortString(dst, p.ReplyTo)
	}
	if p.Has(FlagExpiration) {
		dst = AppendShortString(dst, p.Expiration)
	}
	if p.Has(FlagMessageID) {
		dst = AppendShortString(dst, p.MessageID)
	}
	if p.Has(FlagTimestamp) {
		dst = binary.BigEndian.AppendUint64(dst, p.Timestamp)
	}
	if p.Has(FlagType) {
		dst = AppendShortString(dst, p.Type)
	}
	if p.Has(FlagUserID) {
		dst = AppendShortString(dst, p.UserID)
	}
	if p.Has(FlagAppID) {
		dst = AppendShortString(dst, p.AppID)
	}
	if p.Has(FlagClusterID) {
		dst = AppendShortString(dst, p.ClusterID)
	}
	return dst
}

// Header is the payload of a content header frame. Properties aliases it.
type Header struct {
	Class      uint16
	Weight     uint16
	BodySize   uint64
	Properties []byte // input of Properties.Parse
}

// ParseHeader splits a content header. It returns false if the payload is shorter than the
// fixed part.
func ParseHeader(payload []byte) (Header, bool) {
	d := decoder{b: payload}
	h := Header{Class: d.uint16(), Weight: d.uint16(), BodySize: d.uint64(), Properties: d.b}
	return h, !d.failed
}

// AppendHeader adds a content header frame of class basic. properties is a property list from
// [Properties.Append].
func AppendHeader(dst []byte, channel uint16, bodySize uint64, properties []byte) []byte {
	dst, start := appendStart(dst, TypeHeader, channel)
	dst = append(dst, 0, classBasic, 0, 0)
	dst = binary.BigEndian.AppendUint64(dst, bodySize)
	dst = append(dst, properties...)
	return appendEnd(dst, start)
}
