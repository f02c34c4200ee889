package frame

import "encoding/binary"

// ConnectionStart (connection.start) starts the handshake. It has the server's properties and
// login mechanisms.
type ConnectionStart struct {
	VersionMajor     uint8
	VersionMinor     uint8
	ServerProperties Table
	Mechanisms       string
	Locales          string
}

// ID returns [IDConnectionStart].
func (*ConnectionStart) ID() ID { return IDConnectionStart }

func (m *ConnectionStart) parse(d *decoder) {
	m.VersionMajor = d.uint8()
	m.VersionMinor = d.uint8()
	m.ServerProperties = d.table()
	m.Mechanisms = d.longString()
	m.Locales = d.longString()
}

func (m *ConnectionStart) append(dst []byte) []byte {
	dst = append(dst, m.VersionMajor)
	dst = append(dst, m.VersionMinor)
	dst = AppendTable(dst, m.ServerProperties)
	dst = AppendLongString(dst, m.Mechanisms)
	return AppendLongString(dst, m.Locales)
}

// ConnectionStartOk (connection.start-ok) selects a mechanism and logs in.
type ConnectionStartOk struct {
	ClientProperties Table
	Mechanism        string
	Response         []byte
	Locale           string
}

// ID returns [IDConnectionStartOk].
func (*ConnectionStartOk) ID() ID { return IDConnectionStartOk }

func (m *ConnectionStartOk) parse(d *decoder) {
	m.ClientProperties = d.table()
	m.Mechanism = d.shortString()
	m.Response = d.longBytes()
	m.Locale = d.shortString()
}

func (m *ConnectionStartOk) append(dst []byte) []byte {
	dst = AppendTable(dst, m.ClientProperties)
	dst = AppendShortString(dst, m.Mechanism)
	dst = AppendLongString(dst, m.Response)
	return AppendShortString(dst, m.Locale)
}

// ConnectionSecure (connection.secure) is a further challenge of the login mechanism.
type ConnectionSecure struct {
	Challenge []byte
}

// ID returns [IDConnectionSecure].
func (*ConnectionSecure) ID() ID { return IDConnectionSecure }

func (m *ConnectionSecure) parse(d *decoder) {
	m.Challenge = d.longBytes()
}

func (m *ConnectionSecure) append(dst []byte) []byte {
	return AppendLongString(dst, m.Challenge)
}

// ConnectionSecureOk (connection.secure-ok) answers Secure.
type ConnectionSecureOk struct {
	Response []byte
}

// ID returns [IDConnectionSecureOk].
func (*ConnectionSecureOk) ID() ID { return IDConnectionSecureOk }

func (m *ConnectionSecureOk) parse(d *decoder) {
	m.Response = d.longBytes()
}

func (m *ConnectionSecureOk) append(dst []byte) []byte {
	return AppendLongString(dst, m.Response)
}

// ConnectionTune (connection.tune) proposes limits. Zero means no limit. Heartbeat is in
// seconds, and zero means no heartbeats.
type ConnectionTune struct {
	ChannelMax uint16
	FrameMax   uint32
	Heartbeat  uint16
}

// ID returns [IDConnectionTune].
func (*ConnectionTune) ID() ID { return IDConnectionTune }

func (m *ConnectionTune) parse(d *decoder) {
	m.ChannelMax = d.uint16()
	m.FrameMax = d.uint32()
	m.Heartbeat = d.uint16()
}

func (m *ConnectionTune) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, m.ChannelMax)
	dst = binary.BigEndian.AppendUint32(dst, m.FrameMax)
	return binary.BigEndian.AppendUint16(dst, m.Heartbeat)
}

// ConnectionTuneOk (connection.tune-ok) fixes the limits.
type ConnectionTuneOk struct {
	ChannelMax uint16
	FrameMax   uint32
	Heartbeat  uint16
}

// ID returns [IDConnectionTuneOk].
func (*ConnectionTuneOk) ID() ID { return IDConnectionTuneOk }

func (m *ConnectionTuneOk) parse(d *decoder) {
	m.ChannelMax = d.uint16()
	m.FrameMax = d.uint32()
	m.Heartbeat = d.uint16()
}

func (m *ConnectionTuneOk) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, m.ChannelMax)
	dst = binary.BigEndian.AppendUint32(dst, m.FrameMax)
	return binary.BigEndian.AppendUint16(dst, m.Heartbeat)
}

