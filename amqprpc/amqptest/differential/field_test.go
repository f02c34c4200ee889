package differential

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Table is a field table; see appendValue for what its values may be.
type Table map[string]any

// Decimal is a decimal-value: value divided by 10 to the power of scale.
type Decimal struct {
	Scale byte
	Value uint32
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
