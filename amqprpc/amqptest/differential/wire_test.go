package differential

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"
)

// Frame types and the octet that ends each frame: specification, section 4.2.3.
const (
	frameMethod    = 1
	frameHeader    = 2
	frameBody      = 3
	frameHeartbeat = 8
	frameEnd       = 0xCE
)

// M are fields by name; what is left out is the zero value.
type M map[string]any

// Table is a field table; see appendValue for what its values may be.
type Table map[string]any

// Decimal is a decimal-value: value divided by 10 to the power of scale.
type Decimal struct {
	Scale byte
	Value uint32
}

func mustUint16(s string) uint16 {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		panic(err)
	}
	return uint16(n)
}

// frame is one frame as bytes.
func rawFrame(kind byte, channel uint16, payload []byte) []byte {
	b := []byte{kind}
	b = binary.BigEndian.AppendUint16(b, channel)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	return append(append(b, payload...), frameEnd)
}

// protocolAnswer is the version in a protocol header sent by the broker.
type protocolAnswer []byte

func (p protocolAnswer) Error() string { return fmt.Sprintf("protocol header %v", []byte(p)) }

func readFrame(r io.Reader) (kind byte, channel uint16, payload []byte, err error) {
	var head [7]byte
	if _, err = io.ReadFull(r, head[:]); err != nil {
		return 0, 0, nil, err
	}
	if string(head[:4]) == "AMQP" { // what a broker answers to a protocol that it does not speak
		var last [1]byte
		_, _ = io.ReadFull(r, last[:])
		return 0, 0, nil, protocolAnswer(append(head[4:], last[0]))
	}
	size := binary.BigEndian.Uint32(head[3:])
	if size > 256<<20 {
		return 0, 0, nil, fmt.Errorf("frame of %d bytes", size)
	}
	payload = make([]byte, size+1)
	if _, err = io.ReadFull(r, payload); err != nil {
		return 0, 0, nil, err
	}
	if payload[size] != frameEnd {
		return 0, 0, nil, fmt.Errorf("frame ends with octet %#x", payload[size])
	}
	return head[0], binary.BigEndian.Uint16(head[1:]), payload[:size], nil
}

// encodeMethod is the payload of a method frame. It panics on a field that the method
// does not have: a mistake in a scenario.
func encodeMethod(m *methodSpec, args M) []byte {
	for name := range args {
		if !slices.ContainsFunc(m.fields, func(f fieldSpec) bool { return f.name == name }) {
			panic(fmt.Sprintf("%s has no field %q", m.name, name))
		}
	}
	b := binary.BigEndian.AppendUint16(nil, m.class)
	b = binary.BigEndian.AppendUint16(b, m.id)
	return appendFields(b, m.fields, args)
}

func appendFields(b []byte, fields []fieldSpec, args M) []byte {
	bits := 0 // of the octet that is being filled
	for _, f := range fields {
		if f.kind != "bit" {
			bits = 0
			b = appendField(b, f, args[f.name])
			continue
		}
		if bits%8 == 0 {
			b = append(b, 0)
		}
		if on, _ := args[f.name].(bool); on {
			b[len(b)-1] |= 1 << (bits % 8)
		}
		bits++
	}
	return b
}

func appendField(b []byte, f fieldSpec, v any) []byte {
	switch f.kind {
	case "octet":
		return append(b, byte(asUint(v)))
	case "short":
		return binary.BigEndian.AppendUint16(b, uint16(asUint(v)))
	case "long":
		return binary.BigEndian.AppendUint32(b, uint32(asUint(v)))
	case "longlong":
		return binary.BigEndian.AppendUint64(b, asUint(v))
	case "timestamp":
		t, _ := v.(time.Time)
		return binary.BigEndian.AppendUint64(b, uint64(t.Unix()))
	case "shortstr":
		s, _ := v.(string)
		return append(append(b, byte(len(s))), s...)
	case "longstr":
		s, _ := v.(string)
		return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
	case "table":
		t, _ := v.(Table)
		return appendTable(b, t)
	}
	panic("kind " + f.kind)
}

func asUint(v any) uint64 {
	switch v := v.(type) {
	case nil:
		return 0
	case int:
		return uint64(v)
	case uint64:
		return v
	}
	panic(fmt.Sprintf("%T is no number that a scenario uses", v))
}

