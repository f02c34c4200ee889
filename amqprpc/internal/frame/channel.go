package frame

import "encoding/binary"

// ChannelOpen (channel.open) opens a channel.
type ChannelOpen struct {
	OutOfBand string
}

// ID returns [IDChannelOpen].
func (*ChannelOpen) ID() ID { return IDChannelOpen }

func (m *ChannelOpen) parse(d *decoder) {
	m.OutOfBand = d.shortString()
}

func (m *ChannelOpen) append(dst []byte) []byte {
	return AppendShortString(dst, m.OutOfBand)
}

// ChannelOpenOk (channel.open-ok) answers Open.
type ChannelOpenOk struct {
	ChannelID string
}

// ID returns [IDChannelOpenOk].
func (*ChannelOpenOk) ID() ID { return IDChannelOpenOk }

func (m *ChannelOpenOk) parse(d *decoder) {
	m.ChannelID = d.longString()
}

func (m *ChannelOpenOk) append(dst []byte) []byte {
	return AppendLongString(dst, m.ChannelID)
}

// ChannelFlow (channel.flow) asks the peer to stop or continue sending content.
type ChannelFlow struct {
	Active bool
}

// ID returns [IDChannelFlow].
func (*ChannelFlow) ID() ID { return IDChannelFlow }

func (m *ChannelFlow) parse(d *decoder) {
	m.Active = bit(d.uint8(), 0)
}

func (m *ChannelFlow) append(dst []byte) []byte {
	return append(dst, bits(m.Active))
}

// ChannelFlowOk (channel.flow-ok) answers Flow.
type ChannelFlowOk struct {
	Active bool
}

// ID returns [IDChannelFlowOk].
func (*ChannelFlowOk) ID() ID { return IDChannelFlowOk }

func (m *ChannelFlowOk) parse(d *decoder) {
	m.Active = bit(d.uint8(), 0)
}

func (m *ChannelFlowOk) append(dst []byte) []byte {
	return append(dst, bits(m.Active))
}

// ChannelClose (channel.close) ends a channel. It names the method that caused the close, if
// any.
type ChannelClose struct {
	ReplyCode uint16
	ReplyText string
	ClassID   uint16
	MethodID  uint16
}

// ID returns [IDChannelClose].
func (*ChannelClose) ID() ID { return IDChannelClose }

func (m *ChannelClose) parse(d *decoder) {
	m.ReplyCode = d.uint16()
	m.ReplyText = d.shortString()
	m.ClassID = d.uint16()
	m.MethodID = d.uint16()
}

func (m *ChannelClose) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, m.ReplyCode)
	dst = AppendShortString(dst, m.ReplyText)
	dst = binary.BigEndian.AppendUint16(dst, m.ClassID)
	return binary.BigEndian.AppendUint16(dst, m.MethodID)
}

// ChannelCloseOk (channel.close-ok) is the last frame of a channel.
type ChannelCloseOk struct{}

// ID returns [IDChannelCloseOk].
func (*ChannelCloseOk) ID() ID { return IDChannelCloseOk }

func (*ChannelCloseOk) parse(*decoder) {}

func (*ChannelCloseOk) append(dst []byte) []byte { return dst }
