package frame

import "encoding/binary"

// BasicAck (basic.ack) acks a delivery or confirms a publish.
type BasicAck struct {
	DeliveryTag uint64
	Multiple    bool
}

// ID returns [IDBasicAck].
func (*BasicAck) ID() ID { return IDBasicAck }

func (m *BasicAck) parse(d *decoder) {
	m.DeliveryTag = d.uint64()
	m.Multiple = bit(d.uint8(), 0)
}

func (m *BasicAck) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, m.DeliveryTag)
	return append(dst, bits(m.Multiple))
}

// Parse decodes the fields from [MethodID]. It returns false if they are malformed.
func (m *BasicAck) Parse(fields []byte) bool {
	d := decoder{b: fields}
	m.parse(&d)
	return d.done()
}

// AppendFrame adds m as a method frame, as [AppendMethod] does, without allocating.
func (m *BasicAck) AppendFrame(dst []byte, channel uint16) []byte {
	dst, start := appendMethodStart(dst, channel, IDBasicAck)
	return appendEnd(m.append(dst), start)
}

// BasicReject (basic.reject) refuses a delivery.
type BasicReject struct {
	DeliveryTag uint64
	Requeue     bool
}

// ID returns [IDBasicReject].
func (*BasicReject) ID() ID { return IDBasicReject }

func (m *BasicReject) parse(d *decoder) {
	m.DeliveryTag = d.uint64()
	m.Requeue = bit(d.uint8(), 0)
}

func (m *BasicReject) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, m.DeliveryTag)
	return append(dst, bits(m.Requeue))
}

// Parse decodes the fields from [MethodID]. It returns false if they are malformed.
func (m *BasicReject) Parse(fields []byte) bool {
	d := decoder{b: fields}
	m.parse(&d)
	return d.done()
}

// AppendFrame adds m as a method frame, as [AppendMethod] does, without allocating.
func (m *BasicReject) AppendFrame(dst []byte, channel uint16) []byte {
	dst, start := appendMethodStart(dst, channel, IDBasicReject)
	return appendEnd(m.append(dst), start)
}

// BasicRecoverAsync (basic.recover-async) is Recover without a reply.
type BasicRecoverAsync struct {
	Requeue bool
}

// ID returns [IDBasicRecoverAsync].
func (*BasicRecoverAsync) ID() ID { return IDBasicRecoverAsync }

func (m *BasicRecoverAsync) parse(d *decoder) {
	m.Requeue = bit(d.uint8(), 0)
}

func (m *BasicRecoverAsync) append(dst []byte) []byte {
	return append(dst, bits(m.Requeue))
}

// BasicRecover (basic.recover) requeues all unacknowledged deliveries of the channel.
type BasicRecover struct {
	Requeue bool
}

// ID returns [IDBasicRecover].
func (*BasicRecover) ID() ID { return IDBasicRecover }

func (m *BasicRecover) parse(d *decoder) {
	m.Requeue = bit(d.uint8(), 0)
}

func (m *BasicRecover) append(dst []byte) []byte {
	return append(dst, bits(m.Requeue))
}

// BasicRecoverOk (basic.recover-ok) answers Recover.
type BasicRecoverOk struct{}

// ID returns [IDBasicRecoverOk].
func (*BasicRecoverOk) ID() ID { return IDBasicRecoverOk }

func (*BasicRecoverOk) parse(*decoder) {}

func (*BasicRecoverOk) append(dst []byte) []byte { return dst }

// BasicNack (basic.nack) refuses deliveries, or reports that the broker refused a publish.
type BasicNack struct {
	DeliveryTag uint64
	Multiple    bool
	Requeue     bool
}

// ID returns [IDBasicNack].
func (*BasicNack) ID() ID { return IDBasicNack }

func (m *BasicNack) parse(d *decoder) {
	m.DeliveryTag = d.uint64()
	b := d.uint8()
	m.Multiple, m.Requeue = bit(b, 0), bit(b, 1)
}

func (m *BasicNack) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, m.DeliveryTag)
	return append(dst, bits(m.Multiple, m.Requeue))
}

// Parse decodes the fields from [MethodID]. It returns false if they are malformed.
func (m *BasicNack) Parse(fields []byte) bool {
	d := decoder{b: fields}
	m.parse(&d)
	return d.done()
}

// AppendFrame adds m as a method frame, as [AppendMethod] does, without allocating.
func (m *BasicNack) AppendFrame(dst []byte, channel uint16) []byte {
	dst, start := appendMethodStart(dst, channel, IDBasicNack)
	return appendEnd(m.append(dst), start)
}
