package codec

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// mapPlan is how a map type is encoded as an object, and decoded.
type mapPlan struct {
	typ       reflect.Type
	elem      *plan
	encodeKey func(reflect.Value) (string, error)
	decodeKey func(key []byte, v reflect.Value) error
}

func (c *compiler) mapping(p *plan) {
	m := &mapPlan{typ: p.typ, elem: c.plan(p.typ.Elem())}
	m.encodeKey, m.decodeKey = keyFuncs(p.typ.Key())
	p.encode, p.decode = m.encode, m.decode
	switch {
	case m.encodeKey == nil:
		p.encode = encodeUnsupported
	case p.typ == reflect.TypeFor[map[string]string]():
		p.encode = encodeStringMap
	case p.typ == reflect.TypeFor[map[string]any]():
		p.encode = encodeAnyMap
	}
	switch {
	case m.decodeKey == nil:
		p.decode = decodeUnsupported
	case p.typ == reflect.TypeFor[map[string]string]():
		p.decode = decodeStringMap
	case p.typ == reflect.TypeFor[map[string]any]():
		p.decode = decodeAnyMap
	}
}

// keyFuncs returns how the keys of a map are made strings and read back:
// those of a string kind as they are, those with a text form by it, integers
// in decimal. It is what encoding/json does; a nil is what it cannot.
func keyFuncs(t reflect.Type) (enc func(reflect.Value) (string, error), dec func([]byte, reflect.Value) error) {
	switch t.Kind() {
	case reflect.String:
		enc = func(v reflect.Value) (string, error) { return v.String(), nil }
		dec = func(key []byte, v reflect.Value) error {
			v.SetString(string(key))
			return nil
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		enc = func(v reflect.Value) (string, error) { return strconv.FormatInt(v.Int(), 10), nil }
		dec = decodeIntKey
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		enc = func(v reflect.Value) (string, error) { return strconv.FormatUint(v.Uint(), 10), nil }
		dec = decodeUintKey
	}
	if t.Kind() != reflect.String && t.Implements(textMarshalerType) {
		enc = encodeTextKey
	}
	if reflect.PointerTo(t).Implements(textUnmarshalerType) {
		dec = func(key []byte, v reflect.Value) error {
			return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText(key)
		}
	}
	return enc, dec
}

func encodeTextKey(v reflect.Value) (string, error) {
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return "", nil
	}
	text, err := v.Interface().(encoding.TextMarshaler).MarshalText()
	return string(text), err
}

func decodeIntKey(key []byte, v reflect.Value) error {
	n, err := strconv.ParseInt(string(key), 10, 64)
	if err != nil || v.OverflowInt(n) {
		return errIntKey(string(key), v.Type())
	}
	v.SetInt(n)
	return nil
}

func decodeUintKey(key []byte, v reflect.Value) error {
	n, err := strconv.ParseUint(string(key), 10, 64)
	if err != nil || v.OverflowUint(n) {
		return errIntKey(string(key), v.Type())
	}
	v.SetUint(n)
	return nil
}

func errIntKey(key string, t reflect.Type) error {
	if isInteger(key) {
		return errRange(printable(key), t)
	}
	return errKind(quoteShort(key), t)
}

// mapKey reads the key of a pair. Objects have strings for keys; an integer,
// which other peers may send, stands for its decimal digits. The bytes are
// good until the next key is read.
func (d *decoder) mapKey() ([]byte, error) {
	c, err := d.code()
	if err != nil {
		return nil, err
	}
	switch kindOf(c) {
	case kindString, kindBinary:
		return d.bytes(c)
	case kindInt:
		n, err := d.integer(c)
		d.key = n.append(d.key[:0])
		return d.key, err
	case kindReserved:
		return nil, errReserved(c)
	}
	return nil, fmt.Errorf("%s cannot be the key of an object", kindOf(c))
}

type mapPair struct {
	key   string
	value reflect.Value
}

