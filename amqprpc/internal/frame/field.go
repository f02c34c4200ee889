package frame

import (
	"encoding/binary"
	"iter"
	"math"
)

// Value is a field's encoded value: the octet of its type and the data. [Fields] yields only
// well-formed values.
type Value []byte

// Fields iterates over an encoded table without its length, in the order of the wire. Names
// and values alias the table. The iteration ends at a malformed field. To detect malformed
// fields, call [CheckTable]; [Properties.Parse] has already called it.
func Fields(table []byte) iter.Seq2[[]byte, Value] {
	return func(yield func([]byte, Value) bool) {
		for d := (decoder{b: table}); len(d.b) > 0; {
			name := d.shortBytes()
			start := d.b
			if d.failed || checkValue(&d, 0) != nil {
				return
			}
			if !yield(name, Value(start[:len(start)-len(d.b)])) {
				return
			}
		}
	}
}

// Int returns an integer of any AMQP width.
func (v Value) Int() (n int64, ok bool) {
	d := decoder{b: v}
	switch d.uint8() {
	case 'b':
		n = int64(int8(d.uint8()))
	case 'B':
		n = int64(d.uint8())
	case 's':
		n = int64(int16(d.uint16()))
	case 'u':
		n = int64(d.uint16())
	case 'I':
		n = int64(int32(d.uint32()))
	case 'i':
		n = int64(d.uint32())
	case 'l', 'L':
		n = int64(d.uint64())
	default:
		return 0, false
	}
	return n, d.done()
}

// Text returns the octets of a string. They alias the value.
func (v Value) Text() (s []byte, ok bool) {
	d := decoder{b: v}
	if d.uint8() != 'S' {
		return nil, false
	}
	s = d.longBytes()
	return s, d.done()
}

// Bool returns a boolean.
func (v Value) Bool() (is, ok bool) {
	if len(v) != 2 || v[0] != 't' {
		return false, false
	}
	return v[1] != 0, true
}

// Float returns a floating-point number and its width in bits.
func (v Value) Float() (f float64, bits int, ok bool) {
	d := decoder{b: v}
	switch d.uint8() {
	case 'f':
		f, bits = float64(math.Float32frombits(d.uint32())), 32
	case 'd':
		f, bits = math.Float64frombits(d.uint64()), 64
	default:
		return 0, 0, false
	}
	return f, bits, d.done()
}

// Decode returns the value as [ParseTable] does, or nil for a malformed value.
func (v Value) Decode() any {
	d := decoder{b: v}
	decoded, err := parseValue(&d, 0)
	if err != nil {
		return nil
	}
	return decoded
}

// AppendValueField adds a field to a table without its length. The functions below do the
// same for one type each.
func AppendValueField[S ~string | ~[]byte](dst []byte, name S, v Value) []byte {
	return append(AppendShortString(dst, name), v...)
}

// AppendStringField adds a string.
func AppendStringField(dst []byte, name, value string) []byte {
	return AppendLongString(append(AppendShortString(dst, name), 'S'), value)
}

// AppendInt64Field adds a 64-bit integer.
func AppendInt64Field(dst []byte, name string, value int64) []byte {
	return binary.BigEndian.AppendUint64(append(AppendShortString(dst, name), 'l'), uint64(value))
}

// AppendInt32Field adds a 32-bit integer.
func AppendInt32Field(dst []byte, name string, value int32) []byte {
	return binary.BigEndian.AppendUint32(append(AppendShortString(dst, name), 'I'), uint32(value))
}

// AppendBoolField adds a boolean.
func AppendBoolField(dst []byte, name string, value bool) []byte {
	return append(AppendShortString(dst, name), 't', bits(value))
}