func appendTable(b []byte, t Table) []byte {
	var body []byte
	for _, k := range sortedKeys(t) {
		body = append(append(body, byte(len(k))), k...)
		body = appendValue(body, t[k])
	}
	return append(binary.BigEndian.AppendUint32(b, uint32(len(body))), body...)
}

func sortedKeys(t Table) []string {
	keys := make([]string, 0, len(t))
	for k := range t {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// appendValue adds a field value with RabbitMQ's tag for its type
// (https://www.rabbitmq.com/amqp-0-9-1-errata, section 3). An int is an int64, as most
// clients send it.
func appendValue(b []byte, v any) []byte {
	be := binary.BigEndian
	switch v := v.(type) {
	case nil:
		return append(b, 'V')
	case bool:
		if v {
			return append(b, 't', 1)
		}
		return append(b, 't', 0)
	case int8:
		return append(b, 'b', byte(v))
	case uint8:
		return append(b, 'B', v)
	case int16:
		return be.AppendUint16(append(b, 's'), uint16(v))
	case uint16:
		return be.AppendUint16(append(b, 'u'), v)
	case int32:
		return be.AppendUint32(append(b, 'I'), uint32(v))
	case uint32:
		return be.AppendUint32(append(b, 'i'), v)
	case int:
		return be.AppendUint64(append(b, 'l'), uint64(v))
	case int64:
		return be.AppendUint64(append(b, 'l'), uint64(v))
	case float32:
		return be.AppendUint32(append(b, 'f'), math.Float32bits(v))
	case float64:
		return be.AppendUint64(append(b, 'd'), math.Float64bits(v))
	case Decimal:
		return be.AppendUint32(append(b, 'D', v.Scale), v.Value)
	case string:
		return append(be.AppendUint32(append(b, 'S'), uint32(len(v))), v...)
	case []byte:
		return append(be.AppendUint32(append(b, 'x'), uint32(len(v))), v...)
	case time.Time:
		return be.AppendUint64(append(b, 'T'), uint64(v.Unix()))
	case Table:
		return appendTable(append(b, 'F'), v)
	case []any:
		var body []byte
		for _, e := range v {
			body = appendValue(body, e)
		}
		return append(be.AppendUint32(append(b, 'A'), uint32(len(body))), body...)
	}
	panic(fmt.Sprintf("no field value for %T", v))
}

// decoder takes fields off a payload; after its first error it returns zero values.
type decoder struct {
	b   []byte
	err error
}

var errShort = errors.New("payload too short")

func (d *decoder) take(n int) []byte {
	if d.err != nil || n > len(d.b) {
		d.err = cmpErr(d.err, errShort)
		return make([]byte, min(n, 8))
	}
	taken := d.b[:n]
	d.b = d.b[n:]
	return taken
}

func cmpErr(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

func (d *decoder) uint(n int) uint64 {
	var v uint64
	for _, c := range d.take(n) {
		v = v<<8 | uint64(c)
	}
	return v
}

func (d *decoder) str(lengthOctets int) string {
	n := d.uint(lengthOctets)
	if d.err != nil || n > uint64(len(d.b)) {
		d.err = cmpErr(d.err, errShort)
		return ""
	}
	return string(d.take(int(n)))
}

func (d *decoder) fields(specs []fieldSpec) M {
	m := M{}
	bits := 0
	var octet byte
	for _, f := range specs {
		if f.kind != "bit" {
			bits = 0
			m[f.name] = d.field(f.kind)
			continue
		}
		if bits%8 == 0 {
			octet = d.take(1)[0]
		}
		m[f.name] = octet>>(bits%8)&1 == 1
		bits++
	}
	return m
}

func (d *decoder) field(kind string) any {
	switch kind {
	case "octet":
		return d.uint(1)
	case "short":
		return d.uint(2)
	case "long":
		return d.uint(4)
	case "longlong":
		return d.uint(8)
	case "timestamp":
		return time.Unix(int64(d.uint(8)), 0).UTC()
	case "shortstr":
		return d.str(1)
	case "longstr":
		return d.str(4)
	case "table":
		return d.table()
	}
	panic("kind " + kind)
}

func (d *decoder) table() Table {
	in := decoder{b: []byte(d.str(4))}
	t := Table{}
	for len(in.b) > 0 && in.err == nil {
		k := in.str(1)
		t[k] = in.value()
	}
	d.err = cmpErr(d.err, in.err)
	return t
}

func (d *decoder) value() any {
	switch tag := d.take(1)[0]; tag {
	case 'V':
		return nil
	case 't':
		return d.uint(1) != 0
	case 'b':
		return int8(d.uint(1))
	case 'B':
		return uint8(d.uint(1))
	case 's':
		return int16(d.uint(2))
	case 'u':
		return uint16(d.uint(2))
	case 'I':
		return int32(d.uint(4))
	case 'i':
		return uint32(d.uint(4))
	case 'l':
		return int64(d.uint(8))
	case 'f':
		return math.Float32frombits(uint32(d.uint(4)))
	case 'd':
		return math.Float64frombits(d.uint(8))
	case 'D':
		return Decimal{byte(d.uint(1)), uint32(d.uint(4))}
	case 'S':
		return d.str(4)
	case 'x':
		return []byte(d.str(4))
	case 'T':
		return time.Unix(int64(d.uint(8)), 0).UTC()
	case 'F':
		return d.table()
	case 'A':
		in := decoder{b: []byte(d.str(4))}
		list := []any{}
		for len(in.b) > 0 && in.err == nil {
			list = append(list, in.value())
		}
		d.err = cmpErr(d.err, in.err)
		return list
	default:
		d.err = cmpErr(d.err, fmt.Errorf("field value of type %q", tag))
		return nil
	}
}

// encodeHeader is the payload of a content header frame for class basic.
func encodeHeader(bodySize uint64, props M) []byte {
	b := binary.BigEndian.AppendUint16(nil, 60)
	b = binary.BigEndian.AppendUint16(b, 0)
	b = binary.BigEndian.AppendUint64(b, bodySize)
	var flags uint16
	var present []fieldSpec
	for i, f := range propertySpecs {
		if _, ok := props[f.name]; ok {
			flags |= 1 << (15 - i)
			present = append(present, f)
		}
	}
	if len(present) != len(props) {
		panic(fmt.Sprintf("a property of %v is unknown", props))
	}
	return appendFields(binary.BigEndian.AppendUint16(b, flags), present, props)
}

func decodeHeader(payload []byte) (bodySize uint64, props M, err error) {
	d := decoder{b: payload}
	d.take(4) // class and weight
	bodySize = d.uint(8)
	flags := d.uint(2)
	var present []fieldSpec
	for i, f := range propertySpecs {
		if flags>>(15-i)&1 == 1 {
			present = append(present, f)
		}
	}
	props = d.fields(present)
	if d.err == nil && len(d.b) > 0 {
		d.err = fmt.Errorf("%d bytes after the properties", len(d.b))
	}
	return bodySize, props, d.err
}

// message is a method that has come in, with its content if it has one.
type message struct {
	method *methodSpec
	fields M
	props  M
	body   []byte
	frames []int // sizes of the body frames
	bodyOf uint64
}

func decodeMethod(payload []byte) (*message, error) {
	d := decoder{b: payload}
	id := [2]uint16{uint16(d.uint(2)), uint16(d.uint(2))}
	m := amqp091.byID[id]
	if m == nil {
		return nil, fmt.Errorf("unknown method %v", id)
	}
	msg := &message{method: m, fields: d.fields(m.fields)}
	if d.err == nil && len(d.b) > 0 {
		d.err = fmt.Errorf("%d bytes after %s", len(d.b), m.name)
	}
	return msg, d.err
}

func (m *message) complete() bool {
	return !m.method.content || (m.props != nil && uint64(len(m.body)) >= m.bodyOf)
}

// add takes the next frame of the content.
func (m *message) add(kind byte, payload []byte) (err error) {
	switch {
	case kind == frameHeader && m.props == nil:
		m.bodyOf, m.props, err = decodeHeader(payload)
	case kind == frameBody && m.props != nil:
		m.body = append(m.body, payload...)
		m.frames = append(m.frames, len(payload))
	default:
		err = fmt.Errorf("frame of type %d within a content", kind)
	}
	return err
}

// bodyFrames cuts a body as a publisher must for a frame_max.
func bodyFrames(channel uint16, body []byte, frameMax int) []byte {
	var out bytes.Buffer
	for part := range slices.Chunk(body, frameMax-8) {
		out.Write(rawFrame(frameBody, channel, part))
	}
	return out.Bytes()
}

// with is a copy of a map with more in it.
func with(m, more M) M {
	c := M{}
	for k, v := range m {
		c[k] = v
	}
	for k, v := range more {
		c[k] = v
	}
	return c
}