func (m *mapPlan) encode(e *encoder, v reflect.Value) error {
	if v.IsNil() {
		e.buf = appendNil(e.buf)
		return nil
	}
	if err := e.enter(); err != nil {
		return err
	}
	pairs := make([]mapPair, 0, v.Len())
	for iter := v.MapRange(); iter.Next(); {
		key, err := m.encodeKey(iter.Key())
		if err != nil {
			return fmt.Errorf("key of type %s: %w", m.typ.Key(), err)
		}
		pairs = append(pairs, mapPair{key, iter.Value()})
	}
	slices.SortFunc(pairs, func(a, b mapPair) int { return strings.Compare(a.key, b.key) })
	e.buf = appendMapHead(e.buf, len(pairs))
	for _, p := range pairs {
		e.buf = appendString(e.buf, p.key)
		if err := m.elem.encode(e, p.value); err != nil {
			return inKey(err, p.key)
		}
	}
	e.leave()
	return nil
}

// sortedKeys appends the keys of m to e.keys, in order, and returns where they
// begin there: the maps within m put theirs behind, and each takes its own
// off at its end.
func sortedKeys[V any](e *encoder, m map[string]V) int {
	start := len(e.keys)
	for k := range m {
		e.keys = append(e.keys, k)
	}
	slices.Sort(e.keys[start:])
	return start
}

func encodeStringMap(e *encoder, v reflect.Value) error {
	return e.stringMap(v.Interface().(map[string]string))
}

func (e *encoder) stringMap(m map[string]string) error {
	if m == nil {
		e.buf = appendNil(e.buf)
		return nil
	}
	if err := e.enter(); err != nil {
		return err
	}
	e.buf = appendMapHead(e.buf, len(m))
	start := sortedKeys(e, m)
	for _, k := range e.keys[start:] {
		e.buf = appendString(appendString(e.buf, k), m[k])
	}
	e.keys = e.keys[:start]
	e.leave()
	return nil
}

func (m *mapPlan) decode(d *decoder, v reflect.Value) error {
	n, err := d.mapHead(v)
	if n < 0 || err != nil {
		return err
	}
	if err := d.enter(); err != nil {
		return err
	}
	if v.IsNil() {
		v.Set(reflect.MakeMapWithSize(m.typ, n))
	}
	key := reflect.New(m.typ.Key()).Elem()
	elem := reflect.New(m.typ.Elem()).Elem()
	for range n {
		k, err := d.mapKey()
		if err != nil {
			return err
		}
		key.SetZero()
		if err := m.decodeKey(k, key); err != nil {
			return inKey(err, string(k))
		}
		elem.SetZero()
		if err := m.elem.decode(d, elem); err != nil {
			return inKey(err, fmt.Sprint(key))
		}
		v.SetMapIndex(key, elem)
	}
	d.leave()
	return nil
}

// mapHead reads the head of an object for the map v. It returns -1 for a nil,
// which it has dealt with.
func (d *decoder) mapHead(v reflect.Value) (int, error) {
	c, err := d.code()
	if err != nil {
		return 0, err
	}
	switch kindOf(c) {
	case kindMap:
		return d.mapLen(c)
	case kindNil:
		v.SetZero()
		return -1, nil
	}
	return 0, d.mismatch(c, v)
}

func decodeStringMap(d *decoder, v reflect.Value) error {
	n, err := d.mapHead(v)
	if n < 0 || err != nil {
		return err
	}
	if err := d.enter(); err != nil {
		return err
	}
	p := v.Addr().Interface().(*map[string]string)
	if *p == nil {
		*p = make(map[string]string, n)
	}
	for range n {
		k, err := d.mapKey()
		if err != nil {
			return err
		}
		key := string(k)
		value, err := d.string()
		if err != nil {
			return inKey(err, key)
		}
		(*p)[key] = value
	}
	d.leave()
	return nil
}

// string reads a string; a nil is an empty one.
func (d *decoder) string() (string, error) {
	c, err := d.code()
	if err != nil {
		return "", err
	}
	switch kindOf(c) {
	case kindString, kindBinary:
		b, err := d.bytes(c)
		return string(b), err
	case kindNil:
		return "", nil
	case kindReserved:
		return "", errReserved(c)
	}
	return "", errKind(kindOf(c).String(), reflect.TypeFor[string]())
}
