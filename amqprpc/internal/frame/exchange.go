package frame

import "encoding/binary"

// ExchangeDeclare (exchange.declare) creates an exchange or checks one.
type ExchangeDeclare struct {
	Ticket     uint16
	Exchange   string
	Type       string
	Passive    bool
	Durable    bool
	AutoDelete bool
	Internal   bool
	NoWait     bool
	Arguments  Table
}

// ID returns [IDExchangeDeclare].
func (*ExchangeDeclare) ID() ID { return IDExchangeDeclare }

func (m *ExchangeDeclare) parse(d *decoder) {
	m.Ticket = d.uint16()
	m.Exchange = d.shortString()
	m.Type = d.shortString()
	b := d.uint8()
	m.Passive, m.Durable, m.AutoDelete, m.Internal, m.NoWait = bit(b, 0), bit(b, 1), bit(b, 2), bit(b, 3), bit(b, 4)
	m.Arguments = d.table()
}

func (m *ExchangeDeclare) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, m.Ticket)
	dst = AppendShortString(dst, m.Exchange)
	dst = AppendShortString(dst, m.Type)
	dst = append(dst, bits(m.Passive, m.Durable, m.AutoDelete, m.Internal, m.NoWait))
	return AppendTable(dst, m.Arguments)
}

// ExchangeDeclareOk (exchange.declare-ok) answers Declare.
type ExchangeDeclareOk struct{}

// ID returns [IDExchangeDeclareOk].
func (*ExchangeDeclareOk) ID() ID { return IDExchangeDeclareOk }

func (*ExchangeDeclareOk) parse(*decoder) {}

func (*ExchangeDeclareOk) append(dst []byte) []byte { return dst }

// ExchangeDelete (exchange.delete) deletes an exchange.
type ExchangeDelete struct {
	Ticket   uint16
	Exchange string
	IfUnused bool
	NoWait   bool
}

// ID returns [IDExchangeDelete].
func (*ExchangeDelete) ID() ID { return IDExchangeDelete }

func (m *ExchangeDelete) parse(d *decoder) {
	m.Ticket = d.uint16()
	m.Exchange = d.shortString()
	b := d.uint8()
	m.IfUnused, m.NoWait = bit(b, 0), bit(b, 1)
}

func (m *ExchangeDelete) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, m.Ticket)
	dst = AppendShortString(dst, m.Exchange)
	return append(dst, bits(m.IfUnused, m.NoWait))
}

// ExchangeDeleteOk (exchange.delete-ok) answers Delete.
type ExchangeDeleteOk struct{}

// ID returns [IDExchangeDeleteOk].
func (*ExchangeDeleteOk) ID() ID { return IDExchangeDeleteOk }

func (*ExchangeDeleteOk) parse(*decoder) {}

func (*ExchangeDeleteOk) append(dst []byte) []byte { return dst }

// ExchangeBind (exchange.bind) binds one exchange to another.
type ExchangeBind struct {
	Ticket      uint16
	Destination string
	Source      string
	RoutingKey  string
	NoWait      bool
	Arguments   Table
}

// ID returns [IDExchangeBind].
func (*ExchangeBind) ID() ID { return IDExchangeBind }

func (m *ExchangeBind) parse(d *decoder) {
	m.Ticket = d.uint16()
	m.Destination = d.shortString()
	m.Source = d.shortString()
	m.RoutingKey = d.shortString()
	m.NoWait = bit(d.uint8(), 0)
	m.Arguments = d.table()
}

func (m *ExchangeBind) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, m.Ticket)
	dst = AppendShortString(dst, m.Destination)
	dst = AppendShortString(dst, m.Source)
	dst = AppendShortString(dst, m.RoutingKey)
	dst = append(dst, bits(m.NoWait))
	return AppendTable(dst, m.Arguments)
}

// ExchangeBindOk (exchange.bind-ok) answers Bind.
type ExchangeBindOk struct{}

// ID returns [IDExchangeBindOk].
func (*ExchangeBindOk) ID() ID { return IDExchangeBindOk }

func (*ExchangeBindOk) parse(*decoder) {}

func (*ExchangeBindOk) append(dst []byte) []byte { return dst }

// ExchangeUnbind (exchange.unbind) undoes Bind.
type ExchangeUnbind struct {
	Ticket      uint16
	Destination string
	Source      string
	RoutingKey  string
	NoWait      bool
	Arguments   Table
}

// ID returns [IDExchangeUnbind].
func (*ExchangeUnbind) ID() ID { return IDExchangeUnbind }

func (m *ExchangeUnbind) parse(d *decoder) {
	m.Ticket = d.uint16()
	m.Destination = d.shortString()
	m.Source = d.shortString()
	m.RoutingKey = d.shortString()
	m.NoWait = bit(d.uint8(), 0)
	m.Arguments = d.table()
}

func (m *ExchangeUnbind) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, m.Ticket)
	dst = AppendShortString(dst, m.Destination)
	dst = AppendShortString(dst, m.Source)
	dst = AppendShortString(dst, m.RoutingKey)
	dst = append(dst, bits(m.NoWait))
	return AppendTable(dst, m.Arguments)
}

// ExchangeUnbindOk (exchange.unbind-ok) answers Unbind.
type ExchangeUnbindOk struct{}

// ID returns [IDExchangeUnbindOk].
func (*ExchangeUnbindOk) ID() ID { return IDExchangeUnbindOk }

func (*ExchangeUnbindOk) parse(*decoder) {}

func (*ExchangeUnbindOk) append(dst []byte) []byte { return dst }
