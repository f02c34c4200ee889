package frame

import "encoding/binary"

// BasicQos (basic.qos) limits the unacknowledged deliveries.
type BasicQos struct {
	PrefetchSize  uint32
	PrefetchCount uint16
	Global        bool
}

// ID returns [IDBasicQos].
func (*BasicQos) ID() ID { return IDBasicQos }

func (m *BasicQos) parse(d *decoder) {
	m.PrefetchSize = d.uint32()
	m.PrefetchCount = d.uint16()
	m.Global = bit(d.uint8(), 0)
}

func (m *BasicQos) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, m.PrefetchSize)
	dst = binary.BigEndian.AppendUint16(dst, m.PrefetchCount)
	return append(dst, bits(m.Global))
}

// BasicQosOk (basic.qos-ok) answers Qos.
type BasicQosOk struct{}

// ID returns [IDBasicQosOk].
func (*BasicQosOk) ID() ID { return IDBasicQosOk }

func (*BasicQosOk) parse(*decoder) {}

func (*BasicQosOk) append(dst []byte) []byte { return dst }

// BasicConsume (basic.consume) starts a consumer.
type BasicConsume struct {
	Ticket      uint16
	Queue       string
	ConsumerTag string
	NoLocal     bool
	NoAck       bool
	Exclusive   bool
	NoWait      bool
	Arguments   Table
}

// ID returns [IDBasicConsume].
func (*BasicConsume) ID() ID { return IDBasicConsume }

func (m *BasicConsume) parse(d *decoder) {
	m.Ticket = d.uint16()
	m.Queue = d.shortString()
	m.ConsumerTag = d.shortString()
	b := d.uint8()
	m.NoLocal, m.NoAck, m.Exclusive, m.NoWait = bit(b, 0), bit(b, 1), bit(b, 2), bit(b, 3)
	m.Arguments = d.table()
}

func (m *BasicConsume) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, m.Ticket)
	dst = AppendShortString(dst, m.Queue)
	dst = AppendShortString(dst, m.ConsumerTag)
	dst = append(dst, bits(m.NoLocal, m.NoAck, m.Exclusive, m.NoWait))
	return AppendTable(dst, m.Arguments)
}

// BasicConsumeOk (basic.consume-ok) answers Consume.
type BasicConsumeOk struct {
	ConsumerTag string
}

// ID returns [IDBasicConsumeOk].
func (*BasicConsumeOk) ID() ID { return IDBasicConsumeOk }

func (m *BasicConsumeOk) parse(d *decoder) {
	m.ConsumerTag = d.shortString()
}

func (m *BasicConsumeOk) append(dst []byte) []byte {
	return AppendShortString(dst, m.ConsumerTag)
}

// BasicCancel (basic.cancel) ends a consumer; either side may send it.
type BasicCancel struct {
	ConsumerTag string
	NoWait      bool
}

// ID returns [IDBasicCancel].
func (*BasicCancel) ID() ID { return IDBasicCancel }

func (m *BasicCancel) parse(d *decoder) {
	m.ConsumerTag = d.shortString()
	m.NoWait = bit(d.uint8(), 0)
}

func (m *BasicCancel) append(dst []byte) []byte {
	dst = AppendShortString(dst, m.ConsumerTag)
	return append(dst, bits(m.NoWait))
}

// BasicCancelOk (basic.cancel-ok) answers Cancel.
type BasicCancelOk struct {
	ConsumerTag string
}

// ID returns [IDBasicCancelOk].
func (*BasicCancelOk) ID() ID { return IDBasicCancelOk }

func (m *BasicCancelOk) parse(d *decoder) {
	m.ConsumerTag = d.shortString()
}

func (m *BasicCancelOk) append(dst []byte) []byte {
	return AppendShortString(dst, m.ConsumerTag)
}

// BasicPublish (basic.publish) sends a message to an exchange. Its strings alias the frame.
type BasicPublish struct {
	Ticket     uint16
	Exchange   []byte
	RoutingKey []byte
	Mandatory  bool
	Immediate  bool
}

// ID returns [IDBasicPublish].
func (*BasicPublish) ID() ID { return IDBasicPublish }

func (m *BasicPublish) parse(d *decoder) {
	m.Ticket = d.uint16()
	m.Exchange = d.shortBytes()
	m.RoutingKey = d.shortBytes()
	b := d.uint8()
	m.Mandatory, m.Immediate = bit(b, 0), bit(b, 1)
}

func (m *BasicPublish) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, m.Ticket)
	dst = AppendShortString(dst, m.Exchange)
	dst = AppendShortString(dst, m.RoutingKey)
	return append(dst, bits(m.Mandatory, m.Immediate))
}

// Parse decodes the fields from [MethodID]. It returns false if they are malformed.
func (m *BasicPublish) Parse(fields []byte) bool {
	d := decoder{b: fields}
	m.parse(&d)
	return d.done()
}

// AppendFrame adds m as a method frame, as [AppendMethod] does, without allocating.
func (m *BasicPublish) AppendFrame(dst []byte, channel uint16) []byte {
	dst, start := appendMethodStart(dst, channel, IDBasicPublish)
	return appendEnd(m.append(dst), start)
}

// BasicReturn (basic.return) returns an unroutable message. Its strings alias the frame.
type BasicReturn struct {
	ReplyCode  uint16
	ReplyText  []byte
	Exchange   []byte
	RoutingKey []byte
}

