package frame

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
)

// Table is a field table in the order of the wire. A name may occur twice.
type Table []Field

// Field is one entry of a [Table]. Value has one of the types below. Each Go type is one type
// on the wire, so a decoded value encodes to the same octets. The exception is 'L', which
// encodes as 'l'; RabbitMQ also reads 'L' as 'l'.
//
//	bool 't'      int8 'b'    uint8 'B'     int16 's'    uint16 'u'
//	int32 'I'     uint32 'i'  int64 'l'     float32 'f'  float64 'd'
//	Decimal 'D'   string 'S'  []byte 'x'    Timestamp 'T'
//	[]any 'A'     Table 'F'   nil 'V'
type Field struct {
	Key   string
	Value any
}

// Decimal is Value divided by ten to the power of Scale.
type Decimal struct {
	Scale uint8
	Value uint32
}

// Timestamp is the number of seconds since 1970.
type Timestamp uint64

// Time returns the timestamp in UTC.
func (t Timestamp) Time() time.Time { return time.Unix(int64(t), 0).UTC() }

// Errors for malformed tables.
var (
	errTable = errors.New("frame: malformed table")
	errDepth = errors.New("frame: table nested too deeply")
)

// maxDepth limits the nesting of tables and arrays. It is far above real use, and small
// enough for the stack.
const maxDepth = 128

// Lookup returns the value of the first field with this name.
func (t Table) Lookup(key string) (any, bool) {
	for i := range t {
		if t[i].Key == key {
			return t[i].Value, true
		}
	}
	return nil, false
}

