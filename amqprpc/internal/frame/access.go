package frame

import "encoding/binary"

// AccessRequest (access.request) asks for an access ticket. AMQP 0-9-1 keeps it from AMQP
// 0-8.
type AccessRequest struct {
	Realm     string
	Exclusive bool
	Passive   bool
	Active    bool
	Write     bool
	Read      bool
}

// ID returns [IDAccessRequest].
func (*AccessRequest) ID() ID { return IDAccessRequest }

func (m *AccessRequest) parse(d *decoder) {
	m.Realm = d.shortString()
	b := d.uint8()
	m.Exclusive, m.Passive, m.Active, m.Write, m.Read = bit(b, 0), bit(b, 1), bit(b, 2), bit(b, 3), bit(b, 4)
}

func (m *AccessRequest) append(dst []byte) []byte {
	dst = AppendShortString(dst, m.Realm)
	return append(dst, bits(m.Exclusive, m.Passive, m.Active, m.Write, m.Read))
}

// AccessRequestOk (access.request-ok) answers Request.
type AccessRequestOk struct {
	Ticket uint16
}

// ID returns [IDAccessRequestOk].
func (*AccessRequestOk) ID() ID { return IDAccessRequestOk }

func (m *AccessRequestOk) parse(d *decoder) {
	m.Ticket = d.uint16()
}

func (m *AccessRequestOk) append(dst []byte) []byte {
	return binary.BigEndian.AppendUint16(dst, m.Ticket)
}
