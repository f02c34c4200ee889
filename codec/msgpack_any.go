package codec

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"
)

// any encodes a value of any type. The types that an untyped message consists
// of go without reflection.
func (e *encoder) any(x any) error {
	switch x := x.(type) {
	case nil:
		e.buf = appendNil(e.buf)
	case string:
		e.buf = appendString(e.buf, x)
	case bool:
		e.buf = appendBool(e.buf, x)
	case int:
		e.buf = appendInt(e.buf, int64(x))
	case int64:
		e.buf = appendInt(e.buf, x)
	case float64:
		if !isFinite(x) {
			return errNotFinite
		}
		e.buf = appendFloat64(e.buf, x)
	case map[string]any:
		return e.anyMap(x)
	case []any:
		return e.anyList(x)
	case map[string]string:
		return e.stringMap(x)
	default:
		v := reflect.ValueOf(x)
		if v.Kind() != reflect.Pointer {
			return planOf(v.Type()).encode(e, v)
		}
		// A pointer in an interface can lead back to the interface, without
		// an array or an object between them that would be counted.
		if err := e.enter(); err != nil {
			return err
		}
		err := planOf(v.Type()).encode(e, v)
		e.leave()
		return err
	}
	return nil
}

func encodeInterface(e *encoder, v reflect.Value) error {
	if v.IsNil() {
		e.buf = appendNil(e.buf)
		return nil
	}
	return e.any(v.Interface())
}

func encodeAnyMap(e *encoder, v reflect.Value) error {
	return e.anyMap(v.Interface().(map[string]any))
}

func (e *encoder) anyMap(m map[string]any) error {
	if m == nil {
		e.buf = appendNil(e.buf)
		return nil
	}
	if err := e.enter(); err != nil {
		return err
	}
	e.buf = appendMapHead(e.buf, len(m))
	start := sortedKeys(e, m)
	end := len(e.keys)
	for i := start; i < end; i++ {
		k := e.keys[i]
		e.buf = appendString(e.buf, k)
		if err := e.any(m[k]); err != nil {
			return inKey(err, k)
		}
	}
	e.keys = e.keys[:start]
	e.leave()
	return nil
}

func (e *encoder) anyList(list []any) error {
	if list == nil {
		e.buf = appendNil(e.buf)
		return nil
	}
	if err := e.enter(); err != nil {
		return err
	}
	e.buf = appendArrayHead(e.buf, len(list))
	for i, x := range list {
		if err := e.any(x); err != nil {
			return inIndex(err, i)
		}
	}
	e.leave()
	return nil
}

// decodeInterface decodes into an interface: into what it points to, if it
// holds a pointer, as encoding/json does, else, if it has no methods, into
// what an untyped message consists of.
func decodeInterface(d *decoder, v reflect.Value) error {
	null := d.peek() == codeNil
	if held := v.Elem(); held.Kind() == reflect.Pointer && !held.IsNil() {
		if !null || held.Elem().Kind() == reflect.Pointer {
			// The pointer may lead back to v.
			if err := d.enter(); err != nil {
				return err
			}
			err := planOf(held.Type().Elem()).decode(d, held.Elem())
			d.leave()
			return err
		}
	}
	if null {
		d.pos++
		v.SetZero()
		return nil
	}
	if v.NumMethod() > 0 {
		c, err := d.code()
		if err != nil {
			return err
		}
		return d.mismatch(c, v)
	}
	x, err := d.any()
	if err != nil {
		return err
	}
	v.Set(reflect.ValueOf(x))
	return nil
}

// any decodes a value of any kind: a nil, bool, float64, string, []byte,
// []any, map[string]any or time.Time; for a number that is no float64 see
// MsgPack.UseNumber.
func (d *decoder) any() (any, error) {
	c, err := d.code()
	if err != nil {
		return nil, err
	}
	switch kindOf(c) {
	case kindNil:
		return nil, nil
	case kindBool:
		return c == codeTrue, nil
	case kindString:
		b, err := d.bytes(c)
		return string(b), err
	case kindBinary:
		b, err := d.bytes(c)
		return append(make([]byte, 0, len(b)), b...), err
	case kindInt, kindFloat:
		return d.anyNumber(c)
	case kindArray:
		return d.anyList(c)
	case kindMap:
		n, err := d.mapLen(c)
		if err != nil {
			return nil, err
		}
		m := make(map[string]any, n)
		return m, d.anyPairs(m, n)
	case kindExt:
		return d.anyExt(c)
	}
	return nil, errReserved(c)
}

