package codec

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// walker checks a body against the plan of a Go type before msgpack decodes the body. It
// refuses bodies that plain msgpack would accept.
type walker struct {
	data  []byte
	pos   int
	depth int

	knownFields bool // refuse unknown fields
	encoded     bool // msgpack encoded the body, so its forms are right
	sort        bool // sort the keys of maps in place

	// changed is the copied part of the body, in which some numbers have another form.
	changed []byte
	copied  int

	extensions []int // starts of the extensions, after their type, that DecodeMsgpack may read
}

// walk checks the whole body, which must be one value. EncodeMsgpack may write several values
// for one Go value, and only DecodeMsgpack knows where they end. In such a
// body, walk only checks each value by itself.
func (w *walker) walk(p *plan, parts traits) error {
	probe := walker{data: w.data}
	if parts&isCustom != 0 && (probe.value(opaque) != nil || probe.pos < len(w.data)) {
		if w.sort {
			return errors.New("EncodeMsgpack must write one value beside maps whose keys are to be sorted")
		}
		for w.pos < len(w.data) {
			if err := w.value(custom); err != nil {
				return err
			}
		}
		return nil
	}
	if err := w.value(p); err != nil {
		return err
	}
	if rest := len(w.data) - w.pos; rest > 0 {
		return errTrailing(rest)
	}
	return nil
}

// value checks the next value.
func (w *walker) value(p *plan) error {
	start := w.pos
	if start < len(w.data) { // a short path for the most frequent values
		switch c := w.data[start]; {
		case p.want == kindInt && c <= msgpcode.PosFixedNumHigh:
			w.pos++
			return nil
		case p.want == kindString && msgpcode.IsFixedString(c):
			w.pos++
			return w.skip(uint64(c & msgpcode.FixedStrMask))
		case p.bits == 64 && c == msgpcode.Double && len(w.data)-start > 8 && w.data[start+1]&0x7f != 0x7f:
			w.pos += 9
			return nil
		}
	}
	k, n, err := w.token()
	switch {
	case err != nil:
		return err
	case !w.encoded && !p.takes(k):
		return errKind(k.String(), p.typ)
	case k == kindInt || k == kindNegative || k == kindFloat:
		return w.number(p, start, k, n)
	case k == kindExt && p.own&isCustom != 0 && n > 0:
		w.extensions = append(w.extensions, len(w.changed)+w.pos-int(n)-w.copied)
	}
	if k != kindArray && k != kindMap {
		return nil
	}
	if w.depth++; w.depth > maxDepth {
		return errDeep
	}
	err = w.parts(p, k, n)
	w.depth--
	return err
}

// number checks that a number fits the type. It converts a float64 for a float32, and an
// integer above the greatest int64 for a float, to a form that msgpack accepts.
func (w *walker) number(p *plan, start int, k kind, n uint64) error {
	if p.want == kindInt && (k == kindInt && n > p.max || k == kindNegative && -n > p.min) {
		return errRange(integer(k, n), p.typ)
	}
	if p.want != kindFloat || w.encoded {
		return nil
	}
	f, to32 := float64(n), p.bits == 32
	switch {
	case to32 && w.data[start] == msgpcode.Double:
		if f = math.Float64frombits(n); math.IsInf(float64(float32(f)), 0) {
			return errRange(strconv.FormatFloat(f, 'g', -1, 64), p.typ)
		}
	case k != kindInt || n <= math.MaxInt64:
		return nil
	}
	w.changed = append(w.changed, w.data[w.copied:start]...)
	w.copied = w.pos
	if to32 {
		w.changed = binary.BigEndian.AppendUint32(append(w.changed, msgpcode.Float), math.Float32bits(float32(f)))
	} else {
		w.changed = binary.BigEndian.AppendUint64(append(w.changed, msgpcode.Double), math.Float64bits(f))
	}
	return nil
}

// parts checks the elements of an array or the pairs of a map.
func (w *walker) parts(p *plan, k kind, n uint64) (err error) {
	elem, begin := p.elem, w.pos
	isMap, isStruct := k == kindMap && p.byName == nil, k == kindMap && p.byName != nil
	sort := isMap && w.sort && p.own&(isUnsorted|isAny) != 0
	var pairs []pair
	for i := range int(n) {
		start := w.pos
		switch {
		case isStruct:
			if elem, err = w.member(p, i); err != nil {
				return err
			}
		case isMap:
			err = w.value(p.key)
		case i < len(p.fields):
			elem = p.fields[i].plan
		}
		end := w.pos
		if err == nil {
			err = w.value(elem)
		}
		switch {
		case err == nil && sort:
			pairs = append(pairs, pair{payload(w.data[start:end]), w.data[start:w.pos]})
		case err == nil:
		case isStruct:
			return inField(err, name(w.data[start:end]))
		case isMap:
			return inField(err, "["+name(w.data[start:end])+"]")
		default:
			return inField(err, "["+strconv.Itoa(i)+"]")
		}
	}
	if sort {
		order(w.data[begin:w.pos], pairs)
	}
	return nil
}

// member reads the name of a member, and returns the plan of its value.
func (w *walker) member(p *plan, i int) (*plan, error) {
	if i < len(p.fields) && bytes.HasPrefix(w.data[w.pos:], p.fields[i].encoded) {
		// Most senders write the same fields in the same order.
		w.pos += len(p.fields[i].encoded)
		return p.fields[i].plan, nil
	}
	k, n, err := w.token()
	switch {
	case err != nil:
		return nil, err
	case k != kindString && k != kindBinary:
		return nil, fmt.Errorf("%s is not the name of a field", k)
	}
	name := w.data[w.pos-int(n) : w.pos]
	if f := p.byName[string(name)]; f != nil {
		return f.plan, nil
	} else if w.knownFields {
		return nil, fmt.Errorf(`unknown field "%s"`, printable(string(name)))
	}
	return opaque, nil
}

// pair is an encoded key of a map with its encoded value.
type pair struct {
	key   []byte // without the code if the key is a string
	whole []byte
}

// order sorts the pairs in data by their keys.
func order(data []byte, pairs []pair) {
	compare := func(a, b pair) int {
		return cmp.Or(bytes.Compare(a.key, b.key), bytes.Compare(a.whole, b.whole))
	}
	if slices.IsSortedFunc(pairs, compare) {
		return
	}
	slices.SortFunc(pairs, compare)
	sorted := make([]byte, 0, len(data))
	for _, p := range pairs {
		sorted = append(sorted, p.whole...)
	}
	copy(data, sorted)
}

// integer returns the integer of a token in decimal.
func integer(k kind, n uint64) string {
	if k == kindNegative {
		return strconv.FormatInt(int64(n), 10)
	}
	return strconv.FormatUint(n, 10)
}

// payload returns the bytes of an encoded string, or the whole encoding of another value.
func payload(value []byte) []byte {
	w := walker{data: value}
	if k, n, err := w.token(); err == nil && (k == kindString || k == kindBinary) {
		return value[w.pos-int(n) : w.pos]
	}
	return value
}

// name returns an encoded key as text for an error.
func name(value []byte) string {
	w := walker{data: value}
	if k, n, err := w.token(); err == nil && (k == kindInt || k == kindNegative) {
		return integer(k, n)
	}
	return printable(string(payload(value)))
}