// ConnectionOpen (connection.open) selects a virtual host.
type ConnectionOpen struct {
	VirtualHost  string
	Capabilities string
	Insist       bool
}

// ID returns [IDConnectionOpen].
func (*ConnectionOpen) ID() ID { return IDConnectionOpen }

func (m *ConnectionOpen) parse(d *decoder) {
	m.VirtualHost = d.shortString()
	m.Capabilities = d.shortString()
	m.Insist = bit(d.uint8(), 0)
}

func (m *ConnectionOpen) append(dst []byte) []byte {
	dst = AppendShortString(dst, m.VirtualHost)
	dst = AppendShortString(dst, m.Capabilities)
	return append(dst, bits(m.Insist))
}

// ConnectionOpenOk (connection.open-ok) ends the handshake.
type ConnectionOpenOk struct {
	KnownHosts string
}

// ID returns [IDConnectionOpenOk].
func (*ConnectionOpenOk) ID() ID { return IDConnectionOpenOk }

func (m *ConnectionOpenOk) parse(d *decoder) {
	m.KnownHosts = d.shortString()
}

func (m *ConnectionOpenOk) append(dst []byte) []byte {
	return AppendShortString(dst, m.KnownHosts)
}

// ConnectionClose (connection.close) ends the connection. It names the method that caused the
// close, if any.
type ConnectionClose struct {
	ReplyCode uint16
	ReplyText string
	ClassID   uint16
	MethodID  uint16
}

// ID returns [IDConnectionClose].
func (*ConnectionClose) ID() ID { return IDConnectionClose }

func (m *ConnectionClose) parse(d *decoder) {
	m.ReplyCode = d.uint16()
	m.ReplyText = d.shortString()
	m.ClassID = d.uint16()
	m.MethodID = d.uint16()
}

func (m *ConnectionClose) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, m.ReplyCode)
	dst = AppendShortString(dst, m.ReplyText)
	dst = binary.BigEndian.AppendUint16(dst, m.ClassID)
	return binary.BigEndian.AppendUint16(dst, m.MethodID)
}

// ConnectionCloseOk (connection.close-ok) is the last frame of a connection.
type ConnectionCloseOk struct{}

// ID returns [IDConnectionCloseOk].
func (*ConnectionCloseOk) ID() ID { return IDConnectionCloseOk }

func (*ConnectionCloseOk) parse(*decoder) {}

func (*ConnectionCloseOk) append(dst []byte) []byte { return dst }

// ConnectionBlocked (connection.blocked) reports that the broker stops reading publishes.
type ConnectionBlocked struct {
	Reason string
}

// ID returns [IDConnectionBlocked].
func (*ConnectionBlocked) ID() ID { return IDConnectionBlocked }

func (m *ConnectionBlocked) parse(d *decoder) {
	m.Reason = d.shortString()
}

func (m *ConnectionBlocked) append(dst []byte) []byte {
	return AppendShortString(dst, m.Reason)
}

// ConnectionUnblocked (connection.unblocked) reports that the broker reads publishes again.
type ConnectionUnblocked struct{}

// ID returns [IDConnectionUnblocked].
func (*ConnectionUnblocked) ID() ID { return IDConnectionUnblocked }

func (*ConnectionUnblocked) parse(*decoder) {}

func (*ConnectionUnblocked) append(dst []byte) []byte { return dst }

// ConnectionUpdateSecret (connection.update-secret) replaces a credential that is about to expire.
type ConnectionUpdateSecret struct {
	NewSecret []byte
	Reason    string
}

// ID returns [IDConnectionUpdateSecret].
func (*ConnectionUpdateSecret) ID() ID { return IDConnectionUpdateSecret }

func (m *ConnectionUpdateSecret) parse(d *decoder) {
	m.NewSecret = d.longBytes()
	m.Reason = d.shortString()
}

func (m *ConnectionUpdateSecret) append(dst []byte) []byte {
	dst = AppendLongString(dst, m.NewSecret)
	return AppendShortString(dst, m.Reason)
}

// ConnectionUpdateSecretOk (connection.update-secret-ok) answers UpdateSecret.
type ConnectionUpdateSecretOk struct{}

// ID returns [IDConnectionUpdateSecretOk].
func (*ConnectionUpdateSecretOk) ID() ID { return IDConnectionUpdateSecretOk }

func (*ConnectionUpdateSecretOk) parse(*decoder) {}

func (*ConnectionUpdateSecretOk) append(dst []byte) []byte { return dst }