func (d *decoder) anyNumber(c byte) (any, error) {
	if d.options.UseNumber {
		return d.number(c)
	}
	if kindOf(c) == kindFloat {
		return d.float(c)
	}
	n, err := d.integer(c)
	if err != nil {
		return nil, err
	}
	const exact = 1 << 53 // up to here a float64 holds every integer
	switch {
	case n.negative && int64(n.bits) < -exact:
		return int64(n.bits), nil
	case n.negative || n.bits <= exact:
		return n.float64(), nil
	case int64(n.bits) > 0:
		return int64(n.bits), nil
	default:
		return n.bits, nil
	}
}

func (d *decoder) anyList(c byte) (any, error) {
	n, err := d.arrayLen(c)
	if err != nil {
		return nil, err
	}
	if err := d.enter(); err != nil {
		return nil, err
	}
	list := make([]any, n)
	for i := range list {
		if list[i], err = d.any(); err != nil {
			return nil, inIndex(err, i)
		}
	}
	d.leave()
	return list, nil
}

func (d *decoder) anyPairs(m map[string]any, n int) error {
	if err := d.enter(); err != nil {
		return err
	}
	for range n {
		k, err := d.mapKey()
		if err != nil {
			return err
		}
		key := string(k)
		if m[key], err = d.any(); err != nil {
			return inKey(err, key)
		}
	}
	d.leave()
	return nil
}

func decodeAnyMap(d *decoder, v reflect.Value) error {
	n, err := d.mapHead(v)
	if n < 0 || err != nil {
		return err
	}
	p := v.Addr().Interface().(*map[string]any)
	if *p == nil {
		*p = make(map[string]any, n)
	}
	return d.anyPairs(*p, n)
}

// anyExt decodes an extension into what it stands for: a timestamp, a number,
// or a type that the program has registered with msgpack.
func (d *decoder) anyExt(c byte) (any, error) {
	start := d.pos - 1
	typ, payload, err := d.ext(c)
	if err != nil {
		return nil, err
	}
	switch typ {
	case extTime:
		return timestamp(typ, payload)
	case extNumber:
		if n := json.Number(payload); validNumber(string(n)) {
			return d.anyLiteral(n)
		}
	}
	d.pos = start
	var x any
	return x, d.foreign(reflect.ValueOf(&x).Elem())
}

// anyLiteral returns what a number as JSON writes it becomes in an any: what
// it would have become in MessagePack's own form, if there is one.
func (d *decoder) anyLiteral(n json.Number) (any, error) {
	if !d.options.UseNumber {
		native := decoder{reader: reader{data: appendNumber(nil, string(n))}}
		if c, _ := native.code(); kindOf(c) != kindExt {
			return native.anyNumber(c)
		}
	}
	return n, nil
}

// timestamp decodes MessagePack's own extension for a point in time, in UTC.
func timestamp(typ int8, payload []byte) (time.Time, error) {
	if typ != extTime {
		return time.Time{}, fmt.Errorf("extension %d is no timestamp", typ)
	}
	r := reader{data: payload}
	var seconds, nanos uint64
	var err error
	switch len(payload) {
	case 4:
		seconds, err = r.uintN(4)
	case 8:
		seconds, err = r.uintN(8)
		nanos, seconds = seconds>>34, seconds&(1<<34-1)
	case 12:
		nanos, _ = r.uintN(4)
		seconds, err = r.uintN(8)
	default:
		return time.Time{}, fmt.Errorf("a timestamp has 4, 8 or 12 bytes, not %d", len(payload))
	}
	if nanos > 999_999_999 {
		return time.Time{}, fmt.Errorf("a timestamp has at most 999999999 nanoseconds, not %d", nanos)
	}
	return time.Unix(int64(seconds), int64(nanos)).UTC(), err
}
