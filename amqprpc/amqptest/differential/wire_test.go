package differential

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strconv"
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