// ID returns [IDBasicReturn].
func (*BasicReturn) ID() ID { return IDBasicReturn }

func (m *BasicReturn) parse(d *decoder) {
	m.ReplyCode = d.uint16()
	m.ReplyText = d.shortBytes()
	m.Exchange = d.shortBytes()
	m.RoutingKey = d.shortBytes()
}

func (m *BasicReturn) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, m.ReplyCode)
	dst = AppendShortString(dst, m.ReplyText)
	dst = AppendShortString(dst, m.Exchange)
	return AppendShortString(dst, m.RoutingKey)
}

// Parse decodes the fields from [MethodID]. It returns false if they are malformed.
func (m *BasicReturn) Parse(fields []byte) bool {
	d := decoder{b: fields}
	m.parse(&d)
	return d.done()
}

// AppendFrame adds m as a method frame, as [AppendMethod] does, without allocating.
func (m *BasicReturn) AppendFrame(dst []byte, channel uint16) []byte {
	dst, start := appendMethodStart(dst, channel, IDBasicReturn)
	return appendEnd(m.append(dst), start)
}

// BasicDeliver (basic.deliver) delivers a message to a consumer. Its strings alias the frame.
type BasicDeliver struct {
	ConsumerTag []byte
	DeliveryTag uint64
	Redelivered bool
	Exchange    []byte
	RoutingKey  []byte
}

// ID returns [IDBasicDeliver].
func (*BasicDeliver) ID() ID { return IDBasicDeliver }

func (m *BasicDeliver) parse(d *decoder) {
	m.ConsumerTag = d.shortBytes()
	m.DeliveryTag = d.uint64()
	m.Redelivered = bit(d.uint8(), 0)
	m.Exchange = d.shortBytes()
	m.RoutingKey = d.shortBytes()
}

func (m *BasicDeliver) append(dst []byte) []byte {
	dst = AppendShortString(dst, m.ConsumerTag)
	dst = binary.BigEndian.AppendUint64(dst, m.DeliveryTag)
	dst = append(dst, bits(m.Redelivered))
	dst = AppendShortString(dst, m.Exchange)
	return AppendShortString(dst, m.RoutingKey)
}

// Parse decodes the fields from [MethodID]. It returns false if they are malformed.
func (m *BasicDeliver) Parse(fields []byte) bool {
	d := decoder{b: fields}
	m.parse(&d)
	return d.done()
}

// AppendFrame adds m as a method frame, as [AppendMethod] does, without allocating.
func (m *BasicDeliver) AppendFrame(dst []byte, channel uint16) []byte {
	dst, start := appendMethodStart(dst, channel, IDBasicDeliver)
	return appendEnd(m.append(dst), start)
}

// BasicGet (basic.get) asks for one message.
type BasicGet struct {
	Ticket uint16
	Queue  string
	NoAck  bool
}

// ID returns [IDBasicGet].
func (*BasicGet) ID() ID { return IDBasicGet }

func (m *BasicGet) parse(d *decoder) {
	m.Ticket = d.uint16()
	m.Queue = d.shortString()
	m.NoAck = bit(d.uint8(), 0)
}

func (m *BasicGet) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, m.Ticket)
	dst = AppendShortString(dst, m.Queue)
	return append(dst, bits(m.NoAck))
}

// BasicGetOk (basic.get-ok) delivers the message and the number of ready messages. Its
// strings alias the frame.
type BasicGetOk struct {
	DeliveryTag  uint64
	Redelivered  bool
	Exchange     []byte
	RoutingKey   []byte
	MessageCount uint32
}

// ID returns [IDBasicGetOk].
func (*BasicGetOk) ID() ID { return IDBasicGetOk }

func (m *BasicGetOk) parse(d *decoder) {
	m.DeliveryTag = d.uint64()
	m.Redelivered = bit(d.uint8(), 0)
	m.Exchange = d.shortBytes()
	m.RoutingKey = d.shortBytes()
	m.MessageCount = d.uint32()
}

func (m *BasicGetOk) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, m.DeliveryTag)
	dst = append(dst, bits(m.Redelivered))
	dst = AppendShortString(dst, m.Exchange)
	dst = AppendShortString(dst, m.RoutingKey)
	return binary.BigEndian.AppendUint32(dst, m.MessageCount)
}

// Parse decodes the fields from [MethodID]. It returns false if they are malformed.
func (m *BasicGetOk) Parse(fields []byte) bool {
	d := decoder{b: fields}
	m.parse(&d)
	return d.done()
}

// AppendFrame adds m as a method frame, as [AppendMethod] does, without allocating.
func (m *BasicGetOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, start := appendMethodStart(dst, channel, IDBasicGetOk)
	return appendEnd(m.append(dst), start)
}

// BasicGetEmpty (basic.get-empty) reports that the queue is empty.
type BasicGetEmpty struct {
	ClusterID string
}

// ID returns [IDBasicGetEmpty].
func (*BasicGetEmpty) ID() ID { return IDBasicGetEmpty }

func (m *BasicGetEmpty) parse(d *decoder) {
	m.ClusterID = d.shortString()
}

func (m *BasicGetEmpty) append(dst []byte) []byte {
	return AppendShortString(dst, m.ClusterID)
}
