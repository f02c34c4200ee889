package codec

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// walker checks a body against the plan of a Go type before msgpack decodes the body. It
// refuses bodies that plain msgpack would accept.
type walker struct {
	data       []byte
	pos, depth int

	knownFields bool // refuse unknown fields
	encoded     bool // msgpack encoded the body, so its forms are right
	sort        bool // sort the keys of maps in place

	// changed is the copied part of the body, in which some numbers have another form.
	changed []byte
	copied  int

	extensions []int // starts of the extensions, after their type, that DecodeMsgpack may read
}

// walk checks the whole body, which must be one value. If EncodeMsgpack wrote several values for
// one Go value, walk checks each value by itself: only DecodeMsgpack knows where they end.
func (w *walker) walk(p *plan, parts traits) error {
	probe := walker{data: w.data}
	if parts&isCustom != 0 && (probe.value(opaque) != nil || probe.pos < len(w.data)) {
		p = custom
	}
	if p == custom && w.sort {
		return errSeveral
	}
	err := w.value(p)
	for err == nil && w.pos < len(w.data) {
		if p != custom {
			return errTrailing(len(w.data) - w.pos)
		}
		err = w.value(p)
	}
	return err
}

// value checks the next value.
func (w *walker) value(p *plan) error {
	start := w.pos
	if start < len(w.data) { // a short path for the most frequent values
		switch c := w.data[start]; {
		case p.max > 0 && c <= msgpcode.PosFixedNumHigh:
			return w.skip(1)
		case p.takes&kindString != 0 && msgpcode.IsFixedString(c):
			return w.skip(1 + uint64(c&msgpcode.FixedStrMask))
		case p.bits == 64 && c == msgpcode.Double && len(w.data)-start > 8 && w.data[start+1]&0x7f != 0x7f:
			return w.skip(9)
		}
	}
	k, n, err := w.token()
	switch {
	case err != nil:
		return err
	case k&p.takes == 0 && !w.encoded:
		return errKind(k.String(), p.typ)
	case k&(kindInteger|kindFloat) != 0:
		return w.number(p, start, k, n)
	case k == kindExt && p.own&isCustom != 0 && n > 0:
		w.extensions = append(w.extensions, len(w.changed)+w.pos-int(n)-w.copied)
	case k == kindArray || k == kindMap:
		if w.depth++; w.depth > maxDepth {
			return errDeep
		}
		err = w.parts(p, k, n)
		w.depth--
	}
	return err
}

// number checks that a number fits the type. It converts a float64 for a float32, and an
// integer above the greatest int64 for a float, to a form that msgpack accepts.
func (w *walker) number(p *plan, start int, k kind, n uint64) error {
	f, to32 := float64(n), p.bits == 32 && w.data[start] == msgpcode.Double
	if to32 {
		f = math.Float64frombits(n)
	}
	switch {
	case p.max > 0 && (k == kindInt && n > p.max || k == kindNegative && -n > p.min):
		return errRange(name(w.data[start:w.pos]), p.typ)
	case to32 && math.IsInf(float64(float32(f)), 0):
		return errRange(strconv.FormatFloat(f, 'g', -1, 64), p.typ)
	case w.encoded || !to32 && (p.bits == 0 || k != kindInt || n <= math.MaxInt64):
		return nil
	}
	w.changed = append(w.changed, w.data[w.copied:start]...)
	w.copied = w.pos
	if p.bits == 32 {
		w.changed = binary.BigEndian.AppendUint32(append(w.changed, msgpcode.Float), math.Float32bits(float32(f)))
	} else {
		w.changed = binary.BigEndian.AppendUint64(append(w.changed, msgpcode.Double), math.Float64bits(f))
	}
	return nil
}

// parts checks the elements of an array or the pairs of a map.
func (w *walker) parts(p *plan, k kind, n uint64) error {
	begin, sort := w.pos, w.sort && k == kindMap && p.own&(isUnsorted|isAny) != 0
	var pairs [][]byte
	for i := range int(min(n, math.MaxInt)) { // no body holds more
		start := w.pos
		elem, err := w.key(p, k, i)
		if elem == nil {
			return err
		}
		key := w.data[start:w.pos]
		if err == nil {
			err = w.value(elem)
		}
		switch {
		case err == nil && sort:
			pairs = append(pairs, w.data[start:w.pos])
		case err == nil:
		case k == kindArray:
			return inField(err, "["+strconv.Itoa(i)+"]")
		case p.byName == nil:
			return inField(err, "["+name(key)+"]")
		default:
			return inField(err, name(key))
		}
	}
	if sort {
		slices.SortFunc(pairs, byKey)
		copy(w.data[begin:w.pos], bytes.Join(pairs, nil))
	}
	return nil
}

// key reads the key of a pair in a map, and returns the plan of the element that follows. The
// element of an unknown field has no plan if fields must be known.
func (w *walker) key(p *plan, in kind, i int) (*plan, error) {
	switch {
	case in == kindArray && i < len(p.fields):
		return p.fields[i].plan, nil
	case in == kindArray:
		return cmp.Or(p.elem, p), nil
	case i < len(p.fields) && bytes.HasPrefix(w.data[w.pos:], p.fields[i].encoded):
		// Most senders write the same fields in the same order.
		w.pos += len(p.fields[i].encoded)
		return p.fields[i].plan, nil
	}
	start := w.pos
	err := w.value(cmp.Or(p.key, p))
	if err != nil || p.byName == nil {
		return cmp.Or(p.elem, p), err
	}
	name := payload(w.data[start:w.pos])
	if f := p.byName[string(name)]; f != nil {
		return f.plan, nil
	} else if w.knownFields {
		return nil, fmt.Errorf(`unknown field "%s"`, printable(string(name)))
	}
	return opaque, nil
}

// byKey compares encoded pairs of a map.
func byKey(a, b []byte) int {
	return cmp.Or(bytes.Compare(payload(a), payload(b)), bytes.Compare(a, b))
}

// payload returns the bytes of an encoded string, or the whole encoding of another scalar.
func payload(value []byte) []byte {
	w := walker{data: value}
	if k, n, err := w.token(); err == nil && k&kindText != 0 {
		return value[w.pos-int(n) : w.pos]
	}
	return value[:w.pos]
}

// name returns an encoded key or integer as text for an error.
func name(value []byte) string {
	w := walker{data: value}
	switch k, n, _ := w.token(); k {
	case kindInt:
		return strconv.FormatUint(n, 10)
	case kindNegative:
		return strconv.FormatInt(int64(n), 10)
	default:
		return printable(string(payload(value)))
	}
}