// ParseTable decodes the fields of a table without the preceding length. Strings and byte
// slices are copies. An empty table returns nil.
func ParseTable(b []byte) (Table, error) {
	d := decoder{b: b}
	t, err := parseFields(&d, 0)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func parseFields(d *decoder, depth int) (Table, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	var t Table
	for len(d.b) > 0 {
		key := d.shortString()
		v, err := parseValue(d, depth)
		if err != nil {
			return nil, err
		}
		t = append(t, Field{key, v})
	}
	if d.failed {
		return nil, errTable
	}
	return t, nil
}

func parseValue(d *decoder, depth int) (any, error) {
	var v any
	switch d.uint8() {
	case 'S':
		v = d.longString()
	case 'I':
		v = int32(d.uint32())
	case 't':
		v = d.uint8() != 0
	case 'l', 'L':
		v = int64(d.uint64())
	case 'F':
		sub := decoder{b: d.longBytes()}
		if !d.failed {
			t, err := parseFields(&sub, depth+1)
			if err != nil {
				return nil, err
			}
			v = t
		}
	case 'A':
		sub := decoder{b: d.longBytes()}
		if !d.failed {
			a, err := parseArray(&sub, depth+1)
			if err != nil {
				return nil, err
			}
			v = a
		}
	case 'T':
		v = Timestamp(d.uint64())
	case 'b':
		v = int8(d.uint8())
	case 'B':
		v = d.uint8()
	case 's':
		v = int16(d.uint16())
	case 'u':
		v = d.uint16()
	case 'i':
		v = d.uint32()
	case 'f':
		v = math.Float32frombits(d.uint32())
	case 'd':
		v = math.Float64frombits(d.uint64())
	case 'D':
		v = Decimal{Scale: d.uint8(), Value: d.uint32()}
	case 'x':
		v = append([]byte{}, d.longBytes()...)
	case 'V':
	default:
		return nil, errTable
	}
	if d.failed {
		return nil, errTable
	}
	return v, nil
}

func parseArray(d *decoder, depth int) ([]any, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	a := []any{}
	for len(d.b) > 0 {
		v, err := parseValue(d, depth)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
	return a, nil
}

// CheckTable returns the error that ParseTable would return, without decoding. It does not
// allocate.
func CheckTable(b []byte) error {
	d := decoder{b: b}
	return checkFields(&d, 0)
}

func checkFields(d *decoder, depth int) error {
	if depth > maxDepth {
		return errDepth
	}
	for len(d.b) > 0 {
		d.shortBytes()
		if err := checkValue(d, depth); err != nil {
			return err
		}
	}
	if d.failed {
		return errTable
	}
	return nil
}

func checkValue(d *decoder, depth int) error {
	switch d.uint8() {
	case 'S', 'x':
		d.longBytes()
	case 't', 'b', 'B':
		d.take(1)
	case 's', 'u':
		d.take(2)
	case 'I', 'i', 'f':
		d.take(4)
	case 'D':
		d.take(5)
	case 'l', 'L', 'T', 'd':
		d.take(8)
	case 'F':
		sub := decoder{b: d.longBytes()}
		if err := checkFields(&sub, depth+1); err != nil {
			return err
		}
	case 'A':
		sub := decoder{b: d.longBytes()}
		if depth+1 > maxDepth {
			return errDepth
		}
		for len(sub.b) > 0 {
			if err := checkValue(&sub, depth+1); err != nil {
				return err
			}
		}
	case 'V':
	default:
		return errTable
	}
	if d.failed {
		return errTable
	}
	return nil
}

// FindField decodes only the value of the first field with this name in an encoded table
// without its length. It does not allocate if the field is missing.
func FindField(fields []byte, key string) (any, bool) {
	d := decoder{b: fields}
	for len(d.b) > 0 {
		if string(d.shortBytes()) == key && !d.failed {
			v, err := parseValue(&d, 0)
			return v, err == nil
		}
		if checkValue(&d, 0) != nil {
			return nil, false
		}
	}
	return nil, false
}

// AppendTable adds t and its length in four octets. Values of other types than those of
// [Field] are encoded as void.
func AppendTable(dst []byte, t Table) []byte {
	dst, at := appendLength(dst)
	dst = AppendFields(dst, t)
	return fillLength(dst, at)
}

// AppendFields adds the fields of t without a length.
func AppendFields(dst []byte, t Table) []byte {
	for i := range t {
		dst = AppendShortString(dst, t[i].Key)
		dst = appendValue(dst, t[i].Value)
	}
	return dst
}

func appendLength(dst []byte) ([]byte, int) {
	return append(dst, 0, 0, 0, 0), len(dst)
}

func fillLength(dst []byte, at int) []byte {
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

func appendValue(dst []byte, v any) []byte {
	be := binary.BigEndian
	switch v := v.(type) {
	case string:
		return AppendLongString(append(dst, 'S'), v)
	case []byte:
		return AppendLongString(append(dst, 'x'), v)
	case bool:
		return append(dst, 't', bits(v))
	case int8:
		return append(dst, 'b', byte(v))
	case uint8:
		return append(dst, 'B', v)
	case int16:
		return be.AppendUint16(append(dst, 's'), uint16(v))
	case uint16:
		return be.AppendUint16(append(dst, 'u'), v)
	case int32:
		return be.AppendUint32(append(dst, 'I'), uint32(v))
	case uint32:
		return be.AppendUint32(append(dst, 'i'), v)
	case int64:
		return be.AppendUint64(append(dst, 'l'), uint64(v))
	case float32:
		return be.AppendUint32(append(dst, 'f'), math.Float32bits(v))
	case float64:
		return be.AppendUint64(append(dst, 'd'), math.Float64bits(v))
	case Decimal:
		return be.AppendUint32(append(dst, 'D', v.Scale), v.Value)
	case Timestamp:
		return be.AppendUint64(append(dst, 'T'), uint64(v))
	case Table:
		return AppendTable(append(dst, 'F'), v)
	case []any:
		dst, at := appendLength(append(dst, 'A'))
		for _, item := range v {
			dst = appendValue(dst, item)
		}
		return fillLength(dst, at)
	}
	return append(dst, 'V')
}
