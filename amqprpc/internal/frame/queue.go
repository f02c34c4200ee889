package frame

import "encoding/binary"

// QueueDeclare (queue.declare) creates a queue or checks one.
type QueueDeclare struct {
	Ticket     uint16
	Queue      string
	Passive    bool
	Durable    bool
	Exclusive  bool
	AutoDelete bool
	NoWait     bool
	Arguments  Table
}

// ID returns [IDQueueDeclare].
func (*QueueDeclare) ID() ID { return IDQueueDeclare }

func (m *QueueDeclare) parse(d *decoder) {
	m.Ticket = d.uint16()
	m.Queue = d.shortString()
	b := d.uint8()
	m.Passive, m.Durable, m.Exclusive, m.AutoDelete, m.NoWait = bit(b, 0), bit(b, 1), bit(b, 2), bit(b, 3), bit(b, 4)
	m.Arguments = d.table()
}

func (m *QueueDeclare) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, m.Ticket)
	dst = AppendShortString(dst, m.Queue)
	dst = append(dst, bits(m.Passive, m.Durable, m.Exclusive, m.AutoDelete, m.NoWait))
	return AppendTable(dst, m.Arguments)
}

// QueueDeclareOk (queue.declare-ok) answers Declare with the counts of ready messages and of consumers.
type QueueDeclareOk struct {
	Queue         string
	MessageCount  uint32
	ConsumerCount uint32
}

// ID returns [IDQueueDeclareOk].
func (*QueueDeclareOk) ID() ID { return IDQueueDeclareOk }

func (m *QueueDeclareOk) parse(d *decoder) {
	m.Queue = d.shortString()
	m.MessageCount = d.uint32()
	m.ConsumerCount = d.uint32()
}

func (m *QueueDeclareOk) append(dst []byte) []byte {
	dst = AppendShortString(dst, m.Queue)
	dst = binary.BigEndian.AppendUint32(dst, m.MessageCount)
	return binary.BigEndian.AppendUint32(dst, m.ConsumerCount)
}

// QueueBind (queue.bind) binds a queue to an exchange.
type QueueBind struct {
	Ticket     uint16
	Queue      string
	Exchange   string
	RoutingKey string
	NoWait     bool
	Arguments  Table
}

// ID returns [IDQueueBind].
func (*QueueBind) ID() ID { return IDQueueBind }

func (m *QueueBind) parse(d *decoder) {
	m.Ticket = d.uint16()
	m.Queue = d.shortString()
	m.Exchange = d.shortString()
	m.RoutingKey = d.shortString()
	m.NoWait = bit(d.uint8(), 0)
	m.Arguments = d.table()
}

func (m *QueueBind) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, m.Ticket)
	dst = AppendShortString(dst, m.Queue)
	dst = AppendShortString(dst, m.Exchange)
	dst = AppendShortString(dst, m.RoutingKey)
	dst = append(dst, bits(m.NoWait))
	return AppendTable(dst, m.Arguments)
}

// QueueBindOk (queue.bind-ok) answers Bind.
type QueueBindOk struct{}

// ID returns [IDQueueBindOk].
func (*QueueBindOk) ID() ID { return IDQueueBindOk }

func (*QueueBindOk) parse(*decoder) {}

func (*QueueBindOk) append(dst []byte) []byte { return dst }

// QueuePurge (queue.purge) drops the ready messages of a queue.
type QueuePurge struct {
	Ticket uint16
	Queue  string
	NoWait bool
}

// ID returns [IDQueuePurge].
func (*QueuePurge) ID() ID { return IDQueuePurge }

func (m *QueuePurge) parse(d *decoder) {
	m.Ticket = d.uint16()
	m.Queue = d.shortString()
	m.NoWait = bit(d.uint8(), 0)
}

func (m *QueuePurge) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, m.Ticket)
	dst = AppendShortString(dst, m.Queue)
	return append(dst, bits(m.NoWait))
}

// QueuePurgeOk (queue.purge-ok) answers Purge with the number of dropped messages.
type QueuePurgeOk struct {
	MessageCount uint32
}

// ID returns [IDQueuePurgeOk].
func (*QueuePurgeOk) ID() ID { return IDQueuePurgeOk }

func (m *QueuePurgeOk) parse(d *decoder) {
	m.MessageCount = d.uint32()
}

func (m *QueuePurgeOk) append(dst []byte) []byte {
	return binary.BigEndian.AppendUint32(dst, m.MessageCount)
}

// QueueDelete (queue.delete) deletes a queue.
type QueueDelete struct {
	Ticket   uint16
	Queue    string
	IfUnused bool
	IfEmpty  bool
	NoWait   bool
}

// ID returns [IDQueueDelete].
func (*QueueDelete) ID() ID { return IDQueueDelete }

func (m *QueueDelete) parse(d *decoder) {
	m.Ticket = d.uint16()
	m.Queue = d.shortString()
	b := d.uint8()
	m.IfUnused, m.IfEmpty, m.NoWait = bit(b, 0), bit(b, 1), bit(b, 2)
}

func (m *QueueDelete) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, m.Ticket)
	dst = AppendShortString(dst, m.Queue)
	return append(dst, bits(m.IfUnused, m.IfEmpty, m.NoWait))
}

// QueueDeleteOk (queue.delete-ok) answers Delete with the number of deleted messages.
type QueueDeleteOk struct {
	MessageCount uint32
}

// ID returns [IDQueueDeleteOk].
func (*QueueDeleteOk) ID() ID { return IDQueueDeleteOk }

func (m *QueueDeleteOk) parse(d *decoder) {
	m.MessageCount = d.uint32()
}

func (m *QueueDeleteOk) append(dst []byte) []byte {
	return binary.BigEndian.AppendUint32(dst, m.MessageCount)
}

// QueueUnbind (queue.unbind) undoes Bind.
type QueueUnbind struct {
	Ticket     uint16
	Queue      string
	Exchange   string
	RoutingKey string
	Arguments  Table
}

// ID returns [IDQueueUnbind].
func (*QueueUnbind) ID() ID { return IDQueueUnbind }

func (m *QueueUnbind) parse(d *decoder) {
	m.Ticket = d.uint16()
	m.Queue = d.shortString()
	m.Exchange = d.shortString()
	m.RoutingKey = d.shortString()
	m.Arguments = d.table()
}

func (m *QueueUnbind) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, m.Ticket)
	dst = AppendShortString(dst, m.Queue)
	dst = AppendShortString(dst, m.Exchange)
	dst = AppendShortString(dst, m.RoutingKey)
	return AppendTable(dst, m.Arguments)
}

// QueueUnbindOk (queue.unbind-ok) answers Unbind.
type QueueUnbindOk struct{}

// ID returns [IDQueueUnbindOk].
func (*QueueUnbindOk) ID() ID { return IDQueueUnbindOk }

func (*QueueUnbindOk) parse(*decoder) {}

func (*QueueUnbindOk) append(dst []byte) []byte { return dst }
