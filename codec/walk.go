package codec

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"

	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// walker looks through a body beside the plan of a Go type, and refuses what
// msgpack by itself would let pass. Nothing is made of a body before that.
type walker struct {
	data  []byte
	pos   int
	depth int

	knownFields bool // refuse other fields
	encoded     bool // the body is our own: msgpack has chosen its forms
	sort        bool // bring the keys of maps into order, in place

	// changed is the body as far as copied, with another form of some numbers.
	changed []byte
	copied  int

	extensions []int // where those begin, after their type, that DecodeMsgpack may meet
}

// walk looks through the whole body, which must be one value. But EncodeMsgpack,
// which may have a part in it, may write several values for one: where these
// end, only DecodeMsgpack knows.
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

// value looks through the next value.
func (w *walker) value(p *plan) error {
	start := w.pos
	if start < len(w.data) { // the shortest way for what is most frequent
		switch c := w.data[start]; {
		case p.want == kindInt && c <= msgpcode.PosFixedNumHigh:
			w.pos++
			return nil
		case p.want == kindString && msgpcode.IsFixedString(c):
			w.pos++
			return w.skip(uint64(c & msgpcode.FixedStrMask))
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
	switch {
	case k == kindArray:
		err = w.elements(p, n)
	case p.want == kindMap && p.key == nil:
		err = w.members(p, n)
	default:
		err = w.pairs(p, n)
	}
	w.depth--
	return err
}

// number checks that a number fits the type. A float64 for a float32, and an
// integer above the greatest int64 for a float, get the form that msgpack
// understands.
func (w *walker) number(p *plan, start int, k kind, n uint64) error {
	if p.want == kindInt && (k == kindInt && n > p.max || k == kindNegative && -n > p.min) {
		return errRange(integer(k, n), p.typ)
	}
	if p.want != kindFloat || w.encoded {
		return nil
	}
	f, to32 := float64(n), p.typ.Kind() == reflect.Float32
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

// inside returns the plan of what is in a list, a map or an interface.
func (p *plan) inside() *plan {
	switch {
	case p.elem != nil:
		return p.elem
	case p.own&(isAny|isCustom) != 0:
		return p
	}
	return opaque
}

// elements looks through the elements of a list, or of a struct as an array.
func (w *walker) elements(p *plan, n uint64) error {
	elem := p.inside()
	for i := range int(n) {
		if i < len(p.fields) {
			elem = p.fields[i].plan
		}
		if err := w.value(elem); err != nil {
			return inIndex(err, i)
		}
	}
	return nil
}

// members looks through the members of a struct.
func (w *walker) members(p *plan, n uint64) error {
	for i := range int(n) {
		start, member := w.pos, opaque
		if i < len(p.fields) && bytes.HasPrefix(w.data[start:], p.fields[i].encoded) {
			// Most senders have the same fields in the same order.
			w.pos += len(p.fields[i].encoded)
			member = p.fields[i].plan
		} else if err := w.member(p, &member); err != nil {
			return err
		}
		if err := w.value(member); err != nil {
			return inField(err, name(w.data[start:]))
		}
	}
	return nil
}

// member reads the name of a member. If it is that of a field, member becomes
// the field's plan.
func (w *walker) member(p *plan, member **plan) error {
	k, n, err := w.token()
	switch {
	case err != nil:
		return err
	case k != kindString && k != kindBinary:
		return fmt.Errorf("%s is not the name of a field", k)
	}
	name := w.data[w.pos-int(n) : w.pos]
	if f := p.byName[string(name)]; f != nil {
		*member = f.plan
	} else if w.knownFields {
		return fmt.Errorf(`unknown field "%s"`, printable(string(name)))
	}
	return nil
}

// pair is a key of a map with its value, as they are encoded.
type pair struct {
	key   []byte // without the code, if it is a string
	whole []byte
}

// pairs looks through the pairs of a map, and sorts them.
func (w *walker) pairs(p *plan, n uint64) error {
	key, elem := p.inside(), p.inside()
	switch {
	case p.key != nil:
		key = p.key
	case p.own&isAny != 0: // it becomes a map[string]any
		key = stringPlan
	}
	var found []pair
	begin := w.pos
	for range n {
		start := w.pos
		err := w.value(key)
		end := w.pos
		if err == nil {
			err = w.value(elem)
		}
		if err != nil {
			return inField(err, "["+name(w.data[start:end])+"]")
		}
		if w.sort && p.own&(isUnsorted|isAny) != 0 {
			found = append(found, pair{payload(w.data[start:end]), w.data[start:w.pos]})
		}
	}
	compare := func(a, b pair) int {
		return cmp.Or(bytes.Compare(a.key, b.key), bytes.Compare(a.whole, b.whole))
	}
	if !slices.IsSortedFunc(found, compare) {
		slices.SortFunc(found, compare)
		sorted := make([]byte, 0, w.pos-begin)
		for _, p := range found {
			sorted = append(sorted, p.whole...)
		}
		copy(w.data[begin:], sorted)
	}
	return nil
}

// integer returns the integer of a token in decimal.
func integer(k kind, n uint64) string {
	if k == kindNegative {
		return strconv.FormatInt(int64(n), 10)
	}
	return strconv.FormatUint(n, 10)
}

// payload returns the bytes of an encoded string, or the whole of another value.
func payload(value []byte) []byte {
	w := walker{data: value}
	if k, n, err := w.token(); err == nil && (k == kindString || k == kindBinary) {
		return value[w.pos-int(n) : w.pos]
	}
	return value
}

// name returns an encoded key for an error.
func name(value []byte) string {
	w := walker{data: value}
	if k, n, err := w.token(); err == nil && (k == kindInt || k == kindNegative) {
		return integer(k, n)
	}
	return printable(string(payload(value)))
}
